-- Take the rows of a course block batch, in the order in which the fields are declared.
COPY staging.course_block (batch_id, read_number, version_time, line_no, is_tombstone,
    course_id, course_version, published_at, usage_key, block_type, parent, ordinal,
    display_name, has_score, graded, weight, max_score, visible_to_staff_only, extra)
FROM STDIN (FORMAT binary);
