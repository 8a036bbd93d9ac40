-- Take the rows of a domain batch, in the order in which the fields are declared.
COPY staging.domain (batch_id, read_number, version_time, line_no, is_tombstone, domain_id,
    domain, default_timezone, hr_name, creating_user_id, project_type, doc_type, is_active,
    case_sharing, commtrack_enabled, is_test, location_restriction_for_users, use_sql_backend,
    first_domain_for_user, domain_last_modified, domain_created_on)
FROM STDIN (FORMAT binary);
