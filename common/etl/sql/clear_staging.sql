-- Drop the staging of a hundred batches that are over, or too old to be worth keeping.
-- param $1 workflow text
-- param $2 keep_staging interval
-- param $3 after bigint
--
-- A hundred at a time, in the order of their ids: each part that is dropped takes locks of its own,
-- of which the server has some thousands. after is the last that was looked at; the last of these
-- is NULL where there was none. An old batch that somebody loads just now is not dropped.
WITH over AS (
    SELECT batch.id, batch.workflow
      FROM etl.batch AS batch
      JOIN etl.workflow AS workflow
        ON workflow.name = batch.workflow
       AND workflow.kind = 'feed'
     WHERE ($1::text IS NULL OR batch.workflow = $1)
       AND batch.id > $3
       AND batch.staging_cleared_at IS NULL
       AND (batch.state IN ('complete', 'superseded')
            OR COALESCE(batch.staged_at, batch.opened_at) < clock_timestamp() - $2::interval
            AND NOT EXISTS (SELECT
                              FROM etl.batch_step AS step
                             WHERE step.batch_id = batch.id
                               AND step.ended_at IS NULL
                               AND step.started_at >= clock_timestamp() - $2::interval))
     ORDER BY batch.id
     LIMIT 100
       FOR UPDATE OF batch SKIP LOCKED
), dropped AS MATERIALIZED (
    SELECT over.id, etl.drop_staging(over.workflow, over.id) AS rows
      FROM over
), cleared AS (
    UPDATE etl.batch AS batch
       SET staging_cleared_at = clock_timestamp()
      FROM dropped
     WHERE batch.id = dropped.id
       AND dropped.rows IS NOT NULL
       AND batch.state IN ('complete', 'superseded')
)
SELECT COALESCE(sum(dropped.rows), 0)::bigint AS rows_deleted,
       count(*) FILTER (WHERE dropped.rows IS NULL) AS batches_in_use,
       max(dropped.id) AS last
  FROM dropped;
