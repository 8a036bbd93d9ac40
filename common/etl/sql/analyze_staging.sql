-- Let the planner know the batch.
-- param $1 feed text
-- param $2 batch_id bigint
SELECT etl.analyze_staging($1, $2);
