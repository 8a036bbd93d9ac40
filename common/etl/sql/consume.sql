-- Record what is derived from, before it is read: what completes meanwhile is left for next time.
-- param $1 consumer text
-- param $2 batches bigint[]
-- param $3 batch_id bigint
INSERT INTO etl.batch_consumption AS known (consumer, source_batch_id, batch_id)
SELECT $1, source.id, $3
  FROM unnest($2::bigint[]) AS source (id)
 ORDER BY source.id
    ON CONFLICT (consumer, source_batch_id) DO UPDATE
   SET batch_id = EXCLUDED.batch_id,
       consumed_at = EXCLUDED.consumed_at;
