-- The post moves from the north to the south.
UPDATE locations_sqllocation
   SET parent_id = 101, last_modified = clock_timestamp()
 WHERE location_id = 'b7f1c0';
