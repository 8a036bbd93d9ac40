-- Take the rows of a form batch, in the order in which the fields are declared.
COPY staging.form (batch_id, read_number, version_time, line_no, is_tombstone, form_id,
    domain, app_id, xmlns, user_id, received_on, deleted_on, edited_on, server_modified_on,
    time_end, time_start, commcare_version, app_version, build_id, state)
FROM STDIN (FORMAT binary);
