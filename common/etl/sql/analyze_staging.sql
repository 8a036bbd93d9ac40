-- Let the planner know the batch.
-- param $1 feed text
SELECT etl.analyze_staging($1);
