-- Write all enrollment data, or that of some courses, as the definition has it; what is right
-- already is not written.
-- param $1 batch_id bigint
-- param $2 units text[]
-- param $3 as_of timestamptz
WITH chosen AS (
    SELECT known.learner_id, known.context_id
      FROM (SELECT fact.learner_id, fact.context_id
              FROM warehouse.enrollment_fact AS fact
             UNION
            SELECT data.learner_id, data.context_id
              FROM warehouse.enrollment_data AS data) AS known
      JOIN warehouse.context_structure AS context
        ON context.context_id = known.context_id
       AND ($2::text[] IS NULL OR context.context_key = ANY ($2))
), keys AS (
    SELECT array_agg(chosen.learner_id ORDER BY chosen.context_id, chosen.learner_id) AS learners,
           array_agg(chosen.context_id ORDER BY chosen.context_id, chosen.learner_id) AS contexts
      FROM chosen
)
SELECT written.keys_touched, written.rows_inserted, written.rows_updated, written.rows_deleted,
       written.rows_unchanged
  FROM keys
 CROSS JOIN LATERAL warehouse.write_enrollment_data(
           keys.learners, keys.contexts, $1::bigint, $3::timestamptz) AS written;
