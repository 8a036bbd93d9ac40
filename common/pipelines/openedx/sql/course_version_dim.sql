-- Note which version of a course is shown from now on, unless a newer one is shown already.
-- param $1 batch_id bigint
--
-- The scoring is still that of the version before; course_scoring compares it with the new one.
WITH newest AS MATERIALIZED (
    SELECT DISTINCT ON (context.id)
           context.id AS context_id, line.course_version, line.published_at, line.version_time,
           line.read_number
      FROM staging.course_block AS line
      JOIN warehouse.learning_context_dim AS context
        ON context.context_key = line.course_id
     WHERE line.batch_id = $1
     ORDER BY context.id, line.version_time DESC, line.read_number DESC, line.line_no DESC
), judged AS MATERIALIZED (
    SELECT newest.*, COALESCE(shown.scoring_hash, 0) AS scoring_hash
      FROM newest
      LEFT JOIN warehouse.course_version_dim AS shown
        ON shown.context_id = newest.context_id
       AND shown.is_current
     WHERE shown.id IS NULL
        OR (newest.version_time, newest.read_number) > (shown.version_time, shown.read_number)
), retired AS (
    UPDATE warehouse.course_version_dim AS stored
       SET is_current = false
      FROM judged
     WHERE stored.context_id = judged.context_id
       AND stored.is_current
       AND stored.course_version <> judged.course_version
), shown AS (
    INSERT INTO warehouse.course_version_dim AS stored (
           context_id, course_version, published_at, scoring_hash, is_current, version_time,
           read_number, batch_id)
    SELECT judged.context_id, judged.course_version, judged.published_at, judged.scoring_hash,
           true, judged.version_time, judged.read_number, $1
      FROM judged
     ORDER BY judged.context_id
        ON CONFLICT (context_id, course_version) DO UPDATE
       SET published_at = EXCLUDED.published_at,
           scoring_hash = EXCLUDED.scoring_hash,
           is_current = true,
           version_time = EXCLUDED.version_time,
           read_number = EXCLUDED.read_number,
           batch_id = EXCLUDED.batch_id
    RETURNING 1
)
SELECT count(*) AS versions_shown
  FROM shown;
