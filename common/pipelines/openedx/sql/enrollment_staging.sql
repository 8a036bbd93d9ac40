-- Take the rows of a enrollment batch, in the order in which the fields are declared.
COPY staging.enrollment (batch_id, read_number, version_time, line_no, is_tombstone, source_id,
    user_id, course_id, created, is_active, mode, history_date, is_deleted)
FROM STDIN (FORMAT binary);
