-- Each form with its keys resolved.
SELECT form.form_id, form.state, to_char(form.received_on, 'YYYY-MM-DD HH24:MI:SS.US'),
       to_char(form.edited_on, 'YYYY-MM-DD'), to_char(form.deleted_on, 'YYYY-MM-DD'), form.domain, worker.user_id,
       app.application_id, build.application_id, form.app_version, form.commcare_version
  FROM warehouse.form_fact AS form
  JOIN warehouse.user_dim AS worker ON worker.id = form.user_dim_id
  JOIN warehouse.application_dim AS app ON app.id = form.app_dim_id
  JOIN warehouse.application_dim AS build ON build.id = form.build_dim_id
 ORDER BY form.form_id COLLATE "C";
