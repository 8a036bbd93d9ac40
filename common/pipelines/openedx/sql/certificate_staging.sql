-- Take the rows of a certificate batch, in the order in which the fields are declared.
COPY staging.certificate (batch_id, read_number, version_time, line_no, is_tombstone, user_id,
    course_id, status, created_date)
FROM STDIN (FORMAT binary);
