-- Infer the blocks that the student modules of a batch name and that are not known yet.
-- param $1 batch_id bigint
WITH named AS (
    SELECT DISTINCT context.id AS context_id, staged.module_id
      FROM staging.student_module AS staged
      JOIN warehouse.learning_context_dim AS context
        ON context.context_key = staged.course_id
     WHERE staged.batch_id = $1
), added AS (
    INSERT INTO warehouse.block_dim (context_id, usage_key, local_key, block_type, batch_id)
    SELECT named.context_id, named.module_id, warehouse.block_local_key(named.module_id),
           split_part(warehouse.block_local_key(named.module_id), '/', 1), $1
      FROM named
     WHERE NOT EXISTS (
               SELECT
                 FROM warehouse.block_dim AS known
                WHERE known.context_id = named.context_id
                  AND known.usage_key = named.module_id)
     ORDER BY named.context_id, named.module_id
        ON CONFLICT (context_id, usage_key) DO NOTHING
    RETURNING id
)
SELECT count(*) AS members_inferred
  FROM added;
