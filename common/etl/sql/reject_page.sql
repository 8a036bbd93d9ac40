-- The next open rejects of a feed, oldest first, each with what its version would have been and, of
-- a table, its header.
-- param $1 feed text
-- param $2 after_id bigint
-- param $3 format text
-- param $4 batch_id bigint
-- param $5 replay_id bigint
--
-- A record may have a mebibyte, so they come in small helpings. Those of a load that failed come
-- again with its next try. Those that a replay has closed are open to that replay again, whose
-- staging may be lost, and to all once it is given up.
SELECT rejected.id, rejected.position, encode(rejected.bytes, 'hex') AS bytes,
       batch.own_times, batch.read_number,
       COALESCE(source.clock, batch.until) AS clock,
       source.table_format AS format,
       source.table_header AS header
  FROM etl.rejected_row AS rejected
  JOIN etl.batch AS batch
    ON batch.id = rejected.batch_id
   AND (batch.state IN ('staged', 'complete')
        OR batch.state = 'failed' AND batch.failed_step <> 'load-staging')
  LEFT JOIN etl.batch_source AS source
    ON source.batch_id = rejected.batch_id
   AND source.source = rejected.source
  LEFT JOIN etl.batch AS replay
    ON replay.id = rejected.replayed_batch_id
 WHERE rejected.feed = $1
   AND rejected.id > $2
   AND ($3::text IS NULL OR COALESCE(source.table_format, 'ndjson') = $3)
   AND ($4::bigint IS NULL OR rejected.batch_id = $4)
   AND (replay.id IS NULL OR replay.id = $5 OR replay.state = 'superseded')
   AND rejected.sha256 IS NULL
 ORDER BY rejected.id
 LIMIT 8;
