-- What the schema is at; reading it holds it shared until the transaction ends.
-- param $1 component text
SELECT COALESCE(max(version.number), 0) AS number,
       COALESCE(max(version.works_from), 0) AS works_from
  FROM etl.schema_version AS version
 WHERE version.component = $1;
