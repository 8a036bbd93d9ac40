-- Write the app status of the users whose forms or sync logs changed, as the definition has it.
-- param $1 batches bigint[]
-- param $2 batch_id bigint
--
-- Batch ids are one series, so forms and sync logs are told apart by their logs. The applications
-- of a touched user are those of the rows there are, and those in the log rows not consumed yet:
-- the last writer of a counted form logged its key, and was either consumed, which made the row,
-- or is still in the log. So no form is missed, whichever batch wrote it.
WITH touched AS MATERIALIZED (
    SELECT log.user_dim_id
      FROM warehouse.form_change_log AS log
     WHERE log.batch_id = ANY ($1)
       AND log.user_dim_id <> 0
     UNION
    SELECT log.user_dim_id
      FROM warehouse.synclog_change_log AS log
     WHERE log.batch_id = ANY ($1)
       AND log.user_dim_id <> 0
), form_batch AS MATERIALIZED (
    SELECT batch.id
      FROM etl.batch AS batch
     WHERE batch.workflow = 'form'
       AND batch.state = 'complete'
       AND (batch.id = ANY ($1)
            OR NOT EXISTS (
                   SELECT
                     FROM etl.batch_consumption AS consumption
                    WHERE consumption.consumer = 'app_status_form'
                      AND consumption.source_batch_id = batch.id))
), named AS (
    SELECT log.user_dim_id, log.app_dim_id
      FROM form_batch
      JOIN warehouse.form_change_log AS log
        ON log.batch_id = form_batch.id
      JOIN touched
        ON touched.user_dim_id = log.user_dim_id
     UNION
    SELECT status.user_dim_id, status.app_dim_id
      FROM touched
      JOIN warehouse.app_status_fact AS status
        ON status.user_dim_id = touched.user_dim_id
), synced AS MATERIALIZED (
    SELECT touched.user_dim_id, newest.sync_date, newest.domain
      FROM touched
      LEFT JOIN LATERAL (
               SELECT sync.sync_date, NULLIF(sync.domain, '') AS domain
                 FROM warehouse.synclog_fact AS sync
                WHERE sync.user_dim_id = touched.user_dim_id
                ORDER BY sync.sync_date DESC, sync.synclog_id DESC
                LIMIT 1) AS newest
        ON true
), counted AS MATERIALIZED (
    SELECT named.user_dim_id, named.app_dim_id, newest.form_id, newest.received_on,
           newest.build_dim_id, newest.app_version, newest.commcare_version, newest.domain
      FROM named
      LEFT JOIN LATERAL (
               SELECT form.form_id, form.received_on, form.build_dim_id, form.app_version,
                      form.commcare_version, NULLIF(form.domain, '') AS domain
                 FROM warehouse.form_fact AS form
                WHERE form.user_dim_id = named.user_dim_id
                  AND form.app_dim_id = named.app_dim_id
                  AND form.state = 1
                  AND form.deleted_on IS NULL
                ORDER BY form.received_on DESC, form.form_id DESC
                LIMIT 1) AS newest
        ON true
), wanted AS (
    SELECT counted.user_dim_id, counted.app_dim_id,
           COALESCE(counted.domain, synced.domain) AS domain,
           counted.received_on AS last_form_submission_date,
           counted.form_id AS last_form_id,
           counted.build_dim_id AS last_form_build_dim_id,
           counted.app_version AS last_form_app_version,
           counted.commcare_version AS last_form_commcare_version,
           synced.sync_date AS last_sync_log_date
      FROM counted
      JOIN synced
        ON synced.user_dim_id = counted.user_dim_id
     WHERE counted.form_id IS NOT NULL
     UNION ALL
    SELECT synced.user_dim_id, 0, synced.domain, NULL, NULL, 0, NULL, NULL, synced.sync_date
      FROM synced
     WHERE synced.sync_date IS NOT NULL
       AND NOT EXISTS (
               SELECT
                 FROM counted
                WHERE counted.user_dim_id = synced.user_dim_id
                  AND counted.form_id IS NOT NULL)
), stored AS (
    SELECT status.user_dim_id, status.app_dim_id, status.domain,
           status.last_form_submission_date, status.last_form_id, status.last_form_build_dim_id,
           status.last_form_app_version, status.last_form_commcare_version,
           status.last_sync_log_date
      FROM touched
      JOIN warehouse.app_status_fact AS status
        ON status.user_dim_id = touched.user_dim_id
), judged AS MATERIALIZED (
    SELECT COALESCE(wanted.user_dim_id, stored.user_dim_id) AS user_dim_id,
           COALESCE(wanted.app_dim_id, stored.app_dim_id) AS app_dim_id,
           wanted.domain, wanted.last_form_submission_date, wanted.last_form_id,
           wanted.last_form_build_dim_id, wanted.last_form_app_version,
           wanted.last_form_commcare_version, wanted.last_sync_log_date,
           CASE WHEN stored.user_dim_id IS NULL THEN 'missing'
                WHEN wanted.user_dim_id IS NULL THEN 'extra'
                WHEN (stored.domain, stored.last_form_submission_date, stored.last_form_id,
                      stored.last_form_build_dim_id, stored.last_form_app_version,
                      stored.last_form_commcare_version, stored.last_sync_log_date)
                     IS DISTINCT FROM
                     (wanted.domain, wanted.last_form_submission_date, wanted.last_form_id,
                      wanted.last_form_build_dim_id, wanted.last_form_app_version,
                      wanted.last_form_commcare_version, wanted.last_sync_log_date)
                THEN 'different'
                ELSE 'same'
            END AS verdict
      FROM wanted
      FULL JOIN stored
        ON stored.user_dim_id = wanted.user_dim_id
       AND stored.app_dim_id = wanted.app_dim_id
), deleted AS (
    DELETE FROM warehouse.app_status_fact AS status
     USING judged
     WHERE judged.verdict = 'extra'
       AND status.user_dim_id = judged.user_dim_id
       AND status.app_dim_id = judged.app_dim_id
    RETURNING 1
), inserted AS (
    INSERT INTO warehouse.app_status_fact (
           user_dim_id, app_dim_id, domain, last_form_submission_date, last_form_id,
           last_form_build_dim_id, last_form_app_version, last_form_commcare_version,
           last_sync_log_date, batch_id)
    SELECT judged.user_dim_id, judged.app_dim_id, judged.domain,
           judged.last_form_submission_date, judged.last_form_id, judged.last_form_build_dim_id,
           judged.last_form_app_version, judged.last_form_commcare_version,
           judged.last_sync_log_date, $2
      FROM judged
     WHERE judged.verdict = 'missing'
     ORDER BY judged.user_dim_id, judged.app_dim_id
    RETURNING 1
), updated AS (
    UPDATE warehouse.app_status_fact AS status
       SET domain = judged.domain,
           last_form_submission_date = judged.last_form_submission_date,
           last_form_id = judged.last_form_id,
           last_form_build_dim_id = judged.last_form_build_dim_id,
           last_form_app_version = judged.last_form_app_version,
           last_form_commcare_version = judged.last_form_commcare_version,
           last_sync_log_date = judged.last_sync_log_date,
           batch_id = $2
      FROM judged
     WHERE judged.verdict = 'different'
       AND status.user_dim_id = judged.user_dim_id
       AND status.app_dim_id = judged.app_dim_id
    RETURNING 1
), examined AS (
    SELECT named.user_dim_id, named.app_dim_id
      FROM named
     UNION
    SELECT judged.user_dim_id, judged.app_dim_id
      FROM judged
)
SELECT (SELECT count(*) FROM examined) AS keys_touched,
       (SELECT count(*) FROM inserted) AS rows_inserted,
       (SELECT count(*) FROM updated) AS rows_updated,
       (SELECT count(*) FROM deleted) AS rows_deleted,
       (SELECT count(*) FROM judged WHERE judged.verdict = 'same') AS rows_unchanged;
