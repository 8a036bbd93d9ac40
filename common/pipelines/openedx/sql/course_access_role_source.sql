-- Read all roles in courses.
-- on source
COPY (
    SELECT row_to_json(record)::text
      FROM (SELECT role.user_id, role.org, role.course_id, role.role
              FROM public.student_courseaccessrole AS role) AS record
) TO STDOUT;
