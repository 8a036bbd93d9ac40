-- Take the rows of a group batch, in the order in which the fields are declared.
COPY staging.group (batch_id, read_number, version_time, line_no, is_tombstone, group_id,
    name, domain, doc_type, user_ids, removed_user_ids, case_sharing, reporting,
    group_last_modified)
FROM STDIN (FORMAT binary);
