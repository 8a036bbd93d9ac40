-- Take hold of a batch's row; whoever else wants it waits.
-- param $1 batch_id bigint
SELECT batch.id, batch.workflow, batch.run_key, batch.generation, batch.fingerprint,
       batch.kind = 'backfill' AS is_backfill, batch.since, batch.until, batch.read_number,
       batch.state, batch.attempt, batch.own_times, batch.rows_staged,
       batch.staged_at IS NOT NULL AS is_staged,
       batch.log_cleared_at IS NOT NULL AS is_log_cleared
  FROM etl.batch AS batch
 WHERE batch.id = $1
   FOR UPDATE;
