-- Keep each form as its greatest version has it; what did not change is not written.
-- param $1 batch_id bigint
-- param $2 pending_older boolean
-- param $3 own_times boolean
--
-- A record is judged by its key alone, so what is unchanged costs no look at the facts, however
-- large they have grown; LIMIT 1 keeps that one probe for each, in the order of the index. All
-- parts see the warehouse as it was before: the image before a change is read beside the write. A
-- dimension that is missing would be NULL, and refused.
WITH incoming AS (
    SELECT DISTINCT ON (staged.form_id)
           staged.form_id, staged.received_on, staged.state, staged.app_version,
           staged.deleted_on, staged.edited_on, staged.server_modified_on, staged.time_end,
           staged.time_start, staged.domain, staged.app_id, staged.build_id, staged.user_id,
           staged.xmlns, staged.commcare_version, staged.version_time, staged.read_number,
           hash_record_extended((
               staged.state, staged.app_version, staged.deleted_on, staged.edited_on,
               staged.server_modified_on, staged.time_end, staged.time_start, staged.domain,
               staged.app_id, staged.build_id, staged.user_id, staged.xmlns,
               staged.commcare_version), 1)
           AS digest
      FROM staging.form AS staged
     WHERE staged.batch_id = $1
     ORDER BY staged.form_id, staged.version_time DESC, staged.read_number DESC,
              staged.line_no DESC
), judged AS MATERIALIZED (
    SELECT incoming.*,
           COALESCE(key.id, nextval('warehouse.form_key_id_seq')) AS id,
           key.received_on AS key_received_on,
           CASE WHEN key.id IS NULL THEN 'new'
                WHEN (incoming.version_time, incoming.read_number)
                     < (key.version_time, key.read_number) THEN 'older'
                WHEN (incoming.version_time, incoming.read_number)
                     = (key.version_time, key.read_number) THEN 'same'
                WHEN incoming.received_on <> key.received_on THEN 'moved'
                WHEN incoming.digest <> key.digest THEN 'changed'
                WHEN $2 OR $3 AND incoming.version_time > key.version_time THEN 'raised'
                ELSE 'same'
            END AS verdict
      FROM incoming
      LEFT JOIN LATERAL (
               SELECT known.id, known.received_on, known.version_time, known.read_number,
                      known.digest
                 FROM warehouse.form_key AS known
                WHERE known.form_id = incoming.form_id
                LIMIT 1) AS key
        ON true
), kept AS MATERIALIZED (
    SELECT judged.*
      FROM judged
     WHERE judged.verdict IN ('moved', 'changed', 'raised')
), key_added AS (
    INSERT INTO warehouse.form_key (form_id, id, received_on, version_time, read_number, digest)
    SELECT judged.form_id, judged.id, judged.received_on, judged.version_time, judged.read_number,
           judged.digest
      FROM judged
     WHERE judged.verdict = 'new'
), key_kept AS (
    INSERT INTO warehouse.form_key AS key (
           form_id, id, received_on, version_time, read_number, digest)
    SELECT kept.form_id, kept.id, kept.received_on, kept.version_time, kept.read_number,
           kept.digest
      FROM kept
        ON CONFLICT (form_id) DO UPDATE
       SET received_on = EXCLUDED.received_on,
           version_time = EXCLUDED.version_time,
           read_number = EXCLUDED.read_number,
           digest = EXCLUDED.digest
    RETURNING 1
), placed AS NOT MATERIALIZED (
    SELECT judged.*, user_dim.id AS user_dim_id, app_dim.id AS app_dim_id,
           build_dim.id AS build_dim_id, domain_dim.id AS domain_dim_id
      FROM judged
      LEFT JOIN warehouse.user_dim AS user_dim
        ON user_dim.user_id = COALESCE(judged.user_id, '')
      LEFT JOIN warehouse.application_dim AS app_dim
        ON app_dim.application_id = COALESCE(judged.app_id, '')
      LEFT JOIN warehouse.application_dim AS build_dim
        ON build_dim.application_id = COALESCE(judged.build_id, '')
      LEFT JOIN warehouse.domain_dim AS domain_dim
        ON domain_dim.domain = COALESCE(judged.domain, '')
), inserted AS (
    INSERT INTO warehouse.form_fact (
           id, received_on, form_id, user_dim_id, app_dim_id, build_dim_id, domain_dim_id, state,
           app_version, deleted_on, edited_on, server_modified_on, time_end, time_start, domain,
           app_id, build_id, user_id, xmlns, commcare_version, version_time, read_number, batch_id)
    SELECT placed.id, placed.received_on, placed.form_id, placed.user_dim_id, placed.app_dim_id,
           placed.build_dim_id, placed.domain_dim_id, placed.state, placed.app_version,
           placed.deleted_on, placed.edited_on, placed.server_modified_on, placed.time_end,
           placed.time_start, placed.domain, placed.app_id, placed.build_id, placed.user_id,
           placed.xmlns, placed.commcare_version, placed.version_time, placed.read_number, $1
      FROM placed
     WHERE placed.verdict = 'new'
    RETURNING user_dim_id, app_dim_id
), left_behind AS (
    DELETE FROM warehouse.form_fact AS fact
     WHERE fact.id = ANY (ARRAY(
               SELECT kept.id
                 FROM kept
                WHERE kept.verdict = 'moved'))
    RETURNING fact.user_dim_id, fact.app_dim_id
), moved AS (
    INSERT INTO warehouse.form_fact (
           id, received_on, form_id, user_dim_id, app_dim_id, build_dim_id, domain_dim_id, state,
           app_version, deleted_on, edited_on, server_modified_on, time_end, time_start, domain,
           app_id, build_id, user_id, xmlns, commcare_version, version_time, read_number, batch_id)
    SELECT placed.id, placed.received_on, placed.form_id, placed.user_dim_id, placed.app_dim_id,
           placed.build_dim_id, placed.domain_dim_id, placed.state, placed.app_version,
           placed.deleted_on, placed.edited_on, placed.server_modified_on, placed.time_end,
           placed.time_start, placed.domain, placed.app_id, placed.build_id, placed.user_id,
           placed.xmlns, placed.commcare_version, placed.version_time, placed.read_number, $1
      FROM placed
     WHERE placed.verdict = 'moved'
    RETURNING user_dim_id, app_dim_id
), changed AS (
    -- by the index of the row's own month
    INSERT INTO warehouse.form_fact AS fact (
           id, received_on, form_id, user_dim_id, app_dim_id, build_dim_id, domain_dim_id, state,
           app_version, deleted_on, edited_on, server_modified_on, time_end, time_start, domain,
           app_id, build_id, user_id, xmlns, commcare_version, version_time, read_number, batch_id)
    SELECT placed.id, placed.received_on, placed.form_id, placed.user_dim_id, placed.app_dim_id,
           placed.build_dim_id, placed.domain_dim_id, placed.state, placed.app_version,
           placed.deleted_on, placed.edited_on, placed.server_modified_on, placed.time_end,
           placed.time_start, placed.domain, placed.app_id, placed.build_id, placed.user_id,
           placed.xmlns, placed.commcare_version, placed.version_time, placed.read_number, $1
      FROM placed
     WHERE placed.verdict = 'changed'
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
    RETURNING fact.user_dim_id, fact.app_dim_id
), before AS (
    SELECT fact.user_dim_id, fact.app_dim_id
      FROM kept
     CROSS JOIN LATERAL (
               SELECT stored.user_dim_id, stored.app_dim_id
                 FROM warehouse.form_fact AS stored
                WHERE stored.id = kept.id
                  AND stored.received_on = kept.key_received_on
                LIMIT 1) AS fact
     WHERE kept.verdict = 'changed'
), logged AS (
    INSERT INTO warehouse.form_change_log (batch_id, user_dim_id, app_dim_id)
    SELECT $1, inserted.user_dim_id, inserted.app_dim_id
      FROM inserted
     UNION
    SELECT $1, left_behind.user_dim_id, left_behind.app_dim_id
      FROM left_behind
     UNION
    SELECT $1, moved.user_dim_id, moved.app_dim_id
      FROM moved
     UNION
    SELECT $1, before.user_dim_id, before.app_dim_id
      FROM before
     UNION
    SELECT $1, changed.user_dim_id, changed.app_dim_id
      FROM changed
), judgement AS (
    SELECT count(*) AS keys,
           count(*) FILTER (WHERE judged.verdict = 'same') AS same,
           count(*) FILTER (WHERE judged.verdict = 'older') AS older,
           count(*) FILTER (WHERE judged.verdict IN ('moved', 'changed')) AS differing
      FROM judged
), staged AS (
    SELECT count(*) AS lines
      FROM staging.form AS line
     WHERE line.batch_id = $1
)
SELECT staged.lines AS rows_staged,
       (SELECT count(*) FROM inserted) AS rows_inserted,
       (SELECT count(*) FROM moved) + (SELECT count(*) FROM changed) AS rows_updated,
       judgement.same + (SELECT count(*) FROM key_kept) - judgement.differing AS rows_unchanged,
       staged.lines - judgement.keys AS rows_duplicate,
       judgement.older AS rows_older
  FROM staged
 CROSS JOIN judgement;
