-- Delete the enrollments that a complete list of keys lacks.
-- param $1 batch_id bigint
-- param $2 read_number bigint
-- param $3 listed_at timestamptz
--
-- Without the time of a change the version's is that of the deletion.
WITH taken AS (
    DELETE FROM staging.enrollment AS line
     WHERE line.batch_id = $1
), written AS (
    INSERT INTO staging.enrollment (
           batch_id, read_number, version_time, line_no, is_tombstone, user_id, course_id,
           source_id, created, mode, is_deleted)
    SELECT $1, $2, $3, row_number() OVER (), true, stored.user_id, stored.course_id,
           stored.source_id, stored.created_on, stored.mode, true
      FROM warehouse.enrollment_fact AS stored
     WHERE stored.deleted_on IS NULL
       AND stored.version_time <= $3
       AND NOT EXISTS (
               SELECT
                 FROM staging.enrollment AS listed
                WHERE listed.batch_id = $1
                  AND listed.user_id = stored.user_id
                  AND listed.course_id = stored.course_id)
    RETURNING 1
)
SELECT count(*) AS rows_staged
  FROM written;
