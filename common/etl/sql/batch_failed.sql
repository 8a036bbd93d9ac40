-- Mark a batch failed, where the attempt is still ours and the batch not complete. A step that did
-- end, though its answer was lost, did not fail.
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
   AND batch.state IN ('open', 'staged', 'failed')
   AND EXISTS (SELECT
                 FROM etl.batch_step AS step
                WHERE step.batch_id = batch.id
                  AND step.attempt = batch.attempt
                  AND step.ended_at IS NULL);
