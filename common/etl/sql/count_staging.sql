-- How many rows of a batch are staged now: a crash may have emptied the unlogged table.
-- param $1 feed text
-- param $2 batch_id bigint
SELECT etl.count_staging($1, $2) AS rows;
