-- Each place with its way to the root.
SELECT place.location_id, place.name, place.location_type_name, place.level, parent.location_id, place.is_inferred
  FROM warehouse.location_dim AS place
  LEFT JOIN warehouse.location_dim AS parent ON parent.id = place.location_level_1
 WHERE place.id <> 0
 ORDER BY place.location_id COLLATE "C";
