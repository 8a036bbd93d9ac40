-- Whether a consumer has ever derived anything; the first time it starts from all facts.
-- param $1 consumer text
SELECT EXISTS (SELECT
                 FROM etl.batch_consumption AS consumption
                WHERE consumption.consumer = $1) AS has_consumed;
