-- End the session of an orphaned older try; the start time makes sure that it is still that one.
-- param $1 batch_id bigint
-- param $2 attempt integer
SELECT pg_catalog.pg_terminate_backend(activity.pid)::integer AS ended
  FROM etl.batch_step AS step
  JOIN pg_catalog.pg_stat_activity AS activity
    ON activity.pid = step.backend
   AND activity.backend_start = step.backend_start
 WHERE step.batch_id = $1
   AND step.attempt = $2;
