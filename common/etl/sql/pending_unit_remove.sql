-- A unit could be computed: nothing of it is left for the next run.
-- param $1 workflow text
-- param $2 unit text
DELETE FROM etl.pending_unit AS pending
 WHERE pending.workflow = $1
   AND pending.unit = $2;
