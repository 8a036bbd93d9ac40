-- The complete batches whose window ends in (from, to], consumed or not; a log that was cleared
-- cannot be read again.
-- param $1 consumer text
-- param $2 since timestamptz
-- param $3 until timestamptz
SELECT batch.id::text AS id, batch.since, batch.until,
       batch.log_cleared_at IS NOT NULL AS is_log_cleared
  FROM etl.consumer AS consumer
  JOIN etl.batch AS batch
    ON batch.workflow = consumer.source_workflow
   AND batch.state = 'complete'
   AND batch.rows_staged > 0
 WHERE consumer.consumer = $1
   AND batch.until > $2
   AND batch.until <= $3
 ORDER BY batch.id;
