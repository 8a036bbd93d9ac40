-- Close an attempt with what it printed.
-- param $1 batch_id bigint
-- param $2 attempt integer
-- param $3 outcome text
-- param $4 result text
UPDATE etl.batch_step AS step
   SET ended_at = clock_timestamp(),
       outcome = $3,
       status = 0,
       result = $4
 WHERE step.batch_id = $1
   AND step.attempt = $2;
