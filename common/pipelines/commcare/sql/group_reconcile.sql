-- Delete the groups that a complete list of ids lacks.
-- param $1 batch_id bigint
-- param $2 read_number bigint
-- param $3 listed_at timestamptz
WITH taken AS (
    DELETE FROM staging.group AS line
     WHERE line.batch_id = $1
), written AS (
    INSERT INTO staging.group (
           batch_id, read_number, version_time, line_no, is_tombstone, group_id)
    SELECT $1, $2, $3, row_number() OVER (), true, stored.group_id
      FROM warehouse.group_dim AS stored
     WHERE stored.id <> 0
       AND NOT stored.deleted
       AND NOT stored.is_inferred
       AND stored.version_time <= $3
       AND NOT EXISTS (
               SELECT
                 FROM staging.group AS listed
                WHERE listed.batch_id = $1
                  AND listed.group_id = stored.group_id)
    RETURNING 1
)
SELECT count(*) AS rows_staged
  FROM written;
