-- The report as a reader sees it.
SELECT user_id, username, first_name, last_name, domain, application_id, application_name, application_version,
       commcare_version, to_char(last_submission, 'YYYY-MM-DD HH24:MI:SS'), to_char(last_sync, 'YYYY-MM-DD HH24:MI:SS')
  FROM warehouse.app_status_report
 ORDER BY user_id COLLATE "C", application_id COLLATE "C" NULLS FIRST;
