-- Delete the applications and builds that a complete list of ids lacks.
-- param $1 batch_id bigint
-- param $2 read_number bigint
-- param $3 listed_at timestamptz
WITH taken AS (
    DELETE FROM staging.application AS line
     WHERE line.batch_id = $1
), written AS (
    INSERT INTO staging.application (
           batch_id, read_number, version_time, line_no, is_tombstone, application_id)
    SELECT $1, $2, $3, row_number() OVER (), true, stored.application_id
      FROM warehouse.application_dim AS stored
     WHERE stored.id <> 0
       AND NOT stored.deleted
       AND NOT stored.is_inferred
       AND stored.version_time <= $3
       AND NOT EXISTS (
               SELECT
                 FROM staging.application AS listed
                WHERE listed.batch_id = $1
                  AND listed.application_id = stored.application_id)
    RETURNING 1
)
SELECT count(*) AS rows_staged
  FROM written;
