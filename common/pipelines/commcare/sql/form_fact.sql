-- Keep each form as its greatest version has it; what did not change is not written.
-- param $1 batch_id bigint
-- param $2 pending_older boolean
-- param $3 own_times boolean
--
-- All parts see the warehouse as it was before: the image of a row before its change is what judged
-- read. The lookups are kept as such by OFFSET 0: one probe of the key and of one month for each
-- form, however large the facts have grown. judged.id is drawn for a new form, as the
-- key and the fact are both written from it.
WITH incoming AS (
    SELECT DISTINCT ON (staged.form_id)
           staged.form_id, staged.received_on, staged.state, staged.app_version,
           staged.deleted_on, staged.edited_on, staged.server_modified_on, staged.time_end,
           staged.time_start, staged.domain, staged.app_id, staged.build_id, staged.user_id,
           staged.xmlns, staged.commcare_version, staged.version_time, staged.read_number
      FROM staging.form AS staged
     WHERE staged.batch_id = $1
     ORDER BY staged.form_id, staged.version_time DESC, staged.read_number DESC,
              staged.line_no DESC
), compared AS (
    SELECT incoming.*,
           key.id AS key_id,
           key.received_on AS key_received_on,
           stored.user_dim_id AS stored_user_dim_id,
           stored.app_dim_id AS stored_app_dim_id,
           stored.batch_id AS stored_batch_id,
           CASE WHEN stored.id IS NULL THEN 'new'
                WHEN (incoming.version_time, incoming.read_number)
                     < (stored.version_time, stored.read_number) THEN 'older'
                WHEN (incoming.version_time, incoming.read_number)
                     = (stored.version_time, stored.read_number) THEN 'same'
                WHEN incoming.received_on <> stored.received_on THEN 'moved'
                WHEN (incoming.state, incoming.app_version, incoming.deleted_on,
                      incoming.edited_on, incoming.server_modified_on, incoming.time_end,
                      incoming.time_start, incoming.domain, incoming.app_id, incoming.build_id,
                      incoming.user_id, incoming.xmlns, incoming.commcare_version)
                     IS DISTINCT FROM
                     (stored.state, stored.app_version, stored.deleted_on,
                      stored.edited_on, stored.server_modified_on, stored.time_end,
                      stored.time_start, stored.domain, stored.app_id, stored.build_id,
                      stored.user_id, stored.xmlns, stored.commcare_version) THEN 'changed'
                WHEN $2 OR $3 AND incoming.version_time > stored.version_time THEN 'raised'
                ELSE 'same'
            END AS verdict
      FROM incoming
      LEFT JOIN LATERAL (
               SELECT form_key.id, form_key.received_on
                 FROM warehouse.form_key AS form_key
                WHERE form_key.form_id = incoming.form_id
               OFFSET 0) AS key
        ON true
      LEFT JOIN LATERAL (
               SELECT fact.id, fact.received_on, fact.user_dim_id, fact.app_dim_id, fact.state,
                      fact.app_version, fact.deleted_on, fact.edited_on, fact.server_modified_on,
                      fact.time_end, fact.time_start, fact.domain, fact.app_id, fact.build_id,
                      fact.user_id, fact.xmlns, fact.commcare_version, fact.version_time,
                      fact.read_number, fact.batch_id
                 FROM warehouse.form_fact AS fact
                WHERE key.id IS NOT NULL
                  AND fact.id = key.id
                  AND fact.received_on = key.received_on
               OFFSET 0) AS stored
        ON true
), judged AS MATERIALIZED (
    SELECT compared.*,
           COALESCE(compared.key_id,
                    CASE WHEN compared.verdict = 'new'
                         THEN nextval('warehouse.form_key_id_seq') END) AS id,
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
    INSERT INTO warehouse.form_key (form_id, id, received_on)
    SELECT judged.form_id, judged.id, judged.received_on
      FROM judged
     WHERE judged.key_id IS NULL
), key_moved AS (
    UPDATE warehouse.form_key AS form_key
       SET received_on = judged.received_on
      FROM judged
     WHERE judged.verdict IN ('new', 'moved')
       AND judged.key_received_on <> judged.received_on
       AND form_key.form_id = judged.form_id
), inserted AS (
    INSERT INTO warehouse.form_fact (
           id, received_on, form_id, user_dim_id, app_dim_id, build_dim_id, domain_dim_id, state,
           app_version, deleted_on, edited_on, server_modified_on, time_end, time_start, domain,
           app_id, build_id, user_id, xmlns, commcare_version, version_time, read_number, batch_id)
    SELECT judged.id, judged.received_on, judged.form_id, judged.user_dim_id, judged.app_dim_id,
           judged.build_dim_id, judged.domain_dim_id, judged.state, judged.app_version,
           judged.deleted_on, judged.edited_on, judged.server_modified_on, judged.time_end,
           judged.time_start, judged.domain, judged.app_id, judged.build_id, judged.user_id,
           judged.xmlns, judged.commcare_version, judged.version_time, judged.read_number, $1
      FROM judged
     WHERE judged.verdict = 'new'
    RETURNING user_dim_id, app_dim_id
), left_behind AS (
    DELETE FROM warehouse.form_fact AS fact
     USING judged
     WHERE judged.verdict = 'moved'
       AND fact.id = judged.id
       AND fact.received_on = judged.key_received_on
    RETURNING fact.id
), moved AS (
    INSERT INTO warehouse.form_fact (
           id, received_on, form_id, user_dim_id, app_dim_id, build_dim_id, domain_dim_id, state,
           app_version, deleted_on, edited_on, server_modified_on, time_end, time_start, domain,
           app_id, build_id, user_id, xmlns, commcare_version, version_time, read_number, batch_id)
    SELECT judged.id, judged.received_on, judged.form_id, judged.user_dim_id, judged.app_dim_id,
           judged.build_dim_id, judged.domain_dim_id, judged.state, judged.app_version,
           judged.deleted_on, judged.edited_on, judged.server_modified_on, judged.time_end,
           judged.time_start, judged.domain, judged.app_id, judged.build_id, judged.user_id,
           judged.xmlns, judged.commcare_version, judged.version_time, judged.read_number, $1
      FROM left_behind
      JOIN judged
        ON judged.id = left_behind.id
    RETURNING user_dim_id, app_dim_id
), rewritten AS (
    -- by the index of the row's own month; a raised version keeps the batch id
    INSERT INTO warehouse.form_fact AS fact (
           id, received_on, form_id, user_dim_id, app_dim_id, build_dim_id, domain_dim_id, state,
           app_version, deleted_on, edited_on, server_modified_on, time_end, time_start, domain,
           app_id, build_id, user_id, xmlns, commcare_version, version_time, read_number, batch_id)
    SELECT judged.id, judged.received_on, judged.form_id, judged.user_dim_id, judged.app_dim_id,
           judged.build_dim_id, judged.domain_dim_id, judged.state, judged.app_version,
           judged.deleted_on, judged.edited_on, judged.server_modified_on, judged.time_end,
           judged.time_start, judged.domain, judged.app_id, judged.build_id, judged.user_id,
           judged.xmlns, judged.commcare_version, judged.version_time, judged.read_number,
           CASE judged.verdict WHEN 'changed' THEN $1 ELSE judged.stored_batch_id END
      FROM judged
     WHERE judged.verdict IN ('changed', 'raised')
        ON CONFLICT (id, received_on) DO UPDATE
       SET user_dim_id = EXCLUDED.user_dim_id,
           app_dim_id = EXCLUDED.app_dim_id,
           build_dim_id = EXCLUDED.build_dim_id,
           domain_dim_id = EXCLUDED.domain_dim_id,
           state = EXCLUDED.state,
           app_version = EXCLUDED.app_version,
           deleted_on = EXCLUDED.deleted_on,
           edited_on = EXCLUDED.edited_on,
           server_modified_on = EXCLUDED.server_modified_on,
           time_end = EXCLUDED.time_end,
           time_start = EXCLUDED.time_start,
           domain = EXCLUDED.domain,
           app_id = EXCLUDED.app_id,
           build_id = EXCLUDED.build_id,
           user_id = EXCLUDED.user_id,
           xmlns = EXCLUDED.xmlns,
           commcare_version = EXCLUDED.commcare_version,
           version_time = EXCLUDED.version_time,
           read_number = EXCLUDED.read_number,
           batch_id = EXCLUDED.batch_id
    RETURNING fact.user_dim_id, fact.app_dim_id, fact.batch_id = $1 AS is_changed
), logged AS (
    INSERT INTO warehouse.form_change_log (batch_id, user_dim_id, app_dim_id)
    SELECT $1, inserted.user_dim_id, inserted.app_dim_id
      FROM inserted
     UNION
    SELECT $1, moved.user_dim_id, moved.app_dim_id
      FROM moved
     UNION
    SELECT $1, rewritten.user_dim_id, rewritten.app_dim_id
      FROM rewritten
     WHERE rewritten.is_changed
     UNION
    SELECT $1, judged.stored_user_dim_id, judged.stored_app_dim_id
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
      FROM staging.form AS form
     WHERE form.batch_id = $1
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
