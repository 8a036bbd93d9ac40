-- Drop the staging of batches that are over, or too old to be worth keeping.
-- param $1 workflow text
-- param $2 keep_staging interval
WITH over AS (
    SELECT batch.id, batch.workflow
      FROM etl.batch AS batch
      JOIN etl.workflow AS workflow
        ON workflow.name = batch.workflow
       AND workflow.kind = 'feed'
     WHERE ($1::text IS NULL OR batch.workflow = $1)
       AND batch.staging_cleared_at IS NULL
       AND batch.staged_at IS NOT NULL
       AND (batch.state IN ('complete', 'superseded')
            OR batch.staged_at < clock_timestamp() - $2::interval)
     ORDER BY batch.id
       FOR UPDATE OF batch SKIP LOCKED
), cleared AS (
    UPDATE etl.batch AS batch
       SET staging_cleared_at = clock_timestamp()
      FROM over
     WHERE batch.id = over.id
       AND batch.state IN ('complete', 'superseded')
), deleted AS MATERIALIZED (
    SELECT etl.delete_staging(over.workflow, over.id) AS rows
      FROM over
)
SELECT COALESCE(sum(deleted.rows), 0)::bigint AS rows_deleted
  FROM deleted;
