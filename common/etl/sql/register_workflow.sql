-- Enter a compiled-in workflow in the ledger, or its newer declaration.
-- param $1 workflow text
-- param $2 pipeline text
-- param $3 kind text
-- param $4 target text
-- param $5 change_log text
INSERT INTO etl.workflow AS known (name, pipeline, kind, target, change_log)
VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (name) DO UPDATE
   SET pipeline = EXCLUDED.pipeline,
       kind = EXCLUDED.kind,
       target = EXCLUDED.target,
       change_log = EXCLUDED.change_log
 WHERE (known.pipeline, known.kind, known.target, known.change_log)
       IS DISTINCT FROM
       (EXCLUDED.pipeline, EXCLUDED.kind, EXCLUDED.target, EXCLUDED.change_log);
