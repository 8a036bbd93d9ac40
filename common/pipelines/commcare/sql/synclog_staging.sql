-- Take the rows of a synclog batch, in the order in which the fields are declared.
COPY staging.synclog (batch_id, read_number, version_time, line_no, is_tombstone, synclog_id,
    sync_date, domain, user_id, build_id, app_id, duration, device_id, is_formplayer,
    request_user_id)
FROM STDIN (FORMAT binary);
