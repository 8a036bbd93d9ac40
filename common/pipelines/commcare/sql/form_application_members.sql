-- Infer the applications and builds that the forms of a batch name and that nobody knows yet.
-- param $1 batch_id bigint
WITH pair AS MATERIALIZED (
    SELECT DISTINCT staged.app_id, staged.build_id
      FROM staging.form AS staged
     WHERE staged.batch_id = $1
), named AS (
    SELECT pair.app_id AS application_id
      FROM pair
     WHERE pair.app_id <> ''
     UNION
    SELECT pair.build_id
      FROM pair
     WHERE pair.build_id <> ''
), added AS (
    INSERT INTO warehouse.application_dim (
           application_id, is_inferred, version_time, read_number, batch_id)
    SELECT named.application_id, true, '-infinity', 0, $1
      FROM named
     WHERE NOT EXISTS (
               SELECT
                 FROM warehouse.application_dim AS known
                WHERE known.application_id = named.application_id)
     ORDER BY named.application_id
        ON CONFLICT (application_id) DO NOTHING
    RETURNING id
)
SELECT count(*) AS members_inferred
  FROM added;
