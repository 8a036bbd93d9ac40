-- Drop rejects past their retention.
-- param $1 workflow text
-- param $2 keep_rejects interval
WITH deleted AS (
    DELETE FROM etl.rejected_row AS rejected
     WHERE ($1::text IS NULL OR rejected.feed = $1)
       AND rejected.rejected_at < clock_timestamp() - $2::interval
    RETURNING rejected.id
)
SELECT count(*) AS rows_deleted
  FROM deleted;
