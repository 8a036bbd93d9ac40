-- Take the rows of an application batch, in the order in which the fields are declared.
COPY staging.application (batch_id, read_number, version_time, line_no, is_tombstone,
    application_id, name, domain, doc_type, version, copy_of, application_last_modified)
FROM STDIN (FORMAT binary);
