-- Send the sync logs of the window that cannot be staged, each with the first thing wrong.
-- on source
-- setting batch_id bigint
-- setting source text
-- setting since timestamptz
-- setting until timestamptz
-- setting clock timestamptz
--
-- The rows are those of synclog_source, the condition is its opposite: each is in one of them. A
-- sync log without a date is in no window; the first one tells of those there are.
COPY (
    WITH run AS MATERIALIZED (
        SELECT current_setting('factline.batch_id')::bigint AS batch_id,
               current_setting('factline.source') AS source,
               current_setting('factline.since')::timestamptz AS since,
               current_setting('factline.until')::timestamptz AS until,
               current_setting('factline.clock')::timestamptz + interval '1 day' AS latest
    )
    SELECT (SELECT run.batch_id FROM run), 'synclog'::text, (SELECT run.source FROM run), 0::bigint,
           judged.column_name, judged.reason, convert_to(judged.record, 'UTF8'),
           octet_length(convert_to(judged.record, 'UTF8'))::bigint
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
            WHERE date > (SELECT run.since FROM run)
              AND date <= (SELECT run.until FROM run)
               OR date IS NULL
              AND (SELECT run.since FROM run) = '-infinity') AS sync
     CROSS JOIN LATERAL (
           SELECT CASE WHEN COALESCE(sync.synclog_id, '') = '' THEN 'synclog_id'
                       WHEN sync.date IS NULL
                         OR sync.date < '2005-01-01T00:00:00Z'
                         OR sync.date > (SELECT run.latest FROM run) THEN 'sync_date'
                       ELSE 'duration'
                   END AS column_name,
                  CASE WHEN COALESCE(sync.synclog_id, '') = ''
                         OR sync.date IS NULL THEN 'missing_field'
                       WHEN sync.date < '2005-01-01T00:00:00Z'
                         OR sync.date > (SELECT run.latest FROM run) THEN 'time_out_of_range'
                       ELSE 'bad_integer'
                   END AS reason,
                  row_to_json(sync)::text AS record) AS judged
     WHERE (sync.synclog_id <> ''
            AND sync.date >= '2005-01-01T00:00:00Z'
            AND sync.date <= (SELECT run.latest FROM run)
            AND COALESCE(sync.duration, 0) >= 0) IS NOT TRUE
) TO STDOUT (FORMAT binary);
