-- The latest attempt on a batch that has not ended, and whether its session still lives.
-- param $1 batch_id bigint
SELECT step.attempt, step.run_key, step.try_number, step.backend, step.step,
       EXISTS (SELECT
                 FROM pg_catalog.pg_stat_activity AS activity
                WHERE activity.pid = step.backend
                  AND activity.backend_start = step.backend_start) AS is_alive
  FROM etl.batch_step AS step
 WHERE step.batch_id = $1
   AND step.ended_at IS NULL
 ORDER BY step.attempt DESC
 LIMIT 1;
