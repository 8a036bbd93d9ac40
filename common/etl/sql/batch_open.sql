-- Open a batch, unless the run key has one of this generation: then no row comes back.
-- param $1 workflow text
-- param $2 run_key text
-- param $3 generation integer
-- param $4 fingerprint text
-- param $5 is_backfill boolean
-- param $6 since timestamptz
-- param $7 until timestamptz
-- param $8 own_times boolean
INSERT INTO etl.batch (workflow, run_key, generation, fingerprint, kind, since, until, own_times)
VALUES ($1, $2, $3, $4, CASE WHEN $5 THEN 'backfill' ELSE 'incremental' END, $6, $7, $8)
    ON CONFLICT (workflow, run_key, generation) DO NOTHING
RETURNING id;
