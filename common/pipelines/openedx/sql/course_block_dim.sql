-- Show each course as its newest published version has it, block by block.
-- param $1 batch_id bigint
--
-- A batch holds the whole structure of its courses; of several versions of one the greatest counts.
-- From the roots down each block learns its subsection and section, whether it is hidden from
-- learners, and the nearest ancestor that shows only some of its children.
WITH RECURSIVE staged AS MATERIALIZED (
    SELECT context.id AS context_id, line.course_version, line.usage_key, line.block_type,
           line.parent, line.ordinal, line.display_name, line.has_score, line.graded, line.weight,
           line.max_score, line.visible_to_staff_only, line.extra, line.version_time,
           line.read_number, line.line_no
      FROM staging.course_block AS line
      JOIN warehouse.learning_context_dim AS context
        ON context.context_key = line.course_id
     WHERE line.batch_id = $1
), winner AS MATERIALIZED (
    -- course_version_dim has judged: the versions of this batch that are shown
    SELECT newest.context_id, newest.course_version, shown.id IS NULL AS is_older
      FROM (SELECT DISTINCT ON (staged.context_id)
                   staged.context_id, staged.course_version
              FROM staged
             ORDER BY staged.context_id, staged.version_time DESC, staged.read_number DESC,
                      staged.line_no DESC) AS newest
      LEFT JOIN warehouse.course_version_dim AS shown
        ON shown.context_id = newest.context_id
       AND shown.course_version = newest.course_version
       AND shown.is_current
       AND shown.batch_id = $1
), line AS MATERIALIZED (
    SELECT DISTINCT ON (staged.context_id, staged.usage_key)
           staged.*, winner.is_older
      FROM staged
      JOIN winner
        ON winner.context_id = staged.context_id
       AND winner.course_version = staged.course_version
     ORDER BY staged.context_id, staged.usage_key, staged.version_time DESC,
              staged.read_number DESC, staged.line_no DESC
), block AS MATERIALIZED (
    SELECT line.context_id, line.usage_key, line.parent,
           COALESCE(known.id, nextval('warehouse.block_dim_id_seq')) AS id,
           known.id IS NULL AS is_new,
           COALESCE(line.block_type,
                    split_part(warehouse.block_local_key(line.usage_key), '/', 1)) AS block_type,
           line.ordinal, line.display_name, COALESCE(line.has_score, false) AS has_score,
           COALESCE(line.graded, false) AS graded, line.weight, line.max_score,
           COALESCE(line.visible_to_staff_only, false) AS is_hidden,
           COALESCE((line.extra ->> 'max_count')::bigint, 1) AS max_count
      FROM line
      LEFT JOIN warehouse.block_dim AS known
        ON known.context_id = line.context_id
       AND known.usage_key = line.usage_key
     WHERE NOT line.is_older
), tree AS (
    SELECT block.context_id, block.usage_key, block.id, block.block_type, 0::bigint AS parent_id,
           CASE WHEN block.block_type = 'chapter' THEN block.id ELSE 0 END AS section_id,
           CASE WHEN block.block_type = 'sequential' THEN block.id ELSE 0 END AS subsection_id,
           0::bigint AS random_id, block.is_hidden
      FROM block
     WHERE NOT EXISTS (
               SELECT
                 FROM block AS parent
                WHERE parent.context_id = block.context_id
                  AND parent.usage_key = block.parent)
     UNION ALL
    SELECT block.context_id, block.usage_key, block.id, block.block_type, tree.id,
           CASE WHEN block.block_type = 'chapter' THEN block.id ELSE tree.section_id END,
           CASE WHEN block.block_type = 'sequential' THEN block.id ELSE tree.subsection_id END,
           CASE WHEN tree.block_type IN ('library_content', 'itembank') THEN tree.id
                ELSE tree.random_id
            END,
           block.is_hidden OR tree.is_hidden
      FROM tree
      JOIN block
        ON block.context_id = tree.context_id
       AND block.parent = tree.usage_key
), wanted AS MATERIALIZED (
    -- blocks around a ring hang on no root: they have no subsection, and count for nothing
    SELECT block.context_id, block.usage_key, block.id, block.is_new,
           warehouse.block_local_key(block.usage_key) AS local_key, block.block_type,
           block.display_name, COALESCE(tree.parent_id, 0) AS parent_block_id,
           COALESCE(tree.subsection_id, 0) AS subsection_block_id,
           COALESCE(tree.section_id, 0) AS section_block_id,
           COALESCE(tree.random_id, 0) AS random_parent_block_id,
           block.has_score, block.graded, block.weight, block.max_score,
           COALESCE(tree.is_hidden, block.is_hidden) AS staff_only, block.ordinal,
           CASE WHEN block.block_type IN ('library_content', 'itembank') THEN block.max_count END
               AS max_count,
           true AS in_structure
      FROM block
      LEFT JOIN tree
        ON tree.id = block.id
), inserted AS (
    INSERT INTO warehouse.block_dim (
           id, context_id, usage_key, local_key, block_type, display_name, parent_block_id,
           subsection_block_id, section_block_id, random_parent_block_id, has_score, graded,
           weight, max_score, staff_only, ordinal, max_count, in_structure, batch_id)
    SELECT wanted.id, wanted.context_id, wanted.usage_key, wanted.local_key, wanted.block_type,
           wanted.display_name, wanted.parent_block_id, wanted.subsection_block_id,
           wanted.section_block_id, wanted.random_parent_block_id, wanted.has_score,
           wanted.graded, wanted.weight, wanted.max_score, wanted.staff_only, wanted.ordinal,
           wanted.max_count, wanted.in_structure, $1
      FROM wanted
     WHERE wanted.is_new
     ORDER BY wanted.context_id, wanted.usage_key
    RETURNING 1
), updated AS (
    UPDATE warehouse.block_dim AS stored
       SET block_type = wanted.block_type,
           display_name = wanted.display_name,
           parent_block_id = wanted.parent_block_id,
           subsection_block_id = wanted.subsection_block_id,
           section_block_id = wanted.section_block_id,
           random_parent_block_id = wanted.random_parent_block_id,
           has_score = wanted.has_score,
           graded = wanted.graded,
           weight = wanted.weight,
           max_score = wanted.max_score,
           staff_only = wanted.staff_only,
           ordinal = wanted.ordinal,
           max_count = wanted.max_count,
           in_structure = true,
           dim_last_modified = now(),
           batch_id = $1
      FROM wanted
     WHERE stored.id = wanted.id
       AND NOT wanted.is_new
       AND (stored.block_type, stored.display_name, stored.parent_block_id,
            stored.subsection_block_id, stored.section_block_id, stored.random_parent_block_id,
            stored.has_score, stored.graded, stored.weight, stored.max_score, stored.staff_only,
            stored.ordinal, stored.max_count, stored.in_structure)
           IS DISTINCT FROM
           (wanted.block_type, wanted.display_name, wanted.parent_block_id,
            wanted.subsection_block_id, wanted.section_block_id, wanted.random_parent_block_id,
            wanted.has_score, wanted.graded, wanted.weight, wanted.max_score, wanted.staff_only,
            wanted.ordinal, wanted.max_count, wanted.in_structure)
    RETURNING 1
), unchanged AS (
    SELECT count(*) AS blocks
      FROM wanted
      JOIN warehouse.block_dim AS stored
        ON stored.id = wanted.id
     WHERE (stored.block_type, stored.display_name, stored.parent_block_id,
            stored.subsection_block_id, stored.section_block_id, stored.random_parent_block_id,
            stored.has_score, stored.graded, stored.weight, stored.max_score, stored.staff_only,
            stored.ordinal, stored.max_count, stored.in_structure)
           IS NOT DISTINCT FROM
           (wanted.block_type, wanted.display_name, wanted.parent_block_id,
            wanted.subsection_block_id, wanted.section_block_id, wanted.random_parent_block_id,
            wanted.has_score, wanted.graded, wanted.weight, wanted.max_score, wanted.staff_only,
            wanted.ordinal, wanted.max_count, wanted.in_structure)
), judgement AS (
    SELECT count(*) AS keys, count(*) FILTER (WHERE line.is_older) AS older
      FROM line
), counted AS (
    SELECT count(*) AS lines
      FROM staging.course_block AS line
     WHERE line.batch_id = $1
)
SELECT counted.lines AS rows_staged,
       (SELECT count(*) FROM inserted) AS rows_inserted,
       (SELECT count(*) FROM updated) AS rows_updated,
       unchanged.blocks AS rows_unchanged,
       counted.lines - judgement.keys AS rows_duplicate,
       judgement.older AS rows_older
  FROM counted
 CROSS JOIN judgement
 CROSS JOIN unchanged;
