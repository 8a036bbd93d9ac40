-- Infer the locations that the users of a batch are assigned to and that nobody knows yet.
-- param $1 batch_id bigint
WITH named AS (
    SELECT place.location_id
      FROM staging.user AS staged
     CROSS JOIN unnest(staged.assigned_location_ids) AS place (location_id)
     WHERE staged.batch_id = $1
       AND staged.doc_type LIKE 'CommCareUser%'
     UNION
    SELECT place.location_id COLLATE "C"
      FROM staging.user AS staged
     CROSS JOIN jsonb_array_elements(staged.domain_memberships) AS membership (entry)
     CROSS JOIN jsonb_array_elements_text(membership.entry -> 'assigned_location_ids')
                AS place (location_id)
     WHERE staged.batch_id = $1
       AND staged.doc_type LIKE 'WebUser%'
), added AS (
    INSERT INTO warehouse.location_dim (
           location_id, is_inferred, version_time, read_number, batch_id)
    SELECT named.location_id, true, '-infinity', 0, $1
      FROM named
     WHERE named.location_id <> ''
       AND NOT EXISTS (
               SELECT
                 FROM warehouse.location_dim AS known
                WHERE known.location_id = named.location_id)
     ORDER BY named.location_id
        ON CONFLICT (location_id) DO NOTHING
    RETURNING id
)
SELECT count(*) AS members_inferred
  FROM added;
