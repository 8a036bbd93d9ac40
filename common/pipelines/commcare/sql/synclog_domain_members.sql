-- Infer the projects that the sync logs of a batch name and that no document has made known yet.
-- param $1 batch_id bigint
WITH named AS (
    SELECT DISTINCT staged.domain
      FROM staging.synclog AS staged
     WHERE staged.batch_id = $1
       AND staged.domain <> ''
), added AS (
    INSERT INTO warehouse.domain_dim (domain, is_inferred, version_time, read_number, batch_id)
    SELECT named.domain, true, '-infinity', 0, $1
      FROM named
     WHERE NOT EXISTS (
               SELECT
                 FROM warehouse.domain_dim AS known
                WHERE known.domain = named.domain)
     ORDER BY named.domain
        ON CONFLICT (domain) DO NOTHING
    RETURNING id
)
SELECT count(*) AS members_inferred
  FROM added;
