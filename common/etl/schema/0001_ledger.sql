-- The ledger: batches, their attempts, what was consumed, what was rejected.
CREATE SCHEMA IF NOT EXISTS etl;
CREATE SCHEMA IF NOT EXISTS staging;
CREATE SCHEMA IF NOT EXISTS warehouse;

-- One row per applied schema file. A data transaction reads it, which holds it shared to its end;
-- migrate-warehouse takes it exclusively. works_from: the least number that a binary must know.
CREATE TABLE etl.schema_version (
    component text NOT NULL,
    number integer NOT NULL,
    works_from integer NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (component, number)
);

-- A workflow's row is the lock under which read numbers are drawn.
CREATE TABLE etl.workflow (
    name text PRIMARY KEY,
    pipeline text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('feed', 'derived')),
    target text NOT NULL,
    change_log text,
    read_number bigint NOT NULL DEFAULT 0
);

-- Who reads whose change log. Log rows are kept until every consumer of theirs is through.
CREATE TABLE etl.consumer (
    consumer text NOT NULL REFERENCES etl.workflow (name),
    source_workflow text NOT NULL REFERENCES etl.workflow (name),
    PRIMARY KEY (consumer, source_workflow)
);

-- Writers of one table take turns at its row here.
CREATE TABLE etl.target (
    name text PRIMARY KEY
);

CREATE TABLE etl.batch (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    workflow text NOT NULL REFERENCES etl.workflow (name),
    run_key text NOT NULL,
    generation integer NOT NULL DEFAULT 1,
    fingerprint text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('incremental', 'backfill')),
    since timestamptz NOT NULL,
    until timestamptz NOT NULL,
    read_number bigint NOT NULL DEFAULT 0,
    state text NOT NULL DEFAULT 'open'
        CHECK (state IN ('open', 'staged', 'complete', 'failed', 'superseded')),
    attempt integer NOT NULL DEFAULT 0,
    own_times boolean NOT NULL DEFAULT false,
    rows_read bigint,
    rows_staged bigint,
    rows_rejected bigint,
    rows_skipped bigint,
    opened_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    staged_at timestamptz,
    completed_at timestamptz,
    staging_cleared_at timestamptz,
    log_cleared_at timestamptz,
    failed_at timestamptz,
    failed_step text,
    failed_status integer,
    failed_sqlstate text,
    failed_reason text,
    UNIQUE (workflow, run_key, generation)
);
CREATE INDEX batch_by_state ON etl.batch (workflow, state, id);

-- The watermark belongs to the workflow and the source. clock is the source's time at the snapshot.
-- A table's header is kept where records of it were rejected, which cannot be read without it.
CREATE TABLE etl.batch_source (
    batch_id bigint NOT NULL REFERENCES etl.batch (id),
    source text NOT NULL,
    has_watermark boolean NOT NULL,
    since timestamptz NOT NULL,
    until timestamptz NOT NULL,
    rows_staged bigint,
    clock timestamptz,
    table_format text CHECK (table_format IN ('csv', 'tsv')),
    table_header text,
    PRIMARY KEY (batch_id, source)
);

-- One row per attempt of a step, from its start on. backend and backend_start tell a living holder
-- from a dead one; a process id alone may have been given away again.
CREATE TABLE etl.batch_step (
    batch_id bigint NOT NULL REFERENCES etl.batch (id),
    attempt integer NOT NULL,
    step text NOT NULL,
    run_key text NOT NULL,
    try_number integer NOT NULL DEFAULT 0,
    host text NOT NULL,
    backend integer NOT NULL,
    backend_start timestamptz NOT NULL,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    ended_at timestamptz,
    outcome text CHECK (outcome IN ('done', 'nothing-to-do', 'failed', 'abandoned')),
    status integer,
    sqlstate text,
    reason text,
    result text,
    PRIMARY KEY (batch_id, attempt)
);

-- What was derived from what: a set, never a maximum or a date.
CREATE TABLE etl.batch_consumption (
    consumer text NOT NULL REFERENCES etl.workflow (name),
    source_batch_id bigint NOT NULL REFERENCES etl.batch (id),
    batch_id bigint NOT NULL REFERENCES etl.batch (id),
    consumed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (consumer, source_batch_id)
);

-- Records that could not be staged. Readable by the loader alone: bytes are personal data. The
-- header of a table's record is in etl.batch_source.
CREATE TABLE etl.rejected_row (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    batch_id bigint NOT NULL REFERENCES etl.batch (id),
    feed text NOT NULL,
    source text NOT NULL,
    position bigint NOT NULL,
    column_name text NOT NULL,
    reason text NOT NULL,
    bytes bytea NOT NULL,
    full_length bigint NOT NULL,
    sha256 text,
    is_table boolean NOT NULL DEFAULT false,
    rejected_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    replayed_batch_id bigint REFERENCES etl.batch (id)
);
CREATE INDEX rejected_row_by_batch ON etl.rejected_row (batch_id);

-- Units that could not be computed (a broken course), tried again by the next run.
CREATE TABLE etl.pending_unit (
    workflow text NOT NULL REFERENCES etl.workflow (name),
    unit text NOT NULL,
    batch_id bigint NOT NULL REFERENCES etl.batch (id),
    reason text NOT NULL,
    since timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (workflow, unit)
);

