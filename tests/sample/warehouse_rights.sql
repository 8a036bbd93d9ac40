-- SPDX-License-Identifier: MIT
-- What each role may do in the warehouse; run by its owner after migrate-warehouse, as often as you
-- like: psql -v loader=ROLE -v reader=ROLE -f warehouse_rights.sql
\set ON_ERROR_STOP on

-- The loader runs all tasks but migrate-warehouse. It makes no tables: the parts of staging and the
-- months of the facts are made for it by functions, which run with the owner's rights.
GRANT USAGE ON SCHEMA etl, staging, warehouse TO :"loader";
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA etl, staging, warehouse TO :"loader";
GRANT USAGE, UPDATE ON ALL SEQUENCES IN SCHEMA warehouse TO :"loader";
GRANT EXECUTE ON FUNCTION etl.make_month(text, date), etl.make_staging(text, bigint),
    etl.analyze_staging(text, bigint), etl.drop_staging(text, bigint) TO :"loader";

-- The reader sees the report and nothing else; no rejected record, which may hold personal data.
GRANT USAGE ON SCHEMA warehouse TO :"reader";
GRANT SELECT ON warehouse.app_status_report TO :"reader";
