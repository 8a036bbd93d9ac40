-- The latest snapshot time that any batch of the workflow had of a source: a later snapshot is
-- never given an earlier time, though the source's clock was set back.
-- param $1 workflow text
-- param $2 source text
SELECT max(source.clock) AS clock
  FROM etl.batch_source AS source
  JOIN etl.batch AS batch
    ON batch.id = source.batch_id
 WHERE batch.workflow = $1
   AND source.source = $2;
