-- Infer the users that the sync logs of a batch name and that no document has made known yet.
-- param $1 batch_id bigint
WITH named AS (
    SELECT DISTINCT staged.user_id
      FROM staging.synclog AS staged
     WHERE staged.batch_id = $1
       AND staged.user_id <> ''
), added AS (
    INSERT INTO warehouse.user_dim (user_id, is_inferred, version_time, read_number, batch_id)
    SELECT named.user_id, true, '-infinity', 0, $1
      FROM named
     WHERE NOT EXISTS (
               SELECT
                 FROM warehouse.user_dim AS known
                WHERE known.user_id = named.user_id)
     ORDER BY named.user_id
        ON CONFLICT (user_id) DO NOTHING
    RETURNING id
)
SELECT count(*) AS members_inferred
  FROM added;
