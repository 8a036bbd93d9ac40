-- Note a source of a batch with its own window.
-- param $1 batch_id bigint
-- param $2 source text
-- param $3 has_watermark boolean
-- param $4 since timestamptz
-- param $5 until timestamptz
INSERT INTO etl.batch_source (batch_id, source, has_watermark, since, until)
VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (batch_id, source) DO NOTHING;
