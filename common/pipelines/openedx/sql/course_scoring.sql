-- Log the courses whose scoring the shown version changes: names do not score, and wake nobody.
-- param $1 batch_id bigint
WITH scored AS MATERIALIZED (
    SELECT shown.id, shown.context_id,
           -- never the 0 of no version: a CCX may leave its course's structure for an empty one
           (SELECT hashtextextended(COALESCE(string_agg(
                       concat_ws('|', block.usage_key, block.has_score, block.graded,
                                 COALESCE(block.weight::text, '-'),
                                 COALESCE(block.max_score::text, '-'), block.staff_only,
                                 block.subsection_block_id, block.random_parent_block_id,
                                 COALESCE(block.max_count::text, '-'),
                                 CASE WHEN block.random_parent_block_id <> 0
                                      THEN block.ordinal END),
                       E'\n' ORDER BY block.usage_key), ''), 0)
              FROM warehouse.block_dim AS block
             WHERE block.context_id = shown.context_id
               AND block.in_structure
               AND (block.has_score OR block.random_parent_block_id <> 0
                    OR block.max_count IS NOT NULL)) AS scoring_hash
      FROM warehouse.course_version_dim AS shown
     WHERE shown.is_current
       AND shown.batch_id = $1
), changed AS (
    UPDATE warehouse.course_version_dim AS stored
       SET scoring_hash = scored.scoring_hash
      FROM scored
     WHERE stored.id = scored.id
       AND stored.scoring_hash <> scored.scoring_hash
    RETURNING stored.context_id
), logged AS (
    INSERT INTO warehouse.learning_change_log (batch_id, context_id, learner_id, metric_date)
    SELECT $1, changed.context_id, NULL, NULL
      FROM changed
)
SELECT count(*) AS scorings_changed
  FROM changed;
