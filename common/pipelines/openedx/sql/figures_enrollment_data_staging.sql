-- Take the rows of an export of Figures, in the order in which the fields are declared.
COPY staging.figures_enrollment_data (batch_id, read_number, version_time, line_no, is_tombstone,
    user_id, course_id, date_for, date_enrolled, is_enrolled, is_completed, progress_percent,
    points_possible, points_earned, sections_possible, sections_worked)
FROM STDIN (FORMAT binary);
