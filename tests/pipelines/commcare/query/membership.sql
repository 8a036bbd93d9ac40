-- Who belongs to which group, place and project.
SELECT 'group', worker.user_id, other.group_id, bridge.domain, NULL::boolean AS is_domain_admin
  FROM warehouse.user_group_dim AS bridge
  JOIN warehouse.user_dim AS worker ON worker.id = bridge.user_dim_id
  JOIN warehouse.group_dim AS other ON other.id = bridge.group_dim_id
 UNION ALL
SELECT 'place', worker.user_id, other.location_id, bridge.domain, NULL
  FROM warehouse.user_location_dim AS bridge
  JOIN warehouse.user_dim AS worker ON worker.id = bridge.user_dim_id
  JOIN warehouse.location_dim AS other ON other.id = bridge.location_dim_id
 UNION ALL
SELECT 'project', worker.user_id, bridge.domain, bridge.domain, bridge.is_domain_admin
  FROM warehouse.domain_membership_dim AS bridge
  JOIN warehouse.user_dim AS worker ON worker.id = bridge.user_dim_id
 ORDER BY 1, 2, 3;
