-- The status of each user and application.
SELECT worker.user_id, app.application_id, status.last_form_id,
       to_char(status.last_form_submission_date, 'YYYY-MM-DD HH24:MI:SS.US'), build.application_id,
       status.last_form_app_version, status.last_form_commcare_version,
       to_char(status.last_sync_log_date, 'YYYY-MM-DD HH24:MI:SS'), status.domain
  FROM warehouse.app_status_fact AS status
  JOIN warehouse.user_dim AS worker ON worker.id = status.user_dim_id
  JOIN warehouse.application_dim AS app ON app.id = status.app_dim_id
  JOIN warehouse.application_dim AS build ON build.id = status.last_form_build_dim_id
 ORDER BY worker.user_id COLLATE "C", app.application_id COLLATE "C";
