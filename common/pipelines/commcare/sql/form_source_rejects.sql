-- Send the forms of the window that cannot be staged, each with the first thing wrong about it.
-- on source
-- setting batch_id bigint
-- setting source text
-- setting since timestamptz
-- setting until timestamptz
-- setting clock timestamptz
--
-- The window is that of form_source and the condition its opposite, so each form is in one of them.
-- It is written so that an index finds the few that are wrong: the open range past the clock would
-- be taken for a third of the table. That numbers are not negative, HQ's own table checks.
COPY (
    WITH run AS MATERIALIZED (
        SELECT current_setting('factline.batch_id')::bigint AS batch_id,
               current_setting('factline.source') AS source,
               current_setting('factline.since')::timestamptz AS since,
               current_setting('factline.until')::timestamptz AS until,
               current_setting('factline.clock')::timestamptz + interval '1 day' AS latest
    )
    SELECT (SELECT run.batch_id FROM run), 'form'::text, (SELECT run.source FROM run), form.id,
           judged.column_name, judged.reason, convert_to(judged.record, 'UTF8'),
           octet_length(convert_to(judged.record, 'UTF8'))::bigint
      FROM (SELECT NULL::timestamptz AS server_modified_on,
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
            WHERE form_id IS NULL
               OR form_id = ''
               OR received_on IS NULL
               OR received_on < '2005-01-01T00:00:00Z'
               OR received_on > (SELECT run.latest FROM run) AND received_on <= 'infinity'
           ) AS form
     CROSS JOIN LATERAL (
           SELECT CASE WHEN COALESCE(form.form_id, '') = '' THEN 'form_id'
                       ELSE 'received_on'
                   END AS column_name,
                  CASE WHEN COALESCE(form.form_id, '') = ''
                         OR form.received_on IS NULL THEN 'missing_field'
                       ELSE 'time_out_of_range'
                   END AS reason,
                  row_to_json(form)::text AS record) AS judged
     WHERE form.received_on > (SELECT run.since FROM run)
       AND form.received_on <= (SELECT run.until FROM run)
        OR form.server_modified_on > (SELECT run.since FROM run)
       AND form.server_modified_on <= (SELECT run.until FROM run)
        OR form.server_modified_on IS NULL
       AND (form.edited_on > (SELECT run.since FROM run)
            AND form.edited_on <= (SELECT run.until FROM run)
            OR form.deleted_on > (SELECT run.since FROM run)
            AND form.deleted_on <= (SELECT run.until FROM run))
        OR (SELECT run.since FROM run) > '-infinity'
       AND form.form_id IN (
               SELECT operation.form_id
                 FROM public.form_processor_xformoperationsql AS operation
                WHERE operation.date > (SELECT run.since FROM run)
                  AND operation.date <= (SELECT run.until FROM run))
) TO STDOUT (FORMAT binary);
