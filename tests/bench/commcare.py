#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The figures of CommCare's pipeline: each a ratio of two times taken one after the other.

Every yardstick does the same work with the server's own means: psql's COPY, a bare upsert, an
INSERT ... SELECT with the same joins, a recompute of everything. Nothing here passes or fails.
"""

import argparse
import os
import statistics
import tempfile

from measure import head, shell, show, show_memory, sql, task
from factline import Warehouse
from source import SourceDatabase

COLUMNS = """form_id, domain, app_id, xmlns, user_id, received_on, deleted_on, edited_on,
    server_modified_on, time_end, time_start, commcare_version, app_version, build_id, state"""
TYPED = """form_id text, domain text, app_id text, xmlns text, user_id text,
    received_on timestamptz, deleted_on timestamptz, edited_on timestamptz,
    server_modified_on timestamptz, time_end timestamptz, time_start timestamptz,
    commcare_version text, app_version bigint, build_id text, state bigint"""


def fill_source(source, count):
    """A year of forms of 10,000 workers."""
    source.sql.run(f"""INSERT INTO form_processor_xforminstancesql ({COLUMNS})
            SELECT md5('f' || n), 'river', md5('a' || n % 5), 'http://openrosa.org/x' || n % 40,
                   md5('u' || n % 10000), at.received, NULL, NULL, at.received, at.received,
                   at.received, '2.53.1', n % 20, md5('b' || n % 100), 1
              FROM generate_series(1, {count}) AS n
             CROSS JOIN LATERAL (SELECT timestamptz '2025-01-01Z' + n * interval '365 days'
                                        / {count} AS received) AS at""")
    source.sql.run("ANALYZE form_processor_xforminstancesql")


def bench_relay(warehouse, source, count):
    warehouse.sql.run(f"CREATE UNLOGGED TABLE public.bare ({TYPED})")
    typed = COLUMNS.replace("app_version", "app_version::bigint").replace("state", "state::bigint")
    yardstick = shell(
        f'psql -Xqc "COPY (SELECT {typed} FROM form_processor_xforminstancesql) TO STDOUT'
        f' (FORMAT binary)" {source.name} | '
        f'psql -Xqc "COPY public.bare FROM STDIN (FORMAT binary)" {warehouse.name}'
    )
    ours = task(warehouse, "load-staging", "form", "--source", source.spec, "--run-key", "first",
                "--settle", "0s")  # fmt: skip
    show("PostgreSQL to staging, of a bare COPY pipe", ">= 0.95", yardstick / ours, ours, yardstick)


def bench_file(warehouse, folder, count):
    table, lines = os.path.join(folder, "forms.csv"), os.path.join(folder, "forms.ndjson")
    shell(f"psql -Xqc '\\copy public.bare TO {table} CSV' {warehouse.name}")
    shell(f'psql -XAtqc "SELECT row_to_json(bare) FROM public.bare" {warehouse.name} > {lines}')
    warehouse.sql.run(f"CREATE UNLOGGED TABLE public.copied ({TYPED})")
    yardstick = shell(f"psql -Xqc '\\copy public.copied FROM {table} CSV' {warehouse.name}")
    ours = task(warehouse, "load-staging", "form", "--source", lines, "--run-key", "file")
    show("NDJSON to staging, faster than \\copy of CSV", "> 1", yardstick / ours, ours, yardstick)


def bench_new(warehouse):
    ours = task(warehouse, "transform-fact", "form", "--run-key", "first")
    warehouse.sql.run("""CREATE TABLE public.fact (LIKE warehouse.form_fact INCLUDING ALL)
           PARTITION BY RANGE (received_on);
           DO $$ BEGIN FOR m IN 0..12 LOOP EXECUTE format(
               'CREATE TABLE public.fact_%s PARTITION OF public.fact FOR VALUES FROM (%L) TO (%L)',
               m, timestamptz '2025-01-01Z' + m * interval '1 month',
               timestamptz '2025-01-01Z' + (m + 1) * interval '1 month'); END LOOP; END $$""")
    yardstick = sql(
        warehouse,
        """INSERT INTO public.fact (id, received_on, form_id, user_dim_id, app_dim_id, build_dim_id,
                  domain_dim_id, state, app_version, server_modified_on, time_end, time_start,
                  domain, app_id, build_id, user_id, xmlns, commcare_version, version_time,
                  read_number, batch_id)
           SELECT row_number() OVER (), s.received_on, s.form_id, u.id, a.id, b.id, d.id, s.state,
                  s.app_version, s.server_modified_on, s.time_end, s.time_start, s.domain, s.app_id,
                  s.build_id, s.user_id, s.xmlns, s.commcare_version, s.version_time, s.read_number,
                  s.batch_id
             FROM staging.form AS s
             JOIN warehouse.user_dim AS u ON u.user_id = s.user_id
             JOIN warehouse.application_dim AS a ON a.application_id = s.app_id
             JOIN warehouse.application_dim AS b ON b.application_id = s.build_id
             JOIN warehouse.domain_dim AS d ON d.domain = s.domain
            WHERE s.batch_id = (SELECT id FROM etl.batch WHERE run_key = 'first')""",
    )
    show("new rows, of an INSERT ... SELECT", ">= 0.5", yardstick / ours, ours, yardstick)


def bench_unchanged(warehouse):
    warehouse.sql.run("CREATE UNIQUE INDEX ON public.copied (form_id)")
    warehouse.sql.run("ALTER TABLE public.copied SET LOGGED")
    names = [name.strip() for name in COLUMNS.split(",")]
    changes = ", ".join(f"{name} = EXCLUDED.{name}" for name in names if name != "form_id")
    yardstick = sql(
        warehouse,
        f"""INSERT INTO public.copied ({COLUMNS}) SELECT {COLUMNS} FROM staging.form
             WHERE batch_id = (SELECT id FROM etl.batch WHERE run_key = 'file')
                ON CONFLICT (form_id) DO UPDATE SET {changes}""",
    )
    before = warehouse.sql.value("SELECT pg_current_wal_lsn()")
    ours = task(warehouse, "transform-fact", "form", "--run-key", "file")
    wal = warehouse.sql.number(f"SELECT pg_current_wal_lsn() - '{before}'::pg_lsn")
    show("unchanged rows, faster than ON CONFLICT", ">= 5", yardstick / ours, ours, yardstick)
    print(f"  (write-ahead log of it all: {wal / 1024:.0f} KiB)")


def bench_status(warehouse, source, count):
    task(warehouse, "app-status-from-fact", "form", "--run-key", "first")
    source.sql.run(f"""INSERT INTO form_processor_xforminstancesql ({COLUMNS})
            SELECT md5('g' || n), 'river', md5('a' || n % 5), 'x', md5('u' || n % 4000),
                   now() - interval '1 hour', NULL, NULL, now(), NULL, NULL, '2.53.1', 1,
                   md5('b1'), 1
              FROM generate_series(1, 10000) AS n""")
    task(warehouse, "load-staging", "form", "--source", source.spec, "--run-key", "day",
         "--settle", "0s")  # fmt: skip
    task(warehouse, "transform-fact", "form", "--run-key", "day")
    ours = task(warehouse, "app-status-from-fact", "form", "--run-key", "day")
    yardstick = task(warehouse, "app-status-from-fact", "form", "--run-key", "all", "--force")
    show(
        f"10,000 forms' app status, of {count:,} recomputed",
        "(100)",
        yardstick / ours,
        ours,
        yardstick,
    )
    task(warehouse, "verify-app-status")


def bench_start(warehouse):
    ours = [task(warehouse, "transform-fact", "form", "--run-key", "day") for _ in range(15)]
    psql = [shell(f"psql -Xqc 'select 1' {warehouse.name}") for _ in range(15)]
    show("start: a run that is done, beside psql's select 1", "+0.010 s",
         statistics.median(psql) / statistics.median(ours), statistics.median(ours),
         statistics.median(psql))  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=float, default=1, help="millions of forms")
    count = int(parser.parse_args().scale * 1000000)
    warehouse, source = Warehouse(), SourceDatabase()
    head()
    with tempfile.TemporaryDirectory() as folder:
        fill_source(source, count)
        bench_relay(warehouse, source, count)
        bench_file(warehouse, folder, count)
        bench_new(warehouse)
        bench_unchanged(warehouse)
        bench_status(warehouse, source, count)
        bench_start(warehouse)
        task(warehouse, "clear-staging")
    show_memory()


main()
