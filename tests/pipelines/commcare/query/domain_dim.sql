-- Each project by its name.
SELECT domain, domain_id, hr_name, is_test, default_timezone, deleted, is_inferred
  FROM warehouse.domain_dim
 WHERE id <> 0
 ORDER BY domain COLLATE "C";
