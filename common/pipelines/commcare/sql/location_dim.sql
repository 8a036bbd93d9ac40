-- Keep each location as the greatest version of its document has it.
-- param $1 batch_id bigint
-- param $2 pending_older boolean
-- param $3 own_times boolean
WITH incoming AS (
    SELECT DISTINCT ON (staged.location_id)
           staged.location_id, staged.domain, staged.name, staged.site_code, staged.external_id,
           staged.supply_point_id, staged.sql_location_id, staged.sql_parent_location_id,
           staged.location_type_id, staged.location_type_name, staged.location_type_code,
           staged.is_archived,
           CASE WHEN length(staged.latitude) <= 60 THEN staged.latitude::numeric END AS latitude,
           CASE WHEN length(staged.longitude) <= 60 THEN staged.longitude::numeric END AS longitude,
           staged.location_created_on, staged.location_last_modified,
           staged.version_time, staged.read_number
      FROM staging.location AS staged
     WHERE staged.batch_id = $1
       AND NOT staged.is_tombstone
     ORDER BY staged.location_id, staged.version_time DESC, staged.read_number DESC,
              staged.line_no DESC
), judged AS MATERIALIZED (
    SELECT incoming.*, stored.id, fate.deleted,
           CASE WHEN stored.id IS NULL THEN 'new'
                WHEN (incoming.version_time, incoming.read_number)
                     < (stored.version_time, stored.read_number) THEN 'older'
                WHEN (incoming.version_time, incoming.read_number)
                     = (stored.version_time, stored.read_number) THEN 'same'
                WHEN (incoming.domain, incoming.name, incoming.site_code, incoming.external_id,
                      incoming.supply_point_id, incoming.sql_location_id,
                      incoming.sql_parent_location_id, incoming.location_type_id,
                      incoming.location_type_name, incoming.location_type_code,
                      incoming.is_archived, incoming.latitude, incoming.longitude,
                      incoming.location_created_on, incoming.location_last_modified,
                      fate.deleted, false)
                     IS DISTINCT FROM
                     (stored.domain, stored.name, stored.site_code, stored.external_id,
                      stored.supply_point_id, stored.sql_location_id,
                      stored.sql_parent_location_id, stored.location_type_id,
                      stored.location_type_name, stored.location_type_code, stored.is_archived,
                      stored.latitude, stored.longitude, stored.location_created_on,
                      stored.location_last_modified, stored.deleted, stored.is_inferred)
                THEN 'changed'
                WHEN $2 OR $3 AND incoming.version_time > stored.version_time THEN 'raised'
                ELSE 'same'
            END AS verdict
      FROM incoming
      LEFT JOIN warehouse.location_dim AS stored
        ON stored.location_id = incoming.location_id
     CROSS JOIN LATERAL (
           SELECT COALESCE((stored.gone_version_time, stored.gone_read_number)
                    > (incoming.version_time, incoming.read_number), false) AS deleted
           ) AS fate
), inserted AS (
    INSERT INTO warehouse.location_dim (
           location_id, domain, name, site_code, external_id, supply_point_id, sql_location_id,
           sql_parent_location_id, location_type_id, location_type_name, location_type_code,
           is_archived, latitude, longitude, location_created_on, location_last_modified,
           deleted, version_time, read_number, batch_id)
    SELECT judged.location_id, judged.domain, judged.name, judged.site_code, judged.external_id,
           judged.supply_point_id, judged.sql_location_id, judged.sql_parent_location_id,
           judged.location_type_id, judged.location_type_name, judged.location_type_code,
           judged.is_archived, judged.latitude, judged.longitude, judged.location_created_on,
           judged.location_last_modified, judged.deleted, judged.version_time,
           judged.read_number, $1
      FROM judged
     WHERE judged.verdict = 'new'
     ORDER BY judged.location_id
    RETURNING 1
), rewritten AS (
    -- a raised version keeps the batch id
    UPDATE warehouse.location_dim AS dim
       SET domain = judged.domain,
           name = judged.name,
           site_code = judged.site_code,
           external_id = judged.external_id,
           supply_point_id = judged.supply_point_id,
           sql_location_id = judged.sql_location_id,
           sql_parent_location_id = judged.sql_parent_location_id,
           location_type_id = judged.location_type_id,
           location_type_name = judged.location_type_name,
           location_type_code = judged.location_type_code,
           is_archived = judged.is_archived,
           latitude = judged.latitude,
           longitude = judged.longitude,
           location_created_on = judged.location_created_on,
           location_last_modified = judged.location_last_modified,
           deleted = judged.deleted,
           is_inferred = false,
           version_time = judged.version_time,
           read_number = judged.read_number,
           dim_last_modified = CASE judged.verdict WHEN 'changed' THEN now()
                               ELSE dim.dim_last_modified END,
           batch_id = CASE judged.verdict WHEN 'changed' THEN $1 ELSE dim.batch_id END
      FROM judged
     WHERE judged.verdict IN ('changed', 'raised')
       AND dim.id = judged.id
    RETURNING judged.verdict
), judgement AS (
    SELECT count(*) AS keys,
           count(*) FILTER (WHERE judged.verdict = 'same') AS same,
           count(*) FILTER (WHERE judged.verdict = 'older') AS older
      FROM judged
), written AS (
    SELECT count(*) FILTER (WHERE rewritten.verdict = 'changed') AS changed,
           count(*) FILTER (WHERE rewritten.verdict = 'raised') AS raised
      FROM rewritten
), staged AS (
    SELECT count(*) AS lines
      FROM staging.location AS line
     WHERE line.batch_id = $1
       AND NOT line.is_tombstone
)
SELECT staged.lines AS rows_staged,
       (SELECT count(*) FROM inserted) AS rows_inserted,
       written.changed AS rows_updated,
       judgement.same + written.raised AS rows_unchanged,
       staged.lines - judgement.keys AS rows_duplicate,
       judgement.older AS rows_older
  FROM staged
 CROSS JOIN judgement
 CROSS JOIN written;
