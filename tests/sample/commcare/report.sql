-- SPDX-License-Identifier: MIT
-- The Application Status report for a person's eyes: one line per project, then 25 lines spread
-- evenly over the report, from the newest submission to workers who never submitted.
-- psql -v as_of=TIME -f report.sql
\set ON_ERROR_STOP on
\pset footer off
\pset null '---'
SET TIME ZONE 'UTC';
SELECT to_char(:'as_of'::timestamptz, 'YYYY-MM-DD HH24:MI') AS as_of_text \gset

\echo
\echo 'Application Status as of' :as_of_text 'UTC, by project'
\echo
WITH worker AS (
    SELECT report.domain, report.user_id,
           :'as_of'::timestamptz - max(report.last_submission) AS silence,
           max(report.last_submission) AS last_submission,
           max(report.last_sync) AS last_sync
      FROM warehouse.app_status_report AS report
     GROUP BY report.domain, report.user_id
)
SELECT worker.domain AS "project",
       count(*) AS "workers",
       count(*) FILTER (WHERE silence <= '3 days') AS "active",
       count(*) FILTER (WHERE silence > '3 days' AND silence <= '7 days') AS "silent > 3 days",
       count(*) FILTER (WHERE silence > '7 days') AS "silent > 7 days",
       count(*) FILTER (WHERE silence IS NULL) AS "never submitted",
       count(*) FILTER (WHERE last_sync IS NULL) AS "never synced",
       to_char(max(last_submission), 'YYYY-MM-DD HH24:MI') AS "newest submission"
  FROM worker
 GROUP BY worker.domain
 ORDER BY worker.domain;

SELECT count(*) AS total, least(count(*), 25) AS shown FROM warehouse.app_status_report \gset
\echo :shown 'of' :total 'lines of the report, newest submission first'
\echo
WITH line AS (
    SELECT report.*,
           :'as_of'::timestamptz - report.last_submission AS silence,
           row_number() OVER (ORDER BY report.last_submission DESC NULLS LAST,
                                       report.last_sync DESC NULLS LAST,
                                       report.username, report.application_id) AS place
      FROM warehouse.app_status_report AS report
)
SELECT line.domain AS "project",
       split_part(line.username, '@', 1) AS "worker",
       line.application_name AS "application",
       line.application_version AS "version",
       line.commcare_version AS "CommCare",
       to_char(line.last_submission, 'YYYY-MM-DD HH24:MI') AS "last submission",
       CASE WHEN line.last_submission IS NULL THEN NULL
            WHEN line.silence < interval '2 days'
            THEN extract(hour FROM line.silence) + 24 * extract(day FROM line.silence) || ' h ago'
            ELSE extract(day FROM line.silence) || ' d ago'
       END AS "age",
       to_char(line.last_sync, 'YYYY-MM-DD HH24:MI') AS "last sync"
  FROM line
 WHERE :total <= 25 OR line.place * 25 / :total > (line.place - 1) * 25 / :total
 ORDER BY line.place;
