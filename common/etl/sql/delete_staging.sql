-- Remove a batch's staged rows.
-- param $1 feed text
-- param $2 batch_id bigint
SELECT etl.delete_staging($1, $2) AS deleted;
