-- Enter a reader of a change log: from now on its log rows wait for it.
-- param $1 consumer text
-- param $2 source_workflow text
INSERT INTO etl.consumer (consumer, source_workflow)
VALUES ($1, $2)
    ON CONFLICT (consumer, source_workflow) DO NOTHING;
