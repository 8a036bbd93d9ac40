-- Record what a source gave.
-- param $1 batch_id bigint
-- param $2 source text
-- param $3 rows bigint
UPDATE etl.batch_source AS source
   SET rows_staged = $3
 WHERE source.batch_id = $1
   AND source.source = $2;
