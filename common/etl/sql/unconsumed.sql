-- The complete batches whose changes a consumer has not derived from yet.
-- param $1 consumer text
SELECT batch.id::text AS id, batch.since, batch.until
  FROM etl.consumer AS consumer
  JOIN etl.batch AS batch
    ON batch.workflow = consumer.source_workflow
   AND batch.state = 'complete'
   AND batch.rows_staged > 0
 WHERE consumer.consumer = $1
   AND NOT EXISTS (SELECT
                     FROM etl.batch_consumption AS consumption
                    WHERE consumption.consumer = consumer.consumer
                      AND consumption.source_batch_id = batch.id)
 ORDER BY batch.id;
