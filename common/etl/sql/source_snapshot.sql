-- Let other sessions see what this one sees.
-- on source
SELECT pg_export_snapshot() AS snapshot;
