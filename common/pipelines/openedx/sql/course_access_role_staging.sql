-- Take the rows of a course access role batch, in the order in which the fields are declared.
COPY staging.course_access_role (batch_id, read_number, version_time, line_no, is_tombstone,
    user_id, org, course_id, role)
FROM STDIN (FORMAT binary);
