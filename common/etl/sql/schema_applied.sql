-- Record an applied schema file, in the transaction that applied it.
-- param $1 component text
-- param $2 number integer
-- param $3 works_from integer
INSERT INTO etl.schema_version (component, number, works_from)
VALUES ($1, $2, $3);
