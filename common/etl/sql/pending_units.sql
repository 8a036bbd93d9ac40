-- The units that earlier runs of a workflow could not compute.
-- param $1 workflow text
SELECT pending.unit
  FROM etl.pending_unit AS pending
 WHERE pending.workflow = $1
 ORDER BY pending.unit;
