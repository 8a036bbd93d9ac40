-- Send the sync logs of the window that cannot be staged, each with the first thing wrong about it.
-- on source
-- setting batch_id bigint
-- setting source text
-- setting since timestamptz
-- setting until timestamptz
-- setting clock timestamptz
--
-- The rows are those of synclog_source, the condition is its opposite: each is in one of them.
COPY (
    SELECT current_setting('factline.batch_id')::bigint,
           'synclog'::text,
           current_setting('factline.source'),
           0::bigint,
           judged.column_name,
           judged.reason,
           convert_to(judged.record, 'UTF8'),
           octet_length(convert_to(judged.record, 'UTF8'))::bigint
      FROM (SELECT current_setting('factline.since')::timestamptz AS since,
                   current_setting('factline.until')::timestamptz AS until,
                   current_setting('factline.clock')::timestamptz AS clock) AS run
     CROSS JOIN (SELECT NULL::text AS app_id,
                        NULL::text AS device_id,
                        NULL::boolean AS is_formplayer,
                        NULL::text AS request_user_id) AS lacking
     CROSS JOIN LATERAL (
           SELECT synclog_id::text AS synclog_id, date, domain::text AS domain,
                  user_id::text AS user_id, build_id::text AS build_id, app_id::text AS app_id,
                  duration::bigint AS duration, device_id::text AS device_id, is_formplayer,
                  request_user_id::text AS request_user_id
             FROM public.phone_synclogsql
            WHERE date > run.since
              AND date <= run.until) AS sync
     CROSS JOIN LATERAL (
           SELECT CASE WHEN COALESCE(sync.synclog_id, '') = '' THEN 'synclog_id'
                       WHEN sync.date < '2005-01-01T00:00:00Z'
                         OR sync.date > run.clock + interval '1 day' THEN 'sync_date'
                       ELSE 'duration'
                   END AS column_name,
                  CASE WHEN COALESCE(sync.synclog_id, '') = '' THEN 'missing_field'
                       WHEN sync.date < '2005-01-01T00:00:00Z'
                         OR sync.date > run.clock + interval '1 day' THEN 'time_out_of_range'
                       ELSE 'bad_integer'
                   END AS reason,
                  row_to_json(sync)::text AS record) AS judged
     WHERE (sync.synclog_id <> ''
            AND sync.date >= '2005-01-01T00:00:00Z'
            AND sync.date <= run.clock + interval '1 day'
            AND COALESCE(sync.duration, 0) >= 0) IS NOT TRUE
) TO STDOUT (FORMAT binary);
