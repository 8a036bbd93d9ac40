-- The line that a finished step printed.
-- param $1 batch_id bigint
-- param $2 step text
SELECT step.result, step.outcome
  FROM etl.batch_step AS step
 WHERE step.batch_id = $1
   AND step.step = $2
   AND step.outcome IN ('done', 'nothing-to-do')
 ORDER BY step.attempt DESC
 LIMIT 1;
