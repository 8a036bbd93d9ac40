-- Keep the locations of each user of a batch as the winning document has them.
-- param $1 batch_id bigint
--
-- A mobile worker's are the document's own, in its one project; a web user's are those of each
-- membership, in the membership's project.
WITH touched AS MATERIALIZED (
    SELECT dim.id, dim.doc_type, dim.domain, dim.assigned_location_ids, dim.domain_memberships
      FROM warehouse.user_dim AS dim
     WHERE dim.user_id IN (
               SELECT staged.user_id
                 FROM staging.user AS staged
                WHERE staged.batch_id = $1)
), assigned AS (
    SELECT touched.id AS user_dim_id, place.location_id, touched.domain
      FROM touched
     CROSS JOIN unnest(touched.assigned_location_ids) AS place (location_id)
     WHERE touched.doc_type LIKE 'CommCareUser%'
     UNION
    SELECT touched.id, place.location_id COLLATE "C",
           (membership.entry ->> 'domain') COLLATE "C"
      FROM touched
     CROSS JOIN jsonb_array_elements(touched.domain_memberships) AS membership (entry)
     CROSS JOIN jsonb_array_elements_text(membership.entry -> 'assigned_location_ids')
                AS place (location_id)
     WHERE touched.doc_type LIKE 'WebUser%'
), wanted AS MATERIALIZED (
    SELECT assigned.user_dim_id, location_dim.id AS location_dim_id, assigned.domain
      FROM assigned
      JOIN warehouse.location_dim AS location_dim
        ON location_dim.location_id = assigned.location_id
     WHERE assigned.location_id <> ''
       AND assigned.domain <> ''
), deleted AS (
    DELETE FROM warehouse.user_location_dim AS bridge
     USING touched
     WHERE bridge.user_dim_id = touched.id
       AND NOT EXISTS (
               SELECT
                 FROM wanted
                WHERE wanted.user_dim_id = bridge.user_dim_id
                  AND wanted.location_dim_id = bridge.location_dim_id
                  AND wanted.domain = bridge.domain)
    RETURNING 1
), written AS (
    INSERT INTO warehouse.user_location_dim (user_dim_id, location_dim_id, domain, batch_id)
    SELECT wanted.user_dim_id, wanted.location_dim_id, wanted.domain, $1
      FROM wanted
     WHERE NOT EXISTS (
               SELECT
                 FROM warehouse.user_location_dim AS stored
                WHERE stored.user_dim_id = wanted.user_dim_id
                  AND stored.location_dim_id = wanted.location_dim_id
                  AND stored.domain = wanted.domain)
     ORDER BY wanted.user_dim_id, wanted.location_dim_id, wanted.domain
    RETURNING 1
)
SELECT (SELECT count(*) FROM written) AS assignments_written,
       (SELECT count(*) FROM deleted) AS assignments_deleted;
