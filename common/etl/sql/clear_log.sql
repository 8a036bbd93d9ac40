-- Drop change log rows that every registered consumer has consumed.
-- param $1 workflow text
WITH over AS (
    SELECT batch.id, workflow.change_log
      FROM etl.batch AS batch
      JOIN etl.workflow AS workflow
        ON workflow.name = batch.workflow
       AND workflow.change_log IS NOT NULL
     WHERE ($1::text IS NULL OR batch.workflow = $1)
       AND batch.state = 'complete'
       AND batch.log_cleared_at IS NULL
       AND NOT EXISTS (SELECT
                         FROM etl.consumer AS consumer
                        WHERE consumer.source_workflow = batch.workflow
                          AND batch.rows_staged > 0
                          AND NOT EXISTS (SELECT
                                            FROM etl.batch_consumption AS consumption
                                           WHERE consumption.consumer = consumer.consumer
                                             AND consumption.source_batch_id = batch.id))
     ORDER BY batch.id
       FOR UPDATE OF batch SKIP LOCKED
), cleared AS (
    UPDATE etl.batch AS batch
       SET log_cleared_at = clock_timestamp()
      FROM over
     WHERE batch.id = over.id
), deleted AS MATERIALIZED (
    SELECT etl.delete_log(over.change_log, over.id) AS rows
      FROM over
)
SELECT COALESCE(sum(deleted.rows), 0)::bigint AS rows_deleted
  FROM deleted;
