-- Remove the rejects of an earlier attempt to load this batch.
-- param $1 batch_id bigint
DELETE FROM etl.rejected_row AS rejected
 WHERE rejected.batch_id = $1;
