-- The first of the reads before this one that is staged and not transformed, or still under way.
-- param $1 workflow text
-- param $2 read_number bigint
SELECT batch.id::text AS id
  FROM etl.batch AS batch
 WHERE batch.workflow = $1
   AND batch.read_number > 0
   AND batch.read_number < $2
   AND batch.state IN ('open', 'staged', 'failed')
   AND (batch.staged_at IS NOT NULL
        OR EXISTS (SELECT
                     FROM etl.batch_step AS step
                     JOIN pg_catalog.pg_stat_activity AS activity
                       ON activity.pid = step.backend
                      AND activity.backend_start = step.backend_start
                    WHERE step.batch_id = batch.id
                      AND step.ended_at IS NULL))
 ORDER BY batch.read_number
 LIMIT 1;
