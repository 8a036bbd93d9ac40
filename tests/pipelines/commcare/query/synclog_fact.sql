-- Each sync log with its keys resolved.
SELECT right(sync.synclog_id, 2), to_char(sync.sync_date, 'YYYY-MM-DD HH24:MI:SS'), sync.domain, worker.user_id,
       app.application_id, sync.duration
  FROM warehouse.synclog_fact AS sync
  JOIN warehouse.user_dim AS worker ON worker.id = sync.user_dim_id
  JOIN warehouse.application_dim AS app ON app.id = sync.app_dim_id
 ORDER BY sync.synclog_id COLLATE "C";
