-- The Application Status: the table, its definition over all facts, and the report.

-- One row per user and application of a counted form; a user with sync logs alone has one row at
-- the unknown application, id 0.
CREATE TABLE warehouse.app_status_fact (
    user_dim_id bigint NOT NULL,
    app_dim_id bigint NOT NULL,
    domain text COLLATE "C",
    last_form_submission_date timestamptz,
    last_form_id text COLLATE "C",
    last_form_build_dim_id bigint NOT NULL,
    last_form_app_version bigint,
    last_form_commcare_version text COLLATE "C",
    last_sync_log_date timestamptz,
    batch_id bigint, -- NULL: written by verify-app-status --repair
    PRIMARY KEY (user_dim_id, app_dim_id)
) WITH (fillfactor = 75);

-- What app_status_fact has to hold, from all facts. The counted forms are read once; the newest one
-- of each user and application is then fetched by the index.
CREATE VIEW warehouse.app_status_definition AS
WITH counted AS (
    SELECT form.user_dim_id, form.app_dim_id, max(form.received_on) AS received_on
      FROM warehouse.form_fact AS form
     WHERE form.state = 1
       AND form.deleted_on IS NULL
       AND form.user_dim_id <> 0
     GROUP BY form.user_dim_id, form.app_dim_id
), synced AS (
    SELECT DISTINCT ON (sync.user_dim_id)
           sync.user_dim_id, sync.sync_date, NULLIF(sync.domain, '') AS domain
      FROM warehouse.synclog_fact AS sync
     WHERE sync.user_dim_id <> 0
     ORDER BY sync.user_dim_id, sync.sync_date DESC, sync.synclog_id DESC
)
SELECT counted.user_dim_id,
       counted.app_dim_id,
       COALESCE(NULLIF(newest.domain, ''), synced.domain) AS domain,
       counted.received_on AS last_form_submission_date,
       newest.form_id AS last_form_id,
       newest.build_dim_id AS last_form_build_dim_id,
       newest.app_version AS last_form_app_version,
       newest.commcare_version AS last_form_commcare_version,
       synced.sync_date AS last_sync_log_date
  FROM counted
 CROSS JOIN LATERAL (
           SELECT form.form_id, form.build_dim_id, form.app_version, form.commcare_version,
                  form.domain
             FROM warehouse.form_fact AS form
            WHERE form.user_dim_id = counted.user_dim_id
              AND form.app_dim_id = counted.app_dim_id
              AND form.received_on = counted.received_on
              AND form.state = 1
              AND form.deleted_on IS NULL
            ORDER BY form.form_id DESC
            LIMIT 1) AS newest
  LEFT JOIN synced
    ON synced.user_dim_id = counted.user_dim_id
 UNION ALL
SELECT synced.user_dim_id, 0, synced.domain, NULL, NULL, 0, NULL, NULL, synced.sync_date
  FROM synced
 WHERE NOT EXISTS (
           SELECT
             FROM counted
            WHERE counted.user_dim_id = synced.user_dim_id);

-- Each row of the table beside what the definition says of it.
CREATE VIEW warehouse.app_status_drift AS
SELECT COALESCE(wanted.user_dim_id, stored.user_dim_id) AS user_dim_id,
       COALESCE(wanted.app_dim_id, stored.app_dim_id) AS app_dim_id,
       wanted.domain,
       wanted.last_form_submission_date,
       wanted.last_form_id,
       wanted.last_form_build_dim_id,
       wanted.last_form_app_version,
       wanted.last_form_commcare_version,
       wanted.last_sync_log_date,
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
  FROM warehouse.app_status_definition AS wanted
  FULL JOIN warehouse.app_status_fact AS stored
    ON stored.user_dim_id = wanted.user_dim_id
   AND stored.app_dim_id = wanted.app_dim_id;

-- Mobile workers that are not deleted, with or without a status. The dimensions are joined when it
-- is read, so one that arrives late repairs it by itself.
CREATE VIEW warehouse.app_status_report AS
SELECT worker.user_id,
       worker.username,
       worker.first_name,
       worker.last_name,
       COALESCE(status.domain, worker.domain) AS domain,
       app.application_id,
       app.name AS application_name,
       COALESCE(build.version, status.last_form_app_version)::text AS application_version,
       status.last_form_commcare_version AS commcare_version,
       status.last_form_submission_date AS last_submission,
       status.last_sync_log_date AS last_sync
  FROM warehouse.user_dim AS worker
  LEFT JOIN warehouse.app_status_fact AS status
    ON status.user_dim_id = worker.id
  LEFT JOIN warehouse.application_dim AS app
    ON app.id = status.app_dim_id
   AND app.id <> 0
  LEFT JOIN warehouse.application_dim AS build
    ON build.id = status.last_form_build_dim_id
   AND build.id <> 0
 WHERE worker.user_type = 'mobile'
   AND NOT worker.deleted;
