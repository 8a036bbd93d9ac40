-- A run key for a run that nobody named.
SELECT 'auto/' || gen_random_uuid()::text AS run_key;
