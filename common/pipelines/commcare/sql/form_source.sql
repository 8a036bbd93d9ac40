-- Read the forms of a shard that were received, saved, archived or unarchived in the window.
-- on source
-- setting since timestamptz
-- setting until timestamptz
-- setting clock timestamptz
-- setting first_page bigint
-- setting end_page bigint
--
-- Three arms. The first window has no beginning and goes through the table, or the part of it that
-- a session has. Another window goes by the indexes of its times; edited_on and
-- deleted_on have none, and count only for a form that has no server_modified_on. The third is what
-- archiving moves: the operations, nothing else; the first window has all their forms.
-- A column that a release lacks is found in lacking instead, since no table inside offers its name.
-- Settings are read once, in run: a filter would read them for each row. What this leaves out,
-- form_source_rejects sends.
COPY (
    WITH run AS MATERIALIZED (
        SELECT current_setting('factline.since')::timestamptz AS since,
               current_setting('factline.until')::timestamptz AS until,
               current_setting('factline.clock')::timestamptz + interval '1 day' AS latest,
               ('(' || current_setting('factline.first_page') || ',0)')::tid AS first_row,
               ('(' || current_setting('factline.end_page') || ',0)')::tid AS end_row
    )
    SELECT form.form_id, form.domain, form.app_id, form.xmlns, form.user_id, form.received_on,
           form.deleted_on, form.edited_on, form.server_modified_on, form.time_end,
           form.time_start, form.commcare_version, form.app_version, form.build_id, form.state
      FROM (SELECT NULL::timestamptz AS server_modified_on,
                   NULL::timestamptz AS time_end,
                   NULL::timestamptz AS time_start,
                   NULL::text AS commcare_version,
                   NULL::bigint AS app_version) AS lacking
     CROSS JOIN LATERAL (
           SELECT form_id::text AS form_id, domain::text AS domain, app_id::text AS app_id,
                  xmlns::text AS xmlns, user_id::text AS user_id, received_on, deleted_on,
                  edited_on, server_modified_on, time_end, time_start,
                  commcare_version::text AS commcare_version, app_version::bigint AS app_version,
                  build_id::text AS build_id, state::bigint AS state
             FROM public.form_processor_xforminstancesql
            WHERE (SELECT run.since FROM run) = '-infinity'
              AND (received_on <= (SELECT run.until FROM run)
                   OR server_modified_on <= (SELECT run.until FROM run)
                   OR server_modified_on IS NULL
                   AND (edited_on <= (SELECT run.until FROM run)
                        OR deleted_on <= (SELECT run.until FROM run)))
              AND ctid >= (SELECT run.first_row FROM run)
              AND ctid < (SELECT run.end_row FROM run)
            UNION ALL
           SELECT form_id::text, domain::text, app_id::text, xmlns::text, user_id::text,
                  received_on, deleted_on, edited_on, server_modified_on, time_end, time_start,
                  commcare_version::text, app_version::bigint, build_id::text, state::bigint
             FROM public.form_processor_xforminstancesql
            WHERE (SELECT run.since FROM run) > '-infinity'
              AND (received_on > (SELECT run.since FROM run)
                   AND received_on <= (SELECT run.until FROM run)
                   OR server_modified_on > (SELECT run.since FROM run)
                   AND server_modified_on <= (SELECT run.until FROM run)
                   OR server_modified_on IS NULL
                   AND (edited_on > (SELECT run.since FROM run)
                        AND edited_on <= (SELECT run.until FROM run)
                        OR deleted_on > (SELECT run.since FROM run)
                        AND deleted_on <= (SELECT run.until FROM run)))
            UNION ALL
           SELECT form_id::text, domain::text, app_id::text, xmlns::text, user_id::text,
                  received_on, deleted_on, edited_on, server_modified_on, time_end, time_start,
                  commcare_version::text, app_version::bigint, build_id::text, state::bigint
             FROM public.form_processor_xforminstancesql
            WHERE (SELECT run.since FROM run) > '-infinity'
              AND form_id IN (
                      SELECT operation.form_id
                        FROM public.form_processor_xformoperationsql AS operation
                       WHERE operation.date > (SELECT run.since FROM run)
                         AND operation.date <= (SELECT run.until FROM run))
              AND (received_on > (SELECT run.since FROM run)
                   AND received_on <= (SELECT run.until FROM run)
                   OR server_modified_on > (SELECT run.since FROM run)
                   AND server_modified_on <= (SELECT run.until FROM run)
                   OR server_modified_on IS NULL
                   AND (edited_on > (SELECT run.since FROM run)
                        AND edited_on <= (SELECT run.until FROM run)
                        OR deleted_on > (SELECT run.since FROM run)
                        AND deleted_on <= (SELECT run.until FROM run)))
                  IS NOT TRUE
           ) AS form
     WHERE (form.form_id <> ''
            AND form.received_on >= '2005-01-01T00:00:00Z'
            AND form.received_on <= (SELECT run.latest FROM run)) IS TRUE
) TO STDOUT (FORMAT binary);
