-- Take the rows of a user batch, in the order in which the fields are declared.
COPY staging.user (batch_id, read_number, version_time, line_no, is_tombstone, user_id,
    username, first_name, last_name, email, doc_type, base_doc, domain, assigned_location_ids,
    domain_memberships, is_active, is_staff, is_superuser, last_login, date_joined,
    user_last_modified)
FROM STDIN (FORMAT binary);
