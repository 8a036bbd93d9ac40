-- Count where the app status differs from its definition, and what is only waiting to be derived.
WITH pending AS (
    SELECT log.user_dim_id
      FROM etl.batch AS batch
      JOIN warehouse.form_change_log AS log
        ON log.batch_id = batch.id
     WHERE batch.workflow = 'form'
       AND batch.state = 'complete'
       AND NOT EXISTS (
               SELECT
                 FROM etl.batch_consumption AS consumption
                WHERE consumption.consumer = 'app_status_form'
                  AND consumption.source_batch_id = batch.id)
     UNION
    SELECT log.user_dim_id
      FROM etl.batch AS batch
      JOIN warehouse.synclog_change_log AS log
        ON log.batch_id = batch.id
     WHERE batch.workflow = 'synclog'
       AND batch.state = 'complete'
       AND NOT EXISTS (
               SELECT
                 FROM etl.batch_consumption AS consumption
                WHERE consumption.consumer = 'app_status_synclog'
                  AND consumption.source_batch_id = batch.id)
), judged AS (
    SELECT drift.verdict, pending.user_dim_id IS NOT NULL AS is_pending
      FROM warehouse.app_status_drift AS drift
      LEFT JOIN pending
        ON pending.user_dim_id = drift.user_dim_id
)
SELECT count(*) AS rows_checked,
       count(*) FILTER (WHERE judged.verdict = 'missing' AND NOT judged.is_pending)
           AS rows_missing,
       count(*) FILTER (WHERE judged.verdict = 'extra' AND NOT judged.is_pending) AS rows_extra,
       count(*) FILTER (WHERE judged.verdict = 'different' AND NOT judged.is_pending)
           AS rows_different,
       count(*) FILTER (WHERE judged.verdict <> 'same' AND judged.is_pending) AS rows_pending
  FROM judged;
