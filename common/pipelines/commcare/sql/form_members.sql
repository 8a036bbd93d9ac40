-- Infer the users, applications, builds and projects that forms name and nobody knows yet.
-- param $1 batch_id bigint
--
-- One look at staging finds them all. Whoever infers writes the dimensions in the order of the sum
-- below, and each of them in the order of its keys: nobody waits in a circle.
WITH named AS MATERIALIZED (
    SELECT DISTINCT staged.user_id, staged.app_id, staged.build_id, staged.domain
      FROM staging.form AS staged
     WHERE staged.batch_id = $1
), users AS (
    INSERT INTO warehouse.user_dim (user_id, is_inferred, version_time, read_number, batch_id)
    SELECT wanted.user_id, true, '-infinity', 0, $1
      FROM (SELECT DISTINCT named.user_id
              FROM named
             WHERE named.user_id <> '') AS wanted
     WHERE NOT EXISTS (
               SELECT
                 FROM warehouse.user_dim AS known
                WHERE known.user_id = wanted.user_id)
     ORDER BY wanted.user_id
        ON CONFLICT (user_id) DO NOTHING
    RETURNING id
), applications AS (
    INSERT INTO warehouse.application_dim (
           application_id, is_inferred, version_time, read_number, batch_id)
    SELECT wanted.application_id, true, '-infinity', 0, $1
      FROM (SELECT named.app_id AS application_id
              FROM named
             WHERE named.app_id <> ''
             UNION
            SELECT named.build_id
              FROM named
             WHERE named.build_id <> '') AS wanted
     WHERE NOT EXISTS (
               SELECT
                 FROM warehouse.application_dim AS known
                WHERE known.application_id = wanted.application_id)
     ORDER BY wanted.application_id
        ON CONFLICT (application_id) DO NOTHING
    RETURNING id
), domains AS (
    INSERT INTO warehouse.domain_dim (domain, is_inferred, version_time, read_number, batch_id)
    SELECT wanted.domain, true, '-infinity', 0, $1
      FROM (SELECT DISTINCT named.domain
              FROM named
             WHERE named.domain <> '') AS wanted
     WHERE NOT EXISTS (
               SELECT
                 FROM warehouse.domain_dim AS known
                WHERE known.domain = wanted.domain)
     ORDER BY wanted.domain
        ON CONFLICT (domain) DO NOTHING
    RETURNING id
)
SELECT (SELECT count(*) FROM users) + (SELECT count(*) FROM applications)
       + (SELECT count(*) FROM domains) AS members_inferred;
