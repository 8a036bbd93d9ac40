-- Blocks that the shown version of a course no longer has count for nothing.
-- param $1 batch_id bigint
WITH gone AS (
    UPDATE warehouse.block_dim AS stored
       SET in_structure = false,
           dim_last_modified = now(),
           batch_id = $1
      FROM warehouse.course_version_dim AS shown
      JOIN warehouse.learning_context_dim AS context
        ON context.id = shown.context_id
     WHERE shown.is_current
       AND shown.batch_id = $1
       AND stored.context_id = shown.context_id
       AND stored.in_structure
       AND NOT EXISTS (
               SELECT
                 FROM staging.course_block AS line
                WHERE line.batch_id = $1
                  AND line.course_id = context.context_key
                  AND line.course_version = shown.course_version
                  AND line.usage_key = stored.usage_key)
    RETURNING 1
)
SELECT count(*) AS blocks_gone
  FROM gone;
