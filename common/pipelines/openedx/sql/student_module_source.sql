-- Read the student modules that were saved in the window, by the index on modified.
-- on source
-- setting since timestamptz
-- setting until timestamptz
COPY (
    SELECT row_to_json(record)::text
      FROM (SELECT module.id, module.module_type, module.module_id, module.student_id,
                   module.state, module.grade, module.max_grade, module.done, module.created,
                   module.modified, module.course_id
              FROM public.courseware_studentmodule AS module
             WHERE module.modified > current_setting('factline.since')::timestamptz
               AND module.modified <= current_setting('factline.until')::timestamptz) AS record
) TO STDOUT;
