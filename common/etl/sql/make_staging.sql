-- Make the batch's part of staging, or empty it of what an earlier try left.
-- param $1 feed text
-- param $2 batch_id bigint
SELECT etl.make_staging($1, $2);
