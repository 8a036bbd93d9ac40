-- Record the time of a source's snapshot, before anything is read.
-- param $1 batch_id bigint
-- param $2 source text
-- param $3 clock timestamptz
UPDATE etl.batch_source AS source
   SET clock = $3
 WHERE source.batch_id = $1
   AND source.source = $2;
