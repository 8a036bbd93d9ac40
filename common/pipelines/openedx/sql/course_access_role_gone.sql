-- A server shows all roles there are: those that it no longer shows are gone.
-- param $1 batch_id bigint
-- param $2 own_times boolean
WITH shown AS (
    SELECT max(staged.version_time) AS version_time, max(staged.read_number) AS read_number
      FROM staging.course_access_role AS staged
     WHERE staged.batch_id = $1
), gone AS (
    UPDATE warehouse.course_access_role_dim AS stored
       SET deleted = true,
           version_time = shown.version_time,
           read_number = shown.read_number,
           batch_id = $1
      FROM shown
     WHERE NOT $2
       AND NOT stored.deleted
       AND (stored.version_time, stored.read_number) < (shown.version_time, shown.read_number)
       AND NOT EXISTS (
               SELECT
                 FROM staging.course_access_role AS staged
                WHERE staged.batch_id = $1
                  AND staged.user_id = stored.user_id
                  AND COALESCE(staged.org, '') = stored.org
                  AND COALESCE(staged.course_id, '') = stored.course_id
                  AND staged.role = stored.role)
    RETURNING 1
)
SELECT count(*) AS roles_gone
  FROM gone;
