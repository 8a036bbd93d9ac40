-- Take turns with the other writers of a table.
-- param $1 target text
SELECT target.name
  FROM etl.target AS target
 WHERE target.name = $1
   FOR UPDATE;
