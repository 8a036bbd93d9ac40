-- Each user, with or without a document.
SELECT user_id, user_type, username, first_name, last_name, is_active, deleted, is_inferred
  FROM warehouse.user_dim
 WHERE id <> 0
 ORDER BY user_id COLLATE "C";
