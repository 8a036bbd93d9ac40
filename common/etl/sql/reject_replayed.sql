-- Close the rejects that were staged now; those that failed again stay open.
-- param $1 feed text
-- param $2 batch_id bigint
-- param $3 last_id bigint
-- param $4 failed bigint[]
UPDATE etl.rejected_row AS rejected
   SET replayed_batch_id = $2
  FROM etl.batch AS batch
 WHERE batch.id = rejected.batch_id
   AND batch.state IN ('staged', 'complete')
   AND rejected.feed = $1
   AND rejected.id <= $3
   AND rejected.id <> ALL ($4)
   AND NOT rejected.is_table
   AND rejected.replayed_batch_id IS NULL
   AND rejected.sha256 IS NULL;
