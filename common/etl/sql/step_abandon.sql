-- Close what attempts left open that did not come back.
-- param $1 batch_id bigint
UPDATE etl.batch_step AS step
   SET ended_at = clock_timestamp(),
       outcome = 'abandoned'
 WHERE step.batch_id = $1
   AND step.ended_at IS NULL;
