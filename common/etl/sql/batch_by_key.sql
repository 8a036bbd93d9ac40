-- The batch of a run key: its latest generation.
-- param $1 workflow text
-- param $2 run_key text
SELECT batch.id, batch.workflow, batch.run_key, batch.generation, batch.fingerprint,
       batch.kind = 'backfill' AS is_backfill, batch.since, batch.until, batch.read_number,
       batch.state, batch.attempt, batch.own_times, batch.rows_staged,
       batch.staged_at IS NOT NULL AS is_staged,
       batch.log_cleared_at IS NOT NULL AS is_log_cleared
  FROM etl.batch AS batch
 WHERE batch.workflow = $1
   AND batch.run_key = $2
 ORDER BY batch.generation DESC
 LIMIT 1;
