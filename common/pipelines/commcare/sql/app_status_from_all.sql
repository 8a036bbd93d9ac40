-- Write the whole app status as the definition has it; what is right already is not written.
-- param $1 batch_id bigint
--
-- A repair is of no batch: it passes 0 and leaves NULL.
WITH drift AS MATERIALIZED (
    SELECT drift.user_dim_id, drift.app_dim_id, drift.domain, drift.last_form_submission_date,
           drift.last_form_id, drift.last_form_build_dim_id, drift.last_form_app_version,
           drift.last_form_commcare_version, drift.last_sync_log_date, drift.verdict
      FROM warehouse.app_status_drift AS drift
), deleted AS (
    DELETE FROM warehouse.app_status_fact AS status
     USING drift
     WHERE drift.verdict = 'extra'
       AND status.user_dim_id = drift.user_dim_id
       AND status.app_dim_id = drift.app_dim_id
    RETURNING 1
), inserted AS (
    INSERT INTO warehouse.app_status_fact (
           user_dim_id, app_dim_id, domain, last_form_submission_date, last_form_id,
           last_form_build_dim_id, last_form_app_version, last_form_commcare_version,
           last_sync_log_date, batch_id)
    SELECT drift.user_dim_id, drift.app_dim_id, drift.domain,
           drift.last_form_submission_date, drift.last_form_id, drift.last_form_build_dim_id,
           drift.last_form_app_version, drift.last_form_commcare_version,
           drift.last_sync_log_date, NULLIF($1::bigint, 0)
      FROM drift
     WHERE drift.verdict = 'missing'
     ORDER BY drift.user_dim_id, drift.app_dim_id
    RETURNING 1
), updated AS (
    UPDATE warehouse.app_status_fact AS status
       SET domain = drift.domain,
           last_form_submission_date = drift.last_form_submission_date,
           last_form_id = drift.last_form_id,
           last_form_build_dim_id = drift.last_form_build_dim_id,
           last_form_app_version = drift.last_form_app_version,
           last_form_commcare_version = drift.last_form_commcare_version,
           last_sync_log_date = drift.last_sync_log_date,
           batch_id = NULLIF($1::bigint, 0)
      FROM drift
     WHERE drift.verdict = 'different'
       AND status.user_dim_id = drift.user_dim_id
       AND status.app_dim_id = drift.app_dim_id
    RETURNING 1
)
SELECT (SELECT count(*) FROM drift) AS keys_touched,
       (SELECT count(*) FROM inserted) AS rows_inserted,
       (SELECT count(*) FROM updated) AS rows_updated,
       (SELECT count(*) FROM deleted) AS rows_deleted,
       (SELECT count(*) FROM drift WHERE drift.verdict = 'same') AS rows_unchanged;
