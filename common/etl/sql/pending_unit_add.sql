-- Leave a unit that could not be computed for the next run.
-- param $1 workflow text
-- param $2 unit text
-- param $3 batch_id bigint
-- param $4 reason text
INSERT INTO etl.pending_unit AS known (workflow, unit, batch_id, reason)
VALUES ($1, $2, $3, $4)
    ON CONFLICT (workflow, unit) DO UPDATE
   SET batch_id = EXCLUDED.batch_id,
       reason = EXCLUDED.reason;
