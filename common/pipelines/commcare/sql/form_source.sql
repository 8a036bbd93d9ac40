-- Read the forms of a shard that were received, saved, archived or unarchived in the window.
-- on source
-- setting batch_id bigint
-- setting read_number bigint
-- setting read_time timestamptz
-- setting since timestamptz
-- setting until timestamptz
-- setting clock timestamptz
--
-- A column that a release lacks is found in lacking instead, since no table inside offers its name.
-- Archiving shows in the operations alone. edited_on and deleted_on have no index and count only
-- for a form that has no server_modified_on. The first window takes all forms by received_on. What
-- this leaves out, form_source_rejects sends.
COPY (
    SELECT current_setting('factline.batch_id')::bigint,
           current_setting('factline.read_number')::bigint,
           current_setting('factline.read_time')::timestamptz,
           form.id,
           false,
           form.form_id,
           form.domain,
           form.app_id,
           form.xmlns,
           form.user_id,
           form.received_on,
           form.deleted_on,
           form.edited_on,
           form.server_modified_on,
           form.time_end,
           form.time_start,
           form.commcare_version,
           form.app_version,
           form.build_id,
           form.state
      FROM (SELECT current_setting('factline.since')::timestamptz AS since,
                   current_setting('factline.until')::timestamptz AS until,
                   current_setting('factline.clock')::timestamptz AS clock) AS run
     CROSS JOIN (SELECT NULL::timestamptz AS server_modified_on,
                        NULL::timestamptz AS time_end,
                        NULL::timestamptz AS time_start,
                        NULL::text AS commcare_version,
                        NULL::bigint AS app_version) AS lacking
     CROSS JOIN LATERAL (
           SELECT id::bigint AS id, form_id::text AS form_id, domain::text AS domain,
                  app_id::text AS app_id, xmlns::text AS xmlns, user_id::text AS user_id,
                  received_on, deleted_on, edited_on, server_modified_on, time_end, time_start,
                  commcare_version::text AS commcare_version, app_version::bigint AS app_version,
                  build_id::text AS build_id, state::bigint AS state
             FROM public.form_processor_xforminstancesql
            WHERE received_on > run.since AND received_on <= run.until
               OR server_modified_on > run.since AND server_modified_on <= run.until
               OR server_modified_on IS NULL
                  AND (edited_on > run.since AND edited_on <= run.until
                       OR deleted_on > run.since AND deleted_on <= run.until)
            UNION ALL
           SELECT id::bigint, form_id::text, domain::text, app_id::text, xmlns::text,
                  user_id::text, received_on, deleted_on, edited_on, server_modified_on,
                  time_end, time_start, commcare_version::text, app_version::bigint,
                  build_id::text, state::bigint
             FROM public.form_processor_xforminstancesql
            WHERE run.since > '-infinity'
              AND form_id IN (
                      SELECT operation.form_id
                        FROM public.form_processor_xformoperationsql AS operation
                       WHERE operation.date > run.since
                         AND operation.date <= run.until)
              AND (received_on > run.since AND received_on <= run.until
                   OR server_modified_on > run.since AND server_modified_on <= run.until
                   OR server_modified_on IS NULL
                      AND (edited_on > run.since AND edited_on <= run.until
                           OR deleted_on > run.since AND deleted_on <= run.until)) IS NOT TRUE
           ) AS form
     WHERE (form.form_id <> ''
            AND form.received_on >= '2005-01-01T00:00:00Z'
            AND form.received_on <= run.clock + interval '1 day'
            AND form.state >= 0
            AND COALESCE(form.app_version, 0) >= 0) IS TRUE
) TO STDOUT (FORMAT binary);
