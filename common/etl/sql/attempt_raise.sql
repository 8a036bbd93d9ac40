-- Raise the attempt, the fencing token: whatever an older attempt still does cannot commit.
-- param $1 batch_id bigint
UPDATE etl.batch AS batch
   SET attempt = batch.attempt + 1
 WHERE batch.id = $1
RETURNING batch.attempt;
