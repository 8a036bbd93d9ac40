-- Mark a batch failed, where the attempt is still ours and it is not complete.
-- param $1 batch_id bigint
-- param $2 attempt integer
-- param $3 step text
-- param $4 status integer
-- param $5 sqlstate text
-- param $6 reason text
UPDATE etl.batch AS batch
   SET state = 'failed',
       failed_at = clock_timestamp(),
       failed_step = $3,
       failed_status = $4,
       failed_sqlstate = NULLIF($5, ''),
       failed_reason = $6
 WHERE batch.id = $1
   AND batch.attempt = $2
   AND batch.state IN ('open', 'staged', 'failed');
