-- Delete the student modules that a complete list of keys lacks.
-- param $1 batch_id bigint
-- param $2 read_number bigint
-- param $3 listed_at timestamptz
--
-- Without the time of a modification the version's is that of the deletion.
WITH taken AS (
    DELETE FROM staging.student_module AS line
     WHERE line.batch_id = $1
), written AS (
    INSERT INTO staging.student_module (
           batch_id, read_number, version_time, line_no, is_tombstone, student_id, course_id,
           module_id, source_id, module_type, created, is_deleted)
    SELECT $1, $2, $3, row_number() OVER (), true, stored.user_id, stored.course_id,
           stored.module_id, stored.source_id, stored.module_type, stored.created_on, true
      FROM warehouse.student_module_fact AS stored
     WHERE stored.deleted_on IS NULL
       AND stored.version_time <= $3
       AND NOT EXISTS (
               SELECT
                 FROM staging.student_module AS listed
                WHERE listed.batch_id = $1
                  AND listed.student_id = stored.user_id
                  AND listed.course_id = stored.course_id
                  AND listed.module_id = stored.module_id)
    RETURNING 1
)
SELECT count(*) AS rows_staged
  FROM written;
