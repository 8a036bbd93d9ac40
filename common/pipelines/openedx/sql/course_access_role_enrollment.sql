-- Course staff are enrolled, too, but do not count as learners: mark them, and log whose mark
-- changed.
-- param $1 batch_id bigint
WITH touched AS (
    SELECT DISTINCT role.user_id
      FROM warehouse.course_access_role_dim AS role
     WHERE role.batch_id = $1
), marked AS (
    UPDATE warehouse.enrollment_fact AS enrollment
       SET is_course_staff = NOT enrollment.is_course_staff,
           batch_id = $1
      FROM touched
     WHERE enrollment.user_id = touched.user_id
       AND enrollment.is_course_staff
           <> warehouse.is_course_staff(enrollment.user_id, enrollment.course_id)
    RETURNING enrollment.context_id, enrollment.learner_id
), logged AS (
    INSERT INTO warehouse.learning_change_log (batch_id, context_id, learner_id, metric_date)
    SELECT $1, marked.context_id, marked.learner_id, NULL
      FROM marked
)
SELECT count(*) AS enrollments_marked
  FROM marked;
