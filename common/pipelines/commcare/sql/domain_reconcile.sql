-- Delete the projects that a complete list of ids lacks.
-- param $1 batch_id bigint
-- param $2 read_number bigint
-- param $3 listed_at timestamptz
WITH taken AS (
    DELETE FROM staging.domain AS line
     WHERE line.batch_id = $1
), written AS (
    INSERT INTO staging.domain (
           batch_id, read_number, version_time, line_no, is_tombstone, domain_id)
    SELECT $1, $2, $3, row_number() OVER (), true, stored.domain_id
      FROM warehouse.domain_document AS stored
     WHERE NOT stored.deleted
       AND NOT stored.is_inferred
       AND stored.version_time <= $3
       AND NOT EXISTS (
               SELECT
                 FROM staging.domain AS listed
                WHERE listed.batch_id = $1
                  AND listed.domain_id = stored.domain_id)
    RETURNING 1
)
SELECT count(*) AS rows_staged
  FROM written;
