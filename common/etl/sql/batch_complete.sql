-- Complete a batch, in the transaction that wrote its data.
-- param $1 batch_id bigint
-- param $2 since timestamptz
-- param $3 until timestamptz
UPDATE etl.batch AS batch
   SET state = 'complete',
       since = $2,
       until = $3,
       completed_at = clock_timestamp()
 WHERE batch.id = $1;
