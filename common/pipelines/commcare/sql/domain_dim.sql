-- Show of each project name the document that counts: a live one, else a deleted one; the newest.
-- param $1 batch_id bigint
--
-- Touched are the names of the batch's documents, and the names that showed one of them before. A
-- name that no document has any more is kept for the facts that bear it, as inferred.
WITH staged AS MATERIALIZED (
    SELECT DISTINCT line.domain_id
      FROM staging.domain AS line
     WHERE line.batch_id = $1
), touched AS (
    SELECT document.domain
      FROM staged
      JOIN warehouse.domain_document AS document
        ON document.domain_id = staged.domain_id
     WHERE document.domain <> ''
     UNION
    SELECT shown.domain
      FROM staged
      JOIN warehouse.domain_dim AS shown
        ON shown.domain_id = staged.domain_id
), wanted AS MATERIALIZED (
    SELECT DISTINCT ON (touched.domain)
           touched.domain, document.domain_id, document.default_timezone, document.hr_name,
           document.creating_user_id, document.project_type, document.is_active,
           document.case_sharing, document.commtrack_enabled, document.is_test,
           document.location_restriction_for_users, document.use_sql_backend,
           document.first_domain_for_user, document.domain_last_modified,
           document.domain_created_on,
           COALESCE(document.deleted, false) AS deleted,
           document.domain_id IS NULL AS is_inferred,
           COALESCE(document.version_time, '-infinity') AS version_time,
           COALESCE(document.read_number, 0) AS read_number
      FROM touched
      LEFT JOIN warehouse.domain_document AS document
        ON document.domain = touched.domain
     ORDER BY touched.domain, document.deleted, document.version_time DESC,
              document.read_number DESC, document.domain_id DESC
), written AS (
    INSERT INTO warehouse.domain_dim AS dim (
           domain, domain_id, default_timezone, hr_name, creating_user_id, project_type,
           is_active, case_sharing, commtrack_enabled, is_test, location_restriction_for_users,
           use_sql_backend, first_domain_for_user, domain_last_modified, domain_created_on,
           deleted, is_inferred, version_time, read_number, batch_id)
    SELECT wanted.domain, wanted.domain_id, wanted.default_timezone, wanted.hr_name,
           wanted.creating_user_id, wanted.project_type, wanted.is_active, wanted.case_sharing,
           wanted.commtrack_enabled, wanted.is_test, wanted.location_restriction_for_users,
           wanted.use_sql_backend, wanted.first_domain_for_user, wanted.domain_last_modified,
           wanted.domain_created_on, wanted.deleted, wanted.is_inferred, wanted.version_time,
           wanted.read_number, $1
      FROM wanted
      LEFT JOIN warehouse.domain_dim AS stored
        ON stored.domain = wanted.domain
     WHERE stored.id IS NULL
        OR (stored.domain_id, stored.default_timezone, stored.hr_name, stored.creating_user_id,
            stored.project_type, stored.is_active, stored.case_sharing,
            stored.commtrack_enabled, stored.is_test, stored.location_restriction_for_users,
            stored.use_sql_backend, stored.first_domain_for_user, stored.domain_last_modified,
            stored.domain_created_on, stored.deleted, stored.is_inferred)
           IS DISTINCT FROM
           (wanted.domain_id, wanted.default_timezone, wanted.hr_name, wanted.creating_user_id,
            wanted.project_type, wanted.is_active, wanted.case_sharing,
            wanted.commtrack_enabled, wanted.is_test, wanted.location_restriction_for_users,
            wanted.use_sql_backend, wanted.first_domain_for_user, wanted.domain_last_modified,
            wanted.domain_created_on, wanted.deleted, wanted.is_inferred)
     ORDER BY wanted.domain
        ON CONFLICT (domain) DO UPDATE
       SET domain_id = EXCLUDED.domain_id,
           default_timezone = EXCLUDED.default_timezone,
           hr_name = EXCLUDED.hr_name,
           creating_user_id = EXCLUDED.creating_user_id,
           project_type = EXCLUDED.project_type,
           is_active = EXCLUDED.is_active,
           case_sharing = EXCLUDED.case_sharing,
           commtrack_enabled = EXCLUDED.commtrack_enabled,
           is_test = EXCLUDED.is_test,
           location_restriction_for_users = EXCLUDED.location_restriction_for_users,
           use_sql_backend = EXCLUDED.use_sql_backend,
           first_domain_for_user = EXCLUDED.first_domain_for_user,
           domain_last_modified = EXCLUDED.domain_last_modified,
           domain_created_on = EXCLUDED.domain_created_on,
           deleted = EXCLUDED.deleted,
           is_inferred = EXCLUDED.is_inferred,
           version_time = EXCLUDED.version_time,
           read_number = EXCLUDED.read_number,
           batch_id = EXCLUDED.batch_id,
           dim_last_modified = now()
    RETURNING 1
)
SELECT count(*) AS names_written
  FROM written;
