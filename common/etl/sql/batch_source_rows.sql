-- Record what a source gave, and the header of a table of which records were rejected.
-- param $1 batch_id bigint
-- param $2 source text
-- param $3 rows bigint
-- param $4 table_format text
-- param $5 table_header text
UPDATE etl.batch_source AS source
   SET rows_staged = $3,
       table_format = $4,
       table_header = $5
 WHERE source.batch_id = $1
   AND source.source = $2;
