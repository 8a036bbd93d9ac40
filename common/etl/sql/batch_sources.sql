-- The windows of a batch's sources, as they were fixed when it was opened.
-- param $1 batch_id bigint
SELECT source.source, source.has_watermark, source.since, source.until
  FROM etl.batch_source AS source
 WHERE source.batch_id = $1
 ORDER BY source.source;
