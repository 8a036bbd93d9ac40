-- Keep the first thousand rejects of a batch that had too many.
-- param $1 batch_id bigint
DELETE FROM etl.rejected_row AS rejected
 WHERE rejected.batch_id = $1
   AND rejected.id > (SELECT max(first.id)
                        FROM (SELECT kept.id
                                FROM etl.rejected_row AS kept
                               WHERE kept.batch_id = $1
                               ORDER BY kept.id
                               LIMIT 1000) AS first);
