-- Infer the users that the groups of a batch hold and that no document has made known yet.
-- param $1 batch_id bigint
WITH named AS (
    SELECT DISTINCT member.user_id
      FROM staging.group AS staged
     CROSS JOIN unnest(staged.user_ids) AS member (user_id)
     WHERE staged.batch_id = $1
       AND NOT staged.is_tombstone
       AND COALESCE(staged.doc_type, '') NOT LIKE '%-Deleted'
       AND member.user_id <> ''
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
