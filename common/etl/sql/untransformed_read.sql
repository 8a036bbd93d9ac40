-- The first of the reads before this one that is staged and not transformed, or still under way.
-- param $1 workflow text
-- param $2 read_number bigint
SELECT batch.id::text AS id
  FROM etl.batch AS batch
 WHERE batch.workflow = $1
   AND batch.read_number > 0
   AND batch.read_number < $2
   AND batch.state IN ('open', 'staged', 'failed')
   AND (batch.staged_at IS NOT NULL
        OR etl.has_holder(batch.id))
 ORDER BY batch.read_number
 LIMIT 1;
