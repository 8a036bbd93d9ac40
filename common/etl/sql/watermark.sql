-- Where the newest complete incremental window of a source ends, and when it was opened. The id of
-- its batch tells which is the newest: ends and times follow clocks, which may be set back.
-- param $1 workflow text
-- param $2 source text
SELECT source.until, batch.opened_at, clock_timestamp() AS clock
  FROM etl.batch AS batch
  JOIN etl.batch_source AS source
    ON source.batch_id = batch.id
 WHERE batch.workflow = $1
   AND batch.kind = 'incremental'
   AND batch.state = 'complete'
   AND source.source = $2
   AND source.has_watermark
 ORDER BY batch.id DESC
 LIMIT 1;
