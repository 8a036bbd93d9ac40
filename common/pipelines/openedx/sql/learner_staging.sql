-- Take the rows of a learner batch, in the order in which the fields are declared.
COPY staging.learner (batch_id, read_number, version_time, line_no, is_tombstone, user_id,
    username, is_staff, is_active, date_joined, last_login)
FROM STDIN (FORMAT binary);
