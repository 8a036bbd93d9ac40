-- Keep each sync log as its greatest version has it; what did not change is not written.
-- param $1 batch_id bigint
-- param $2 pending_older boolean
-- param $3 own_times boolean
--
-- All parts see the warehouse as it was before: the image of a row before its change is what judged
-- read. The lookups are kept as such by OFFSET 0: one probe of the key and of one month for each
-- sync log, however large the facts have grown. judged.id is drawn for a new sync log, as the
-- key and the fact are both written from it.
WITH incoming AS (
    SELECT DISTINCT ON (staged.synclog_id)
           staged.synclog_id, staged.sync_date, staged.duration, staged.is_formplayer,
           staged.domain, staged.app_id, staged.build_id, staged.user_id, staged.device_id,
           staged.request_user_id, staged.version_time, staged.read_number
      FROM staging.synclog AS staged
     WHERE staged.batch_id = $1
     ORDER BY staged.synclog_id, staged.version_time DESC, staged.read_number DESC,
              staged.line_no DESC
), compared AS (
    SELECT incoming.*,
           key.id AS key_id,
           key.sync_date AS key_sync_date,
           stored.user_dim_id AS stored_user_dim_id,
           stored.batch_id AS stored_batch_id,
           CASE WHEN stored.id IS NULL THEN 'new'
                WHEN (incoming.version_time, incoming.read_number)
                     < (stored.version_time, stored.read_number) THEN 'older'
                WHEN (incoming.version_time, incoming.read_number)
                     = (stored.version_time, stored.read_number) THEN 'same'
                WHEN incoming.sync_date <> stored.sync_date THEN 'moved'
                WHEN (incoming.duration, incoming.is_formplayer, incoming.domain, incoming.app_id,
                      incoming.build_id, incoming.user_id, incoming.device_id,
                      incoming.request_user_id)
                     IS DISTINCT FROM
                     (stored.duration, stored.is_formplayer, stored.domain, stored.app_id,
                      stored.build_id, stored.user_id, stored.device_id,
                      stored.request_user_id) THEN 'changed'
                WHEN $2 OR $3 AND incoming.version_time > stored.version_time THEN 'raised'
                ELSE 'same'
            END AS verdict
      FROM incoming
      LEFT JOIN LATERAL (
               SELECT synclog_key.id, synclog_key.sync_date
                 FROM warehouse.synclog_key AS synclog_key
                WHERE synclog_key.synclog_id = incoming.synclog_id
               OFFSET 0) AS key
        ON true
      LEFT JOIN LATERAL (
               SELECT fact.id, fact.sync_date, fact.user_dim_id, fact.duration,
                      fact.is_formplayer, fact.domain, fact.app_id, fact.build_id, fact.user_id,
                      fact.device_id, fact.request_user_id, fact.version_time,
                      fact.read_number, fact.batch_id
                 FROM warehouse.synclog_fact AS fact
                WHERE key.id IS NOT NULL
                  AND fact.id = key.id
                  AND fact.sync_date = key.sync_date
               OFFSET 0) AS stored
        ON true
), judged AS MATERIALIZED (
    SELECT compared.*,
           COALESCE(compared.key_id,
                    CASE WHEN compared.verdict = 'new'
                         THEN nextval('warehouse.synclog_key_id_seq') END) AS id,
           user_dim.id AS user_dim_id,
           app_dim.id AS app_dim_id,
           build_dim.id AS build_dim_id,
           domain_dim.id AS domain_dim_id
      FROM compared
      LEFT JOIN warehouse.user_dim AS user_dim
        ON user_dim.user_id = COALESCE(compared.user_id, '')
      LEFT JOIN warehouse.application_dim AS app_dim
        ON app_dim.application_id = COALESCE(compared.app_id, '')
      LEFT JOIN warehouse.application_dim AS build_dim
        ON build_dim.application_id = COALESCE(compared.build_id, '')
      LEFT JOIN warehouse.domain_dim AS domain_dim
        ON domain_dim.domain = COALESCE(compared.domain, '')
), key_added AS (
    INSERT INTO warehouse.synclog_key (synclog_id, id, sync_date)
    SELECT judged.synclog_id, judged.id, judged.sync_date
      FROM judged
     WHERE judged.key_id IS NULL
), key_moved AS (
    UPDATE warehouse.synclog_key AS synclog_key
       SET sync_date = judged.sync_date
      FROM judged
     WHERE judged.verdict IN ('new', 'moved')
       AND judged.key_sync_date <> judged.sync_date
       AND synclog_key.synclog_id = judged.synclog_id
), inserted AS (
    INSERT INTO warehouse.synclog_fact (
           id, sync_date, synclog_id, user_dim_id, app_dim_id, build_dim_id, domain_dim_id,
           duration, is_formplayer, domain, app_id, build_id, user_id, device_id,
           request_user_id, version_time, read_number, batch_id)
    SELECT judged.id, judged.sync_date, judged.synclog_id, judged.user_dim_id,
           judged.app_dim_id, judged.build_dim_id, judged.domain_dim_id, judged.duration,
           judged.is_formplayer, judged.domain, judged.app_id, judged.build_id, judged.user_id,
           judged.device_id, judged.request_user_id, judged.version_time, judged.read_number,
           $1
      FROM judged
     WHERE judged.verdict = 'new'
    RETURNING user_dim_id
), left_behind AS (
    DELETE FROM warehouse.synclog_fact AS fact
     USING judged
     WHERE judged.verdict = 'moved'
       AND fact.id = judged.id
       AND fact.sync_date = judged.key_sync_date
    RETURNING fact.id
), moved AS (
    INSERT INTO warehouse.synclog_fact (
           id, sync_date, synclog_id, user_dim_id, app_dim_id, build_dim_id, domain_dim_id,
           duration, is_formplayer, domain, app_id, build_id, user_id, device_id,
           request_user_id, version_time, read_number, batch_id)
    SELECT judged.id, judged.sync_date, judged.synclog_id, judged.user_dim_id,
           judged.app_dim_id, judged.build_dim_id, judged.domain_dim_id, judged.duration,
           judged.is_formplayer, judged.domain, judged.app_id, judged.build_id, judged.user_id,
           judged.device_id, judged.request_user_id, judged.version_time, judged.read_number,
           $1
      FROM left_behind
      JOIN judged
        ON judged.id = left_behind.id
    RETURNING user_dim_id
), rewritten AS (
    -- by the index of the row's own month; a raised version keeps the batch id
    INSERT INTO warehouse.synclog_fact AS fact (
           id, sync_date, synclog_id, user_dim_id, app_dim_id, build_dim_id, domain_dim_id,
           duration, is_formplayer, domain, app_id, build_id, user_id, device_id,
           request_user_id, version_time, read_number, batch_id)
    SELECT judged.id, judged.sync_date, judged.synclog_id, judged.user_dim_id,
           judged.app_dim_id, judged.build_dim_id, judged.domain_dim_id, judged.duration,
           judged.is_formplayer, judged.domain, judged.app_id, judged.build_id, judged.user_id,
           judged.device_id, judged.request_user_id, judged.version_time, judged.read_number,
           CASE judged.verdict WHEN 'changed' THEN $1 ELSE judged.stored_batch_id END
      FROM judged
     WHERE judged.verdict IN ('changed', 'raised')
        ON CONFLICT (id, sync_date) DO UPDATE
       SET user_dim_id = EXCLUDED.user_dim_id,
           app_dim_id = EXCLUDED.app_dim_id,
           build_dim_id = EXCLUDED.build_dim_id,
           domain_dim_id = EXCLUDED.domain_dim_id,
           duration = EXCLUDED.duration,
           is_formplayer = EXCLUDED.is_formplayer,
           domain = EXCLUDED.domain,
           app_id = EXCLUDED.app_id,
           build_id = EXCLUDED.build_id,
           user_id = EXCLUDED.user_id,
           device_id = EXCLUDED.device_id,
           request_user_id = EXCLUDED.request_user_id,
           version_time = EXCLUDED.version_time,
           read_number = EXCLUDED.read_number,
           batch_id = EXCLUDED.batch_id
    RETURNING fact.user_dim_id, fact.batch_id = $1 AS is_changed
), logged AS (
    INSERT INTO warehouse.synclog_change_log (batch_id, user_dim_id)
    SELECT $1, inserted.user_dim_id
      FROM inserted
     UNION
    SELECT $1, moved.user_dim_id
      FROM moved
     UNION
    SELECT $1, rewritten.user_dim_id
      FROM rewritten
     WHERE rewritten.is_changed
     UNION
    SELECT $1, judged.stored_user_dim_id
      FROM judged
     WHERE judged.verdict IN ('changed', 'moved')
), judgement AS (
    SELECT count(*) AS keys,
           count(*) FILTER (WHERE judged.verdict = 'same') AS same,
           count(*) FILTER (WHERE judged.verdict = 'older') AS older
      FROM judged
), written AS (
    SELECT count(*) FILTER (WHERE rewritten.is_changed) AS changed,
           count(*) FILTER (WHERE NOT rewritten.is_changed) AS raised
      FROM rewritten
), staged AS (
    SELECT count(*) AS lines
      FROM staging.synclog AS synclog
     WHERE synclog.batch_id = $1
)
SELECT staged.lines AS rows_staged,
       (SELECT count(*) FROM inserted) AS rows_inserted,
       written.changed + (SELECT count(*) FROM moved) AS rows_updated,
       judgement.same + written.raised AS rows_unchanged,
       staged.lines - judgement.keys AS rows_duplicate,
       judgement.older AS rows_older
  FROM staged
 CROSS JOIN judgement
 CROSS JOIN written;
