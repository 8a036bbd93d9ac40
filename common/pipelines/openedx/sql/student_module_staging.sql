-- Take the rows of a student module batch, in the order in which the fields are declared.
COPY staging.student_module (batch_id, read_number, version_time, line_no, is_tombstone,
    source_id, module_type, module_id, student_id, state, grade, max_grade, done, created,
    modified, course_id, is_deleted, user_agent)
FROM STDIN (FORMAT binary);
