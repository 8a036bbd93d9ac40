-- Infer the learning contexts that the student modules of a batch name and that are not known yet.
-- param $1 batch_id bigint
SELECT made.members_inferred, made.case_variant
  FROM warehouse.infer_contexts(
           ARRAY(SELECT DISTINCT staged.course_id
                   FROM staging.student_module AS staged
                  WHERE staged.batch_id = $1), $1) AS made;
