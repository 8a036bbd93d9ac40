-- Whether a batch that read its sources earlier may still be transformed.
-- param $1 workflow text
-- param $2 read_number bigint
SELECT EXISTS (SELECT
                 FROM etl.batch AS batch
                WHERE batch.workflow = $1
                  AND batch.read_number < $2
                  AND batch.state IN ('open', 'staged', 'failed')) AS pending_older;
