-- Keep each form as its greatest version has it; what did not change is not written.
-- param $1 batch_id bigint
-- param $2 pending_older boolean
-- param $3 own_times boolean
-- param $4 rows_staged bigint
--
-- A record is judged by its key and the hash of the rest, so what is unchanged costs no look at
-- the facts, however large they have grown. A batch with 32 records or more for each page of the
-- keys, about half as many as there are, goes along all keys once; LIMIT 1 keeps any other batch
-- at one probe of the index for each record. Only what is written is fetched whole, from its place
-- in staging and in that order; the ids of a batch are reserved at once and ascend with it, so
-- that the facts' index grows at its end. All parts see the warehouse as it was before: the image
-- before a change is read beside the write. A dimension that is missing would be NULL, and
-- refused.
WITH measure AS MATERIALIZED (
    SELECT $4 > pg_relation_size('warehouse.form_key') / 8192 * 32 AS is_dense
), reserved AS MATERIALIZED (
    SELECT setval('warehouse.form_key_id_seq',
                  nextval('warehouse.form_key_id_seq') + $4) - $4 AS id
), incoming AS NOT MATERIALIZED (
    SELECT DISTINCT ON (staged.form_id)
           staged.form_id, staged.received_on, staged.version_time, staged.read_number,
           hash_record_extended((
               staged.state, staged.app_version, staged.deleted_on, staged.edited_on,
               staged.server_modified_on, staged.time_end, staged.time_start, staged.domain,
               staged.app_id, staged.build_id, staged.user_id, staged.xmlns,
               staged.commcare_version), 1)
           AS digest,
           staged.ctid AS place, row_number() OVER () AS ordinal
      FROM staging.form AS staged
     WHERE staged.batch_id = $1
     ORDER BY staged.form_id, staged.version_time DESC, staged.read_number DESC,
              staged.line_no DESC
), known AS (
    SELECT incoming.*, key.id AS key_id, key.received_on AS key_received_on,
           key.version_time AS key_version_time, key.read_number AS key_read_number,
           key.digest AS key_digest
      FROM incoming
      LEFT JOIN LATERAL (
               SELECT key.id, key.received_on, key.version_time, key.read_number, key.digest
                 FROM warehouse.form_key AS key
                WHERE key.form_id = incoming.form_id
                LIMIT 1) AS key
        ON true
     WHERE NOT (SELECT measure.is_dense FROM measure)
     UNION ALL
   (SELECT incoming.*, key.id, key.received_on, key.version_time, key.read_number, key.digest
      FROM incoming
      LEFT JOIN warehouse.form_key AS key
        ON key.form_id = incoming.form_id
     WHERE (SELECT measure.is_dense FROM measure)
     ORDER BY incoming.form_id)
), judged AS MATERIALIZED (
    SELECT known.*,
           COALESCE(known.key_id, (SELECT reserved.id FROM reserved) + known.ordinal) AS id,
           CASE WHEN known.key_id IS NULL THEN 'new'
                WHEN (known.version_time, known.read_number)
                     < (known.key_version_time, known.key_read_number) THEN 'older'
                WHEN (known.version_time, known.read_number)
                     = (known.key_version_time, known.key_read_number) THEN 'same'
                WHEN known.received_on <> known.key_received_on THEN 'moved'
                WHEN known.digest <> known.key_digest THEN 'changed'
                WHEN $2 OR $3 AND known.version_time > known.key_version_time THEN 'raised'
                ELSE 'same'
            END AS verdict
      FROM known
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
), written AS (
    SELECT judged.id, judged.place
      FROM judged
     WHERE judged.verdict = 'new'
     UNION ALL
    SELECT kept.id, kept.place
      FROM kept
     WHERE kept.verdict = 'moved'
     ORDER BY place
), inserted AS (
    INSERT INTO warehouse.form_fact (
           id, received_on, form_id, user_dim_id, app_dim_id, build_dim_id, domain_dim_id, state,
           app_version, deleted_on, edited_on, server_modified_on, time_end, time_start, domain,
           app_id, build_id, user_id, xmlns, commcare_version, version_time, read_number, batch_id)
    SELECT written.id, staged.received_on, staged.form_id, user_dim.id, app_dim.id, build_dim.id,
           domain_dim.id, staged.state, staged.app_version, staged.deleted_on, staged.edited_on,
           staged.server_modified_on, staged.time_end, staged.time_start, staged.domain,
           staged.app_id, staged.build_id, staged.user_id, staged.xmlns, staged.commcare_version,
           staged.version_time, staged.read_number, $1
      FROM written
      JOIN staging.form AS staged
        ON staged.batch_id = $1
       AND staged.ctid = written.place
      LEFT JOIN warehouse.user_dim AS user_dim
        ON user_dim.user_id = COALESCE(staged.user_id, '')
      LEFT JOIN warehouse.application_dim AS app_dim
        ON app_dim.application_id = COALESCE(staged.app_id, '')
      LEFT JOIN warehouse.application_dim AS build_dim
        ON build_dim.application_id = COALESCE(staged.build_id, '')
      LEFT JOIN warehouse.domain_dim AS domain_dim
        ON domain_dim.domain = COALESCE(staged.domain, '')
    RETURNING user_dim_id, app_dim_id
), left_behind AS (
    DELETE FROM warehouse.form_fact AS fact
     WHERE fact.id = ANY (ARRAY(
               SELECT kept.id
                 FROM kept
                WHERE kept.verdict = 'moved'))
    RETURNING fact.user_dim_id, fact.app_dim_id
), changed AS (
    -- by the index of the row's own month
    INSERT INTO warehouse.form_fact AS fact (
           id, received_on, form_id, user_dim_id, app_dim_id, build_dim_id, domain_dim_id, state,
           app_version, deleted_on, edited_on, server_modified_on, time_end, time_start, domain,
           app_id, build_id, user_id, xmlns, commcare_version, version_time, read_number, batch_id)
    SELECT kept.id, staged.received_on, staged.form_id, user_dim.id, app_dim.id, build_dim.id,
           domain_dim.id, staged.state, staged.app_version, staged.deleted_on, staged.edited_on,
           staged.server_modified_on, staged.time_end, staged.time_start, staged.domain,
           staged.app_id, staged.build_id, staged.user_id, staged.xmlns, staged.commcare_version,
           staged.version_time, staged.read_number, $1
      FROM kept
      JOIN staging.form AS staged
        ON staged.batch_id = $1
       AND staged.ctid = kept.place
      LEFT JOIN warehouse.user_dim AS user_dim
        ON user_dim.user_id = COALESCE(staged.user_id, '')
      LEFT JOIN warehouse.application_dim AS app_dim
        ON app_dim.application_id = COALESCE(staged.app_id, '')
      LEFT JOIN warehouse.application_dim AS build_dim
        ON build_dim.application_id = COALESCE(staged.build_id, '')
      LEFT JOIN warehouse.domain_dim AS domain_dim
        ON domain_dim.domain = COALESCE(staged.domain, '')
     WHERE kept.verdict = 'changed'
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
), written_rows AS (
    SELECT (SELECT count(*) FROM inserted) AS inserted,
           (SELECT count(*) FROM left_behind) AS moved,
           (SELECT count(*) FROM changed) AS changed,
           (SELECT count(*) FROM key_kept) AS keys
)
SELECT $4 AS rows_staged,
       written_rows.inserted - written_rows.moved AS rows_inserted,
       written_rows.moved + written_rows.changed AS rows_updated,
       judgement.same + written_rows.keys - judgement.differing AS rows_unchanged,
       $4 - judgement.keys AS rows_duplicate,
       judgement.older AS rows_older
  FROM judgement
 CROSS JOIN written_rows;
