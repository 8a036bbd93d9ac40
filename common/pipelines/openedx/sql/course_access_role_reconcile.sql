-- Delete the roles that a complete list of them lacks.
-- param $1 batch_id bigint
-- param $2 read_number bigint
-- param $3 listed_at timestamptz
--
-- A file's role has no time of its own. What was read after the list was taken is left alone, and a
-- tombstone has the version time of the role: among reads of files the later one wins.
WITH taken AS (
    DELETE FROM staging.course_access_role AS line
     WHERE line.batch_id = $1
), written AS (
    INSERT INTO staging.course_access_role (
           batch_id, read_number, version_time, line_no, is_tombstone, user_id, org, course_id,
           role)
    SELECT $1, $2, stored.version_time, row_number() OVER (), true, stored.user_id, stored.org,
           stored.course_id, stored.role
      FROM warehouse.course_access_role_dim AS stored
     WHERE NOT stored.deleted
       AND stored.version_time <= $3
       AND stored.read_number
           < COALESCE((SELECT min(batch.read_number)
                         FROM etl.batch AS batch
                        WHERE batch.workflow = 'course_access_role'
                          AND batch.read_number < $2
                          AND batch.staged_at > $3), $2)
       AND NOT EXISTS (
               SELECT
                 FROM staging.course_access_role AS listed
                WHERE listed.batch_id = $1
                  AND listed.user_id = stored.user_id
                  AND COALESCE(listed.org, '') = stored.org
                  AND COALESCE(listed.course_id, '') = stored.course_id
                  AND listed.role = stored.role)
    RETURNING 1
)
SELECT count(*) AS rows_staged
  FROM written;
