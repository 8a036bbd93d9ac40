-- Set aside the generations that a newer one replaces, where they did not complete.
-- param $1 workflow text
-- param $2 run_key text
-- param $3 generation integer
UPDATE etl.batch AS batch
   SET state = 'superseded'
 WHERE batch.workflow = $1
   AND batch.run_key = $2
   AND batch.generation < $3
   AND batch.state IN ('open', 'staged', 'failed');
