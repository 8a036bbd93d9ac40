-- Write the app status of the users whose forms or sync logs changed, as the definition has it.
-- param $1 batches bigint[]
-- param $2 batch_id bigint
--
-- Batch ids are one series, so forms and sync logs are told apart by their logs. The applications
-- of a touched user are those of the rows there are, and those in the log rows not consumed yet:
-- the last writer of a counted form logged its key, and was either consumed, which made the row,
-- or is still in the log. So no form is missed, whichever batch wrote it. A user who has none is
-- examined at the unknown application, too. Each lookup is kept as such (LIMIT 1, OFFSET 0), and
-- the newest form is the first that the months, newest first, have in the index: the cost is that
-- of the batch, however large the facts have grown.
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
    -- IS TRUE keeps this lookup, as those below, hashed, whatever the planner thinks of a fresh log
    SELECT log.user_dim_id, log.app_dim_id
      FROM warehouse.form_change_log AS log
     WHERE log.batch_id = ANY (ARRAY(SELECT form_batch.id FROM form_batch))
       AND (log.user_dim_id IN (SELECT touched.user_dim_id FROM touched)) IS TRUE
     UNION
    SELECT touched.user_dim_id, status.app_dim_id
      FROM touched
     CROSS JOIN LATERAL (
               SELECT fact.app_dim_id
                 FROM warehouse.app_status_fact AS fact
                WHERE fact.user_dim_id = touched.user_dim_id
               OFFSET 0) AS status
), counted AS MATERIALIZED (
    SELECT named.user_dim_id, named.app_dim_id, form.form_id, form.received_on,
           form.build_dim_id, form.app_version, form.commcare_version, form.domain
      FROM named
      LEFT JOIN LATERAL (
               SELECT fact.form_id, fact.received_on, fact.build_dim_id, fact.app_version,
                      fact.commcare_version, NULLIF(fact.domain, '') AS domain
                 FROM warehouse.form_fact AS fact
                WHERE fact.user_dim_id = named.user_dim_id
                  AND fact.app_dim_id = named.app_dim_id
                  AND fact.state = 1
                  AND fact.deleted_on IS NULL
                ORDER BY fact.received_on DESC, fact.form_id DESC
                LIMIT 1) AS form
        ON true
), formless AS MATERIALIZED (
    SELECT touched.user_dim_id
      FROM touched
     WHERE (touched.user_dim_id IN (
               SELECT counted.user_dim_id
                 FROM counted
                WHERE counted.form_id IS NOT NULL)) IS NOT TRUE
), examined AS (
    SELECT counted.*, true AS is_named
      FROM counted
     UNION ALL
    SELECT formless.user_dim_id, 0, NULL, NULL, NULL, NULL, NULL, NULL, false
      FROM formless
     WHERE (formless.user_dim_id IN (
               SELECT counted.user_dim_id
                 FROM counted
                WHERE counted.app_dim_id = 0)) IS NOT TRUE
), wanted AS (
    SELECT examined.user_dim_id, examined.app_dim_id, examined.is_named,
           examined.form_id IS NOT NULL
           OR examined.app_dim_id = 0 AND sync.sync_date IS NOT NULL
              AND examined.user_dim_id IN (SELECT formless.user_dim_id FROM formless)
           AS is_wanted,
           COALESCE(examined.domain, sync.domain) AS domain,
           examined.received_on AS last_form_submission_date,
           examined.form_id AS last_form_id,
           COALESCE(examined.build_dim_id, 0) AS last_form_build_dim_id,
           examined.app_version AS last_form_app_version,
           examined.commcare_version AS last_form_commcare_version,
           sync.sync_date AS last_sync_log_date
      FROM examined
      LEFT JOIN LATERAL (
               SELECT fact.sync_date, NULLIF(fact.domain, '') AS domain
                 FROM warehouse.synclog_fact AS fact
                WHERE fact.user_dim_id = examined.user_dim_id
                ORDER BY fact.sync_date DESC, fact.synclog_id DESC
                LIMIT 1) AS sync
        ON true
), judged AS MATERIALIZED (
    SELECT wanted.user_dim_id, wanted.app_dim_id, wanted.is_named, wanted.domain,
           wanted.last_form_submission_date, wanted.last_form_id,
           wanted.last_form_build_dim_id, wanted.last_form_app_version,
           wanted.last_form_commcare_version, wanted.last_sync_log_date,
           CASE WHEN NOT wanted.is_wanted AND stored.user_dim_id IS NULL THEN 'none'
                WHEN stored.user_dim_id IS NULL THEN 'missing'
                WHEN NOT wanted.is_wanted THEN 'extra'
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
      LEFT JOIN LATERAL (
               SELECT fact.user_dim_id, fact.domain, fact.last_form_submission_date,
                      fact.last_form_id, fact.last_form_build_dim_id,
                      fact.last_form_app_version, fact.last_form_commcare_version,
                      fact.last_sync_log_date
                 FROM warehouse.app_status_fact AS fact
                WHERE fact.user_dim_id = wanted.user_dim_id
                  AND fact.app_dim_id = wanted.app_dim_id
                LIMIT 1) AS stored
        ON true
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
)
SELECT (SELECT count(*) FROM judged WHERE judged.is_named OR judged.verdict <> 'none')
           AS keys_touched,
       (SELECT count(*) FROM inserted) AS rows_inserted,
       (SELECT count(*) FROM updated) AS rows_updated,
       (SELECT count(*) FROM deleted) AS rows_deleted,
       (SELECT count(*) FROM judged WHERE judged.verdict = 'same') AS rows_unchanged;
