-- Keep the members of each group of a batch as its row has them; a deleted group has none.
-- param $1 batch_id bigint
WITH touched AS MATERIALIZED (
    SELECT dim.id, dim.domain, dim.user_ids, dim.deleted
      FROM warehouse.group_dim AS dim
     WHERE dim.group_id IN (
               SELECT staged.group_id
                 FROM staging.group AS staged
                WHERE staged.batch_id = $1)
), wanted AS MATERIALIZED (
    SELECT DISTINCT user_dim.id AS user_dim_id, touched.id AS group_dim_id, touched.domain
      FROM touched
     CROSS JOIN unnest(touched.user_ids) AS member (user_id)
      JOIN warehouse.user_dim AS user_dim
        ON user_dim.user_id = member.user_id
     WHERE NOT touched.deleted
       AND member.user_id <> ''
), deleted AS (
    DELETE FROM warehouse.user_group_dim AS bridge
     USING touched
     WHERE bridge.group_dim_id = touched.id
       AND NOT EXISTS (
               SELECT
                 FROM wanted
                WHERE wanted.user_dim_id = bridge.user_dim_id
                  AND wanted.group_dim_id = bridge.group_dim_id)
    RETURNING 1
), written AS (
    INSERT INTO warehouse.user_group_dim AS bridge (user_dim_id, group_dim_id, domain, batch_id)
    SELECT wanted.user_dim_id, wanted.group_dim_id, wanted.domain, $1
      FROM wanted
      LEFT JOIN warehouse.user_group_dim AS stored
        ON stored.user_dim_id = wanted.user_dim_id
       AND stored.group_dim_id = wanted.group_dim_id
     WHERE stored.user_dim_id IS NULL
        OR stored.domain IS DISTINCT FROM wanted.domain
     ORDER BY wanted.user_dim_id, wanted.group_dim_id
        ON CONFLICT (user_dim_id, group_dim_id) DO UPDATE
       SET domain = EXCLUDED.domain,
           batch_id = EXCLUDED.batch_id,
           dim_last_modified = now()
    RETURNING 1
)
SELECT (SELECT count(*) FROM written) AS memberships_written,
       (SELECT count(*) FROM deleted) AS memberships_deleted;
