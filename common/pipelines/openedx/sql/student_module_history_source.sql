-- Read the history rows that were made in the window, of both tables.
-- on source
-- setting since timestamptz
-- setting until timestamptz
COPY (
    SELECT row_to_json(record)::text
      FROM (SELECT history.id, history.student_module_id, history.version, history.created,
                   history.state, history.grade, history.max_grade, 'csmh' AS source_table
              FROM public.courseware_studentmodulehistory AS history
             WHERE history.created > current_setting('factline.since')::timestamptz
               AND history.created <= current_setting('factline.until')::timestamptz
             UNION ALL
            SELECT history.id, history.student_module_id, history.version, history.created,
                   history.state, history.grade, history.max_grade, 'csmhe'
              FROM public.coursewarehistoryextended_studentmodulehistoryextended AS history
             WHERE history.created > current_setting('factline.since')::timestamptz
               AND history.created <= current_setting('factline.until')::timestamptz) AS record
) TO STDOUT;
