-- Keep every data transaction out while the schema changes; they hold it shared.
LOCK TABLE etl.schema_version IN ACCESS EXCLUSIVE MODE;
