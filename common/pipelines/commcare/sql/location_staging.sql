-- Take the rows of a location batch, in the order in which the fields are declared.
COPY staging.location (batch_id, read_number, version_time, line_no, is_tombstone,
    location_id, domain, name, site_code, location_type_id, external_id, supply_point_id,
    user_id, sql_location_id, sql_parent_location_id, location_last_modified,
    location_created_on, is_archived, latitude, longitude, location_type_name,
    location_type_code, location_type_last_modified)
FROM STDIN (FORMAT binary);
