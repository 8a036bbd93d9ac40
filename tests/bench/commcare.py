#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The figures of CommCare's pipeline: each a ratio of two times taken one after the other.

Every yardstick does the same work with the server's own means, on the same rows, into tables with
the same columns and indexes: psql's COPY, an INSERT ... SELECT with the same joins, a bare upsert.
Each round works on copies of the same databases, from a checkpoint on. Nothing here passes or
fails.
"""

import argparse
import os
import statistics
import tempfile

from measure import copy_of, drop, head, settle, shell, show_median, show_memory, sql, task
from factline import Warehouse
from source import SourceDatabase

COLUMNS = """form_id, domain, app_id, xmlns, user_id, received_on, deleted_on, edited_on,
    server_modified_on, time_end, time_start, commcare_version, app_version, build_id, state"""
TYPED = """form_id text, domain text, app_id text, xmlns text, user_id text,
    received_on timestamptz, deleted_on timestamptz, edited_on timestamptz,
    server_modified_on timestamptz, time_end timestamptz, time_start timestamptz,
    commcare_version text, app_version bigint, build_id text, state bigint"""
FACT = """id, received_on, form_id, user_dim_id, app_dim_id, build_dim_id, domain_dim_id, state,
    app_version, deleted_on, edited_on, server_modified_on, time_end, time_start, domain, app_id,
    build_id, user_id, xmlns, commcare_version, version_time, read_number, batch_id"""
# $KEY is the run key of the batch.
SELECT = """SELECT row_number() OVER (), s.received_on, s.form_id, u.id, a.id, b.id, d.id, s.state,
           s.app_version, s.deleted_on, s.edited_on, s.server_modified_on, s.time_end,
           s.time_start, s.domain, s.app_id, s.build_id, s.user_id, s.xmlns, s.commcare_version,
           s.version_time, s.read_number, s.batch_id
      FROM staging.form AS s
      JOIN warehouse.user_dim AS u ON u.user_id = s.user_id
      JOIN warehouse.application_dim AS a ON a.application_id = s.app_id
      JOIN warehouse.application_dim AS b ON b.application_id = s.build_id
      JOIN warehouse.domain_dim AS d ON d.domain = s.domain
     WHERE s.batch_id = (SELECT id FROM etl.batch WHERE run_key = '$KEY')"""


def fill_source(source, count):
    """A year of forms of 10,000 workers."""
    source.sql.run(f"""INSERT INTO form_processor_xforminstancesql ({COLUMNS})
            SELECT md5('f' || n)::uuid::text, 'river', md5('a' || n % 5),
                   'http://openrosa.org/x' || n % 40, md5('u' || n % 10000), at.received, NULL,
                   NULL, at.received, at.received, at.received, '2.53.1', n % 20,
                   md5('b' || n % 100), 1
              FROM generate_series(1, {count}) AS n
             CROSS JOIN LATERAL (SELECT timestamptz '2025-01-01Z' + n * interval '365 days'
                                        / {count} AS received) AS at""")
    source.sql.run("VACUUM ANALYZE form_processor_xforminstancesql")


def pipe(warehouse, source, columns, table):
    """Seconds of a bare COPY pipe between the two servers."""
    return shell(
        f'psql -Xqc "COPY (SELECT {columns} FROM form_processor_xforminstancesql) TO STDOUT'
        f' (FORMAT binary)" {source.name} | '
        f'psql -Xqc "COPY {table} FROM STDIN (FORMAT binary)" {warehouse.name}'
    )


def relay(warehouse, source):
    """Ours, and two pipes: into a table that knows of no batches, and into staging itself."""
    sql(warehouse, f"CREATE UNLOGGED TABLE public.bare ({TYPED})")
    settle(warehouse)
    typed = COLUMNS.replace("app_version", "app_version::bigint").replace("state", "state::bigint")
    bare = pipe(warehouse, source, typed, "public.bare")
    settle(warehouse)
    ours = task(warehouse, "load-staging", "form", "--source", source.spec, "--run-key", "first",
                "--settle", "0s")  # fmt: skip
    own = "0::bigint, 0::bigint, now(), NULL::bigint, false"
    sql(warehouse, "CREATE UNLOGGED TABLE staging.bare PARTITION OF staging.form FOR VALUES IN (0)")
    settle(warehouse)
    same = pipe(warehouse, source, f"{own}, {typed}", "staging.form")
    return ours, bare, same


def file(warehouse, folder):
    table, lines = os.path.join(folder, "forms.csv"), os.path.join(folder, "forms.ndjson")
    if not os.path.exists(lines):
        shell(f"psql -Xqc '\\copy public.bare TO {table} CSV' {warehouse.name}")
        shell(f'psql -XAtqc "SELECT row_to_json(bare) FROM public.bare" {warehouse.name} > {lines}')
    sql(warehouse, f"CREATE UNLOGGED TABLE public.copied ({TYPED})")
    settle(warehouse)
    yardstick = shell(f"psql -Xqc '\\copy public.copied FROM {table} CSV' {warehouse.name}")
    settle(warehouse)
    ours = task(warehouse, "load-staging", "form", "--source", lines, "--run-key", "file")
    return ours, yardstick


def new_rows(warehouse):
    settle(warehouse)
    ours = task(warehouse, "transform-fact", "form", "--run-key", "first")
    sql(
        warehouse,
        """CREATE TABLE public.fact (LIKE warehouse.form_fact INCLUDING ALL)
           PARTITION BY RANGE (received_on);
           DO $$ BEGIN FOR m IN 0..12 LOOP EXECUTE format(
               'CREATE TABLE public.fact_%s PARTITION OF public.fact FOR VALUES FROM (%L) TO (%L)'
               ' WITH (fillfactor = 75)',
               m, timestamptz '2025-01-01Z' + m * interval '1 month',
               timestamptz '2025-01-01Z' + (m + 1) * interval '1 month'); END LOOP; END $$""",
    )
    settle(warehouse)
    yardstick = sql(
        warehouse, f"INSERT INTO public.fact ({FACT}) {SELECT}".replace("$KEY", "first")
    )
    sql(warehouse, "DROP TABLE public.fact")
    return ours, yardstick


def unchanged_rows(warehouse, wal):
    """One plain table with a unique form_id, as a bare upsert needs it."""
    sql(
        warehouse,
        """CREATE TABLE public.fact AS SELECT * FROM warehouse.form_fact;
        CREATE UNIQUE INDEX ON public.fact (form_id);
        CREATE INDEX ON public.fact (user_dim_id, app_dim_id, received_on, form_id)
         WHERE state = 1 AND deleted_on IS NULL""",
    )
    sql(warehouse, "VACUUM ANALYZE")
    settle(warehouse)
    before = warehouse.sql.value("SELECT pg_current_wal_lsn()")
    ours = task(warehouse, "transform-fact", "form", "--run-key", "again")
    wal.append(warehouse.sql.number(f"SELECT pg_current_wal_lsn() - '{before}'::pg_lsn") / 1024)
    settle(warehouse)
    names = [name.strip() for name in FACT.split(",")]
    changes = ", ".join(f"{n} = EXCLUDED.{n}" for n in names if n not in ("id", "form_id"))
    yardstick = sql(warehouse, f"INSERT INTO public.fact ({FACT}) {SELECT}"
        f" ON CONFLICT (form_id) DO UPDATE SET {changes}".replace("$KEY", "again"))  # fmt: skip
    return ours, yardstick


def start(warehouse):
    ours = [task(warehouse, "transform-fact", "form", "--run-key", "again") for _ in range(15)]
    psql = [shell(f"psql -Xqc 'select 1' {warehouse.name}") for _ in range(15)]
    return statistics.median(ours), statistics.median(psql)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=float, default=1, help="millions of forms")
    parser.add_argument("--rounds", type=int, default=3, help="how often each is measured")
    options = parser.parse_args()
    source, empty, wal = SourceDatabase(), Warehouse(), []
    relays, files, news, unchangeds, starts = [], [], [], [], []
    head()
    with tempfile.TemporaryDirectory() as folder:
        fill_source(source, int(options.scale * 1000000))
        for _ in range(options.rounds):
            warehouse = copy_of(empty)
            relays.append(relay(warehouse, source))
            files.append(file(warehouse, folder))
            drop(warehouse)
    bare, same = ([(ours, pipes[i]) for ours, *pipes in relays] for i in (0, 1))
    show_median("PostgreSQL to staging, of a bare COPY pipe", ">= 0.95", bare)
    show_median("the same, of a COPY pipe into staging itself", ">= 0.95", same)
    show_median("NDJSON to staging, faster than \\copy of CSV", "> 1", files)
    task(empty, "load-staging", "form", "--source", source.spec, "--run-key", "first",
         "--settle", "0s")  # fmt: skip
    task(empty, "load-staging", "form", "--source", source.spec, "--run-key", "again",
         "--since", "2024-12-31", "--until", "2026-01-02")  # fmt: skip
    sql(empty, "VACUUM ANALYZE")
    for _ in range(options.rounds):
        warehouse = copy_of(empty)
        news.append(new_rows(warehouse))
        unchangeds.append(unchanged_rows(warehouse, wal))
        starts.append(start(warehouse))
        task(warehouse, "app-status-from-fact", "form")
        task(warehouse, "verify-app-status")
        task(warehouse, "clear-staging")
        drop(warehouse)
    show_median("new rows, of an INSERT ... SELECT", ">= 0.5", news)
    show_median("unchanged rows, faster than ON CONFLICT", ">= 5", unchangeds)
    print(f"    write-ahead log of it all: {statistics.median(wal):.0f} KiB")
    show_median("start: a run that is done, beside psql's select 1", "+0.010 s", starts)
    show_memory()


main()
