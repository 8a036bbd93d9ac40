-- Close the rejects that a replay is through with. Each is named: others may have come meanwhile.
-- param $1 batch_id bigint
-- param $2 closed bigint[]
UPDATE etl.rejected_row AS rejected
   SET replayed_batch_id = $1
 WHERE rejected.id = ANY ($2);