-- Table names come from the ledger's own rows, never from a command line; %I and regclass quote
-- them. pg_temp is named last, or it would be first: what the caller made there must not be taken
-- for a type or table of the catalogue, least of all by a function with the definer's rights.
CREATE FUNCTION etl.count_staging(feed text, batch bigint) RETURNS bigint
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    counted bigint;
BEGIN
    EXECUTE format('SELECT count(*) FROM staging.%I WHERE batch_id = $1', feed)
       INTO counted
      USING batch;
    RETURN counted;
END $$;

-- The catalogue is asked by a query: after a wait, a name looked up before is answered from a cache
-- that does not know yet what another session made or dropped.
CREATE FUNCTION etl.has_table(schema text, name text) RETURNS boolean
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT EXISTS (SELECT
                     FROM pg_class AS class
                    WHERE class.relnamespace = schema::regnamespace
                      AND class.relname = name)
$$;

-- A batch's part of a feed's staging, empty: made, or emptied of what an earlier try left. The
-- loader may make these parts and the months below and no other tables, hence the definer's rights.
-- A part is made complete first and attached then: attaching blocks no reader and no writer.
-- A vacuum would come too late to be of use, and keep the part from being dropped.
CREATE FUNCTION etl.make_staging(feed text, batch bigint) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    part text := format('%s_%s', feed, batch);
BEGIN
    PERFORM
       FROM etl.batch AS known
      WHERE known.id = make_staging.batch
        AND known.workflow = feed;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'not a batch of this feed; report it' USING ERRCODE = 'FL070';
    END IF;
    IF etl.has_table('staging', part) THEN
        EXECUTE format('TRUNCATE staging.%I', part);
    ELSE
        EXECUTE format('CREATE UNLOGGED TABLE staging.%I (LIKE staging.%I) '
                       'WITH (autovacuum_enabled = off, toast.autovacuum_enabled = off)',
                       part, feed);
        EXECUTE format('ALTER TABLE staging.%I ATTACH PARTITION staging.%I FOR VALUES IN (%s)',
                       feed, part, batch);
    END IF;
END $$;

-- Without statistics the planner takes a fresh batch for a handful of rows.
CREATE FUNCTION etl.analyze_staging(feed text, batch bigint) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    part text := format('%s_%s', feed, batch);
BEGIN
    IF etl.has_table('staging', part) THEN
        EXECUTE format('ANALYZE staging.%I', part);
    END IF;
END $$;

-- Whether a session lives that works on the batch. A volatile function sees what was committed by
-- now, not only what had been when the statement began that calls it.
CREATE FUNCTION etl.has_holder(batch bigint) RETURNS boolean
    LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
    SELECT EXISTS (SELECT
                     FROM etl.batch_step AS step
                     JOIN pg_stat_activity AS activity
                       ON activity.pid = step.backend
                      AND activity.backend_start = step.backend_start
                    WHERE step.batch_id = has_holder.batch
                      AND step.ended_at IS NULL)
$$;

-- The rows that went, or NULL where the part stays for now. Dropping it excludes all who read or
-- write the feed's staging, be it for an instant: while one of them is busy, nobody waits for that,
-- and none queues behind who would.
CREATE FUNCTION etl.drop_staging(feed text, batch bigint) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    part text := format('%s_%s', feed, batch);
    dropped bigint := etl.count_staging(feed, batch);
BEGIN
    IF NOT etl.has_table('staging', part) THEN
        RETURN 0;
    END IF;
    EXECUTE format('LOCK TABLE ONLY staging.%I, staging.%I IN ACCESS EXCLUSIVE MODE NOWAIT',
                   feed, part);
    EXECUTE format('DROP TABLE staging.%I', part);
    RETURN dropped;
EXCEPTION
    WHEN lock_not_available THEN
        RETURN NULL;
END $$;

CREATE FUNCTION etl.delete_log(change_log text, batch bigint) RETURNS bigint
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    deleted bigint;
BEGIN
    EXECUTE format('DELETE FROM %s WHERE batch_id = $1', change_log::regclass) USING batch;
    GET DIAGNOSTICS deleted = ROW_COUNT;
    RETURN deleted;
END $$;

-- A month's partition of a fact, made like a part of staging.
CREATE FUNCTION etl.make_month(parent text, month date) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    first_day date := date_trunc('month', month)::date;
    parent_name text := split_part(parent, '.', 2);
    child text := format('%s_%s', parent_name, to_char(first_day, 'YYYY_MM'));
BEGIN
    IF to_regclass(format('warehouse.%I', child)) IS NOT NULL THEN
        RETURN false;
    END IF;
    PERFORM FROM etl.target WHERE name = parent FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'not a partitioned fact of the warehouse; report it'
              USING ERRCODE = 'FL070';
    END IF;
    IF etl.has_table('warehouse', child) THEN
        RETURN false;
    END IF;
    EXECUTE format('CREATE TABLE warehouse.%I (LIKE warehouse.%I INCLUDING ALL) '
                   'WITH (fillfactor = 75)', child, parent_name);
    EXECUTE format('ALTER TABLE warehouse.%I ATTACH PARTITION warehouse.%I '
                   'FOR VALUES FROM (%L) TO (%L)', parent_name, child,
                   first_day::timestamp AT TIME ZONE 'UTC',
                   (first_day + interval '1 month') AT TIME ZONE 'UTC');
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON warehouse.%I TO %I',
                   child, session_user);
    RETURN true;
END $$;
REVOKE ALL ON FUNCTION etl.make_month(text, date), etl.make_staging(text, bigint),
    etl.analyze_staging(text, bigint), etl.drop_staging(text, bigint) FROM PUBLIC;
