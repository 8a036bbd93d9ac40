-- Where each server source's complete incremental windows of the workflow end.
-- param $1 workflow text
-- param $2 source text
SELECT max(source.until) AS until
  FROM etl.batch_source AS source
  JOIN etl.batch AS batch
    ON batch.id = source.batch_id
 WHERE batch.workflow = $1
   AND batch.kind = 'incremental'
   AND batch.state = 'complete'
   AND source.source = $2
   AND source.has_watermark;
