-- Take the rows of a student module history batch, in the order in which the fields are declared.
COPY staging.student_module_history (batch_id, read_number, version_time, line_no, is_tombstone,
    source_id, student_module_id, version, created, state, grade, max_grade, source_table)
FROM STDIN (FORMAT binary);
