-- Drop the staging of the next batch that is over, or too old to be worth keeping.
-- param $1 workflow text
-- param $2 keep_staging interval
-- param $3 after bigint
--
-- In the order of their ids, after that of the last. One batch in a transaction: its locks exclude
-- others for as long as that takes. No row says that there is none left; rows_deleted is NULL where
-- the staging is in use or a session works on the batch, which may be between two transactions.
-- None begins to while its row is locked.
WITH over AS MATERIALIZED (
    SELECT batch.id, batch.workflow
      FROM etl.batch AS batch
      JOIN etl.workflow AS workflow
        ON workflow.name = batch.workflow
       AND workflow.kind = 'feed'
     WHERE ($1::text IS NULL OR batch.workflow = $1)
       AND batch.id > $3
       AND batch.staging_cleared_at IS NULL
       AND (batch.state IN ('complete', 'superseded')
            OR COALESCE(batch.staged_at, batch.opened_at) < clock_timestamp() - $2::interval)
     ORDER BY batch.id
     LIMIT 1
       FOR UPDATE OF batch SKIP LOCKED
), dropped AS MATERIALIZED (
    SELECT over.id,
           CASE WHEN NOT etl.has_holder(over.id) THEN etl.drop_staging(over.workflow, over.id) END
           AS rows
      FROM over
), cleared AS (
    UPDATE etl.batch AS batch
       SET staging_cleared_at = clock_timestamp()
      FROM dropped
     WHERE batch.id = dropped.id
       AND dropped.rows IS NOT NULL
       AND batch.state IN ('complete', 'superseded')
)
SELECT dropped.id::text AS id, dropped.rows AS rows_deleted
  FROM dropped;
