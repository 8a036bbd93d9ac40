-- Each application and build.
SELECT application_id, name, version, copy_of, deleted, is_inferred
  FROM warehouse.application_dim
 WHERE id <> 0
 ORDER BY application_id COLLATE "C";
