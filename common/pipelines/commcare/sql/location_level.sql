-- Place each location of a batch, and all below it, in the tree: its ancestors and its depth.
-- param $1 batch_id bigint
--
-- A parent that is not known yet ends the climb, and its arrival touches all below it. A location
-- that is its own ancestor ends it, too. Of two rows of one SQL id the live, newer one is meant.
WITH RECURSIVE touched AS (
    SELECT dim.id, dim.sql_location_id
      FROM warehouse.location_dim AS dim
     WHERE dim.location_id IN (
               SELECT staged.location_id
                 FROM staging.location AS staged
                WHERE staged.batch_id = $1)
     UNION
    SELECT child.id, child.sql_location_id
      FROM touched
      JOIN warehouse.location_dim AS child
        ON child.sql_parent_location_id = touched.sql_location_id
), climb AS (
    SELECT dim.id, dim.sql_parent_location_id, ARRAY[dim.id] AS path
      FROM touched
      JOIN warehouse.location_dim AS dim
        ON dim.id = touched.id
     UNION ALL
    SELECT climb.id, parent.sql_parent_location_id, climb.path || parent.id
      FROM climb
     CROSS JOIN LATERAL (
               SELECT dim.id, dim.sql_parent_location_id
                 FROM warehouse.location_dim AS dim
                WHERE dim.sql_location_id = climb.sql_parent_location_id
                ORDER BY dim.deleted, dim.version_time DESC, dim.read_number DESC, dim.id
                LIMIT 1) AS parent
     WHERE parent.id <> ALL (climb.path)
), placed AS (
    SELECT DISTINCT ON (climb.id) climb.id, climb.path
      FROM climb
     ORDER BY climb.id, cardinality(climb.path) DESC
), written AS (
    UPDATE warehouse.location_dim AS dim
       SET level = cardinality(placed.path) - 1,
           location_level_0 = placed.path[1],
           location_level_1 = placed.path[2],
           location_level_2 = placed.path[3],
           location_level_3 = placed.path[4],
           location_level_4 = placed.path[5],
           location_level_5 = placed.path[6],
           location_level_6 = placed.path[7],
           location_level_7 = placed.path[8],
           batch_id = $1,
           dim_last_modified = now()
      FROM placed
     WHERE dim.id = placed.id
       AND (dim.level, dim.location_level_0, dim.location_level_1, dim.location_level_2,
            dim.location_level_3, dim.location_level_4, dim.location_level_5,
            dim.location_level_6, dim.location_level_7)
           IS DISTINCT FROM
           (cardinality(placed.path) - 1, placed.path[1], placed.path[2], placed.path[3],
            placed.path[4], placed.path[5], placed.path[6], placed.path[7], placed.path[8])
    RETURNING 1
)
SELECT count(*) AS locations_placed
  FROM written;
