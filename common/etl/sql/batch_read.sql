-- Give the batch its read number; what it staged before is no longer what it stages.
-- param $1 batch_id bigint
-- param $2 read_number bigint
UPDATE etl.batch AS batch
   SET read_number = $2
 WHERE batch.id = $1;
