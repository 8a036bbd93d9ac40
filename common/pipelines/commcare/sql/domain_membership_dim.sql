-- Keep the project memberships of each user of a batch as the winning document has them.
-- param $1 batch_id bigint
--
-- A mobile worker is in one project and no administrator of it. A deleted user's rows are marked.
WITH touched AS MATERIALIZED (
    SELECT dim.id, dim.doc_type, dim.domain, dim.domain_memberships, dim.deleted
      FROM warehouse.user_dim AS dim
     WHERE dim.user_id IN (
               SELECT staged.user_id
                 FROM staging.user AS staged
                WHERE staged.batch_id = $1)
), member AS (
    SELECT touched.id AS user_dim_id, touched.domain, false AS is_domain_admin, touched.deleted
      FROM touched
     WHERE touched.doc_type LIKE 'CommCareUser%'
     UNION ALL
    SELECT touched.id, (membership.entry ->> 'domain') COLLATE "C",
           COALESCE((membership.entry ->> 'is_admin')::boolean, false), touched.deleted
      FROM touched
     CROSS JOIN jsonb_array_elements(touched.domain_memberships) AS membership (entry)
     WHERE touched.doc_type LIKE 'WebUser%'
), wanted AS MATERIALIZED (
    SELECT member.user_dim_id, member.domain, bool_or(member.is_domain_admin) AS is_domain_admin,
           member.deleted
      FROM member
     WHERE member.domain <> ''
     GROUP BY member.user_dim_id, member.domain, member.deleted
), deleted AS (
    DELETE FROM warehouse.domain_membership_dim AS bridge
     USING touched
     WHERE bridge.user_dim_id = touched.id
       AND NOT EXISTS (
               SELECT
                 FROM wanted
                WHERE wanted.user_dim_id = bridge.user_dim_id
                  AND wanted.domain = bridge.domain)
    RETURNING 1
), written AS (
    INSERT INTO warehouse.domain_membership_dim AS bridge (
           user_dim_id, domain, is_domain_admin, deleted, batch_id)
    SELECT wanted.user_dim_id, wanted.domain, wanted.is_domain_admin, wanted.deleted, $1
      FROM wanted
      LEFT JOIN warehouse.domain_membership_dim AS stored
        ON stored.user_dim_id = wanted.user_dim_id
       AND stored.domain = wanted.domain
     WHERE (stored.is_domain_admin, stored.deleted)
           IS DISTINCT FROM (wanted.is_domain_admin, wanted.deleted)
     ORDER BY wanted.user_dim_id, wanted.domain
        ON CONFLICT (user_dim_id, domain) DO UPDATE
       SET is_domain_admin = EXCLUDED.is_domain_admin,
           deleted = EXCLUDED.deleted,
           batch_id = EXCLUDED.batch_id,
           dim_last_modified = now()
    RETURNING 1
)
SELECT (SELECT count(*) FROM written) AS memberships_written,
       (SELECT count(*) FROM deleted) AS memberships_deleted;
