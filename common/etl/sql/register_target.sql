-- Enter a table whose writers take turns.
-- param $1 target text
INSERT INTO etl.target (name)
VALUES ($1)
    ON CONFLICT (name) DO NOTHING;
