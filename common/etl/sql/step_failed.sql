-- Close an attempt with its failure; the reason holds no data.
-- param $1 batch_id bigint
-- param $2 attempt integer
-- param $3 status integer
-- param $4 sqlstate text
-- param $5 reason text
UPDATE etl.batch_step AS step
   SET ended_at = clock_timestamp(),
       outcome = 'failed',
       status = $3,
       sqlstate = NULLIF($4, ''),
       reason = $5
 WHERE step.batch_id = $1
   AND step.attempt = $2
   AND step.ended_at IS NULL;
