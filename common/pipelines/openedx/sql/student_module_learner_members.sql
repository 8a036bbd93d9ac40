-- Infer the learners that the student modules of a batch name and that are not known yet.
-- param $1 batch_id bigint
WITH named AS (
    SELECT DISTINCT staged.student_id AS user_id
      FROM staging.student_module AS staged
     WHERE staged.batch_id = $1
), added AS (
    INSERT INTO warehouse.learner_dim (user_id, is_inferred, version_time, read_number, batch_id)
    SELECT named.user_id, true, '-infinity', 0, $1
      FROM named
     WHERE NOT EXISTS (
               SELECT
                 FROM warehouse.learner_dim AS known
                WHERE known.user_id = named.user_id)
     ORDER BY named.user_id
        ON CONFLICT (user_id) DO NOTHING
    RETURNING id
)
SELECT count(*) AS members_inferred
  FROM added;
