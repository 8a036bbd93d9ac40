-- Read the sync logs whose date is in the window; their documents are large and are not read.
-- on source
-- setting since timestamptz
-- setting until timestamptz
-- setting clock timestamptz
-- setting first_page bigint
-- setting end_page bigint
--
-- Two arms: the first window has no beginning and goes through the table, or the part of it that a
-- session has. Another window is a range of date itself, so each weekly child answers by its index.
-- A column that a release lacks is found in lacking instead, since no table inside offers its name.
-- Settings are read once, in run: a filter would read them for each row. What this leaves out,
-- synclog_source_rejects sends.
COPY (
    WITH run AS MATERIALIZED (
        SELECT current_setting('factline.since')::timestamptz AS since,
               current_setting('factline.until')::timestamptz AS until,
               current_setting('factline.clock')::timestamptz + interval '1 day' AS latest,
               ('(' || current_setting('factline.first_page') || ',0)')::tid AS first_row,
               ('(' || current_setting('factline.end_page') || ',0)')::tid AS end_row
    )
    SELECT sync.synclog_id, sync.date, sync.domain, sync.user_id, sync.build_id, sync.app_id,
           sync.duration, sync.device_id, sync.is_formplayer, sync.request_user_id
      FROM (SELECT NULL::text AS app_id,
                   NULL::text AS device_id,
                   NULL::boolean AS is_formplayer,
                   NULL::text AS request_user_id) AS lacking
     CROSS JOIN LATERAL (
           SELECT synclog_id::text AS synclog_id, date, domain::text AS domain,
                  user_id::text AS user_id, build_id::text AS build_id, app_id::text AS app_id,
                  duration::bigint AS duration, device_id::text AS device_id, is_formplayer,
                  request_user_id::text AS request_user_id
             FROM public.phone_synclogsql
            WHERE (SELECT run.since FROM run) = '-infinity'
              AND date <= (SELECT run.until FROM run)
              AND ctid >= (SELECT run.first_row FROM run)
              AND ctid < (SELECT run.end_row FROM run)
            UNION ALL
           SELECT synclog_id::text, date, domain::text, user_id::text, build_id::text,
                  app_id::text, duration::bigint, device_id::text, is_formplayer,
                  request_user_id::text
             FROM public.phone_synclogsql
            WHERE (SELECT run.since FROM run) > '-infinity'
              AND date > (SELECT run.since FROM run)
              AND date <= (SELECT run.until FROM run)
           ) AS sync
     WHERE (sync.synclog_id <> ''
            AND sync.date >= '2005-01-01T00:00:00Z'
            AND sync.date <= (SELECT run.latest FROM run)
            AND COALESCE(sync.duration, 0) >= 0) IS TRUE
) TO STDOUT (FORMAT binary);
