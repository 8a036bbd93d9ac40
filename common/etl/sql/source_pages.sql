-- How many pages a table of the source has; of parts (partitions or heirs), the largest.
-- on source
-- param $1 table text
SELECT COALESCE(max(pg_relation_size(part.oid)), 0)
       / current_setting('block_size')::bigint AS pages
  FROM pg_catalog.pg_class AS part
 WHERE part.oid = to_regclass($1)
    OR part.oid IN (SELECT heir.inhrelid
                      FROM pg_catalog.pg_inherits AS heir
                     WHERE heir.inhparent = to_regclass($1));
