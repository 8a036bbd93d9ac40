-- Keep each role in a course, or in all of an organisation.
-- param $1 batch_id bigint
-- param $2 pending_older boolean
-- param $3 own_times boolean
WITH incoming AS (
    SELECT DISTINCT ON (staged.user_id, part.org, part.course_id, staged.role)
           staged.user_id, part.org, part.course_id, staged.role, part.deleted,
           staged.version_time, staged.read_number
      FROM staging.course_access_role AS staged
     CROSS JOIN LATERAL (
               SELECT COALESCE(staged.org, '') AS org, COALESCE(staged.course_id, '') AS course_id,
                      staged.is_tombstone AS deleted) AS part
     WHERE staged.batch_id = $1
     ORDER BY staged.user_id, part.org, part.course_id, staged.role, staged.version_time DESC,
              staged.read_number DESC, staged.line_no DESC
), judged AS MATERIALIZED (
    SELECT incoming.*,
           CASE WHEN stored.user_id IS NULL THEN 'new'
                WHEN (incoming.version_time, incoming.read_number)
                     < (stored.version_time, stored.read_number) THEN 'older'
                WHEN (incoming.version_time, incoming.read_number)
                     = (stored.version_time, stored.read_number) THEN 'same'
                WHEN (incoming.deleted)
                     IS DISTINCT FROM
                     (stored.deleted) THEN 'changed'
                WHEN $2 OR $3 AND incoming.version_time > stored.version_time THEN 'raised'
                ELSE 'same'
            END AS verdict
      FROM incoming
      LEFT JOIN warehouse.course_access_role_dim AS stored
        ON stored.user_id = incoming.user_id
           AND stored.org = incoming.org
           AND stored.course_id = incoming.course_id
           AND stored.role = incoming.role
), inserted AS (
    INSERT INTO warehouse.course_access_role_dim (
           user_id, org, course_id, role, deleted, version_time, read_number, batch_id)
    SELECT judged.user_id, judged.org, judged.course_id, judged.role, judged.deleted,
           judged.version_time, judged.read_number, $1
      FROM judged
     WHERE judged.verdict = 'new'
     ORDER BY judged.user_id, judged.org, judged.course_id, judged.role
    RETURNING user_id, org, course_id, role
), rewritten AS (
    -- a raised version keeps the batch id
    UPDATE warehouse.course_access_role_dim AS stored
       SET deleted = judged.deleted,
           version_time = judged.version_time,
           read_number = judged.read_number,
           batch_id = CASE judged.verdict WHEN 'changed' THEN $1 ELSE stored.batch_id END
      FROM judged
     WHERE judged.verdict IN ('changed', 'raised')
       AND stored.user_id = judged.user_id
       AND stored.org = judged.org
       AND stored.course_id = judged.course_id
       AND stored.role = judged.role
    RETURNING judged.verdict, judged.user_id, judged.org, judged.course_id, judged.role
), judgement AS (
    SELECT count(*) AS keys,
           count(*) FILTER (WHERE judged.verdict = 'same') AS same,
           count(*) FILTER (WHERE judged.verdict = 'older') AS older
      FROM judged
), written AS (
    SELECT count(*) FILTER (WHERE rewritten.verdict = 'changed') AS changed,
           count(*) FILTER (WHERE rewritten.verdict = 'raised') AS raised
      FROM rewritten
), staged AS (
    SELECT count(*) AS lines
      FROM staging.course_access_role AS line
     WHERE line.batch_id = $1
)
SELECT staged.lines AS rows_staged,
       (SELECT count(*) FROM inserted) AS rows_inserted,
       written.changed AS rows_updated,
       judgement.same + written.raised AS rows_unchanged,
       staged.lines - judgement.keys AS rows_duplicate,
       judgement.older AS rows_older
  FROM staged
 CROSS JOIN judgement
 CROSS JOIN written;
