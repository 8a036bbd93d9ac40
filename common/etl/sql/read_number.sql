-- Draw a read number under the workflow's lock: a greater one read its sources later.
-- param $1 workflow text
UPDATE etl.workflow AS workflow
   SET read_number = workflow.read_number + 1
 WHERE workflow.name = $1
RETURNING workflow.read_number;
