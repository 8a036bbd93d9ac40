-- Record what was staged, in the transaction that staged it. Nothing staged completes the batch.
-- param $1 batch_id bigint
-- param $2 rows_read bigint
-- param $3 rows_staged bigint
-- param $4 rows_rejected bigint
-- param $5 rows_skipped bigint
UPDATE etl.batch AS batch
   SET state = CASE WHEN $3::bigint = 0 THEN 'complete' ELSE 'staged' END,
       rows_read = $2,
       rows_staged = $3::bigint,
       rows_rejected = $4,
       rows_skipped = $5,
       staged_at = clock_timestamp(),
       completed_at = CASE WHEN $3::bigint = 0 THEN clock_timestamp() END
 WHERE batch.id = $1;
