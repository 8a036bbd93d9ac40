-- Forget the files of an extract that an earlier try was given: the next may come in others.
-- param $1 batch_id bigint
-- param $2 source text
DELETE FROM etl.batch_source AS file
 WHERE file.batch_id = $1
   AND file.source <> $2;
