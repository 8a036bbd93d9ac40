-- Read all enrollments: their table says nothing of when a row changed.
-- on source
COPY (
    SELECT row_to_json(record)::text
      FROM (SELECT enrollment.id, enrollment.user_id, enrollment.course_id, enrollment.created,
                   enrollment.is_active, enrollment.mode
              FROM public.student_courseenrollment AS enrollment) AS record
) TO STDOUT;
