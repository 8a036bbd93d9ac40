-- Whether the ledger was ever created here.
SELECT to_regclass('etl.schema_version') IS NOT NULL AS is_there;
