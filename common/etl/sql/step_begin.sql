-- Leave a trace before the work begins.
-- param $1 batch_id bigint
-- param $2 attempt integer
-- param $3 step text
-- param $4 run_key text
-- param $5 try_number integer
-- param $6 host text
INSERT INTO etl.batch_step (batch_id, attempt, step, run_key, try_number, host, backend,
                            backend_start)
SELECT $1, $2, $3, $4, $5, $6, activity.pid, activity.backend_start
  FROM pg_catalog.pg_stat_activity AS activity
 WHERE activity.pid = pg_catalog.pg_backend_pid();
