#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A day's batches on facts of CommCare's pipeline that have grown small and large.

The facts are five years of forms of 10,000 workers, made by SQL as the transform would have left
them. Each day is 10,000 forms and then 50,000, a twentieth of them late edits. Prints the time of
each step at either size, the sizes of tables, and what clear-staging gives back.
"""

import argparse
import random
import statistics
import sys

from measure import drop, head, settle, show, show_memory, sql, task
from factline import Warehouse

MONTHS = 60
RECOMPUTE, PLAIN_RECOMPUTE = "our recompute", "one plain statement"
DIMENSIONS = """
    INSERT INTO warehouse.user_dim (user_id, is_inferred, version_time, read_number, batch_id)
    SELECT md5('u' || n), true, '-infinity', 0, 1 FROM generate_series(0, 9999) AS n;
    INSERT INTO warehouse.application_dim (
           application_id, is_inferred, version_time, read_number, batch_id)
    SELECT md5('a' || n), true, '-infinity', 0, 1 FROM generate_series(0, 104) AS n;
    INSERT INTO warehouse.domain_dim (domain, is_inferred, version_time, read_number, batch_id)
    VALUES ('river', true, '-infinity', 0, 1)"""
# Of the form n: who, when, and its dimensions, whose ids DIMENSIONS made without a gap.
FORM = """SELECT n AS id, md5('f' || n)::uuid::text AS form_id,
           timestamptz '$FROM' + (n - $FIRST) * (timestamptz '$TO' - timestamptz '$FROM') / $COUNT
           AS at,
           n * 7919 % 10000 AS worker, n * 7919 % 10000 % 5 AS app, 5 + n % 100 AS build
      FROM generate_series($FIRST::bigint, $FIRST + $COUNT - 1) AS n"""
FACTS = f"""
    INSERT INTO warehouse.form_fact (
           id, received_on, form_id, user_dim_id, app_dim_id, build_dim_id, domain_dim_id, state,
           app_version, server_modified_on, time_end, time_start, domain, app_id, build_id,
           user_id, xmlns, commcare_version, version_time, read_number, batch_id)
    SELECT id, at, form_id, (SELECT min(id) FROM warehouse.user_dim WHERE id > 0) + worker,
           (SELECT min(id) FROM warehouse.application_dim WHERE id > 0) + app,
           (SELECT min(id) FROM warehouse.application_dim WHERE id > 0) + build,
           (SELECT min(id) FROM warehouse.domain_dim WHERE id > 0), 1, id % 20, at, at, at,
           'river', md5('a' || app), md5('a' || build), md5('u' || worker),
           'http://openrosa.org/x' || id % 40, '2.53.1', at, 0, 1
      FROM ({FORM}) AS form"""
KEYS = """
    ALTER TABLE warehouse.form_key DROP CONSTRAINT form_key_pkey;
    INSERT INTO warehouse.form_key (form_id, id, received_on, version_time, read_number, digest)
    SELECT form_id, id, received_on, version_time, read_number, id FROM warehouse.form_fact
     WHERE form_id <> 'first';
    ALTER TABLE warehouse.form_key ADD PRIMARY KEY (form_id);
    SELECT setval('warehouse.form_key_id_seq', (SELECT max(id) FROM warehouse.form_key))"""
# The report's rows by one statement over all facts, as the predecessor made them: the yardstick.
PLAIN = """
    INSERT INTO public.status
    SELECT DISTINCT ON (form.user_dim_id, form.app_dim_id)
           form.user_dim_id, form.app_dim_id, COALESCE(NULLIF(form.domain, ''), sync.domain),
           form.received_on, form.form_id, form.build_dim_id, form.app_version,
           form.commcare_version, sync.sync_date, 1
      FROM warehouse.form_fact AS form
      LEFT JOIN (SELECT DISTINCT ON (user_dim_id) user_dim_id, sync_date, domain
                   FROM warehouse.synclog_fact
                  ORDER BY user_dim_id, sync_date DESC, synclog_id DESC) AS sync
        ON sync.user_dim_id = form.user_dim_id
     WHERE form.state = 1 AND form.deleted_on IS NULL AND form.user_dim_id <> 0
     ORDER BY form.user_dim_id, form.app_dim_id, form.received_on DESC, form.form_id DESC"""
SIZES = """
    SELECT pg_size_pretty(sum(pg_total_relation_size(oid))), sum(pg_total_relation_size(oid)),
           regexp_replace(oid::regclass::text, '(_[0-9]{4})?_[0-9]+$', '') AS of
      FROM pg_class
     WHERE relkind IN ('r', 'm') AND relnamespace::regnamespace::text IN
           ('warehouse', 'staging', 'etl')
     GROUP BY of HAVING sum(pg_total_relation_size(oid)) > 1000000 ORDER BY 2 DESC"""


def month(number):
    return f"{2021 + number // 12}-{number % 12 + 1:02d}-01Z"


def build(warehouse, count):
    """count facts, in months; the batch that they name is complete and nobody's work."""
    warehouse.take("form", [{"form_id": "first", "received_on": "2020-12-31T00:00:00Z"}])
    sql(warehouse, DIMENSIONS)
    each = count // MONTHS
    for number in range(MONTHS):
        sql(warehouse, f"SELECT etl.make_month('warehouse.form_fact', '{month(number)[:10]}')")
        text = FACTS.replace("$FROM", month(number)).replace("$TO", month(number + 1))
        sql(
            warehouse,
            text.replace("$FIRST", str(1000 + number * each)).replace("$COUNT", str(each)),
        )
    sql(warehouse, KEYS)
    sql(warehouse, "VACUUM ANALYZE")


def forms(chance, day, count, known):
    """A batch of the day: a twentieth edits forms that there are, from all the years."""
    at = f"2026-01-{day:02d}T06:00:00Z"
    for number in range(count):
        worker = chance.randrange(4000)
        edited = number % 20 == 0
        name = f"f{chance.randrange(1000, known)}" if edited else f"d{day}.{count}.{number}"
        yield (name, worker, edited, at)


def write(warehouse, path, day, count, known):
    """The file is made by the server's own md5, as the facts were."""
    values = ",".join(
        f"('{name}',{worker},{'true' if edited else 'false'})"
        for name, worker, edited, _ in forms(random.Random(day), day, count, known)
    )
    lines = warehouse.sql.run(f"""
        SELECT json_build_object('form_id', md5(name)::uuid, 'domain', 'river',
                   'app_id', md5('a' || worker % 5), 'build_id', md5('a' || 5 + worker % 100),
                   'user_id', md5('u' || worker), 'xmlns', 'http://openrosa.org/x1', 'state', 1,
                   'received_on', to_char(COALESCE(key.received_on AT TIME ZONE 'UTC',
                                    '2026-01-{day:02d} 06:00'), 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
                   'edited_on', CASE WHEN edited THEN '2026-01-{day:02d}T07:00:00Z' END,
                   'commcare_version', '2.54.0', 'app_version', 21)
          FROM (VALUES {values}) AS form (name, worker, edited)
          LEFT JOIN warehouse.form_key AS key ON key.form_id = md5(name)::uuid::text AND edited""")
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")


def day(warehouse, number, count, known, times):
    path = f"{warehouse.folder}/day{number}.{count}.ndjson"
    write(warehouse, path, number, count, known)
    key = f"day/{number}/{count}"
    steps = {
        "load-staging": ("load-staging", "form", "--source", path),
        "transform-fact": ("transform-fact", "form"),
        "app-status-from-fact": ("app-status-from-fact", "form"),
    }
    for name, command in steps.items():
        settle(warehouse)
        times.setdefault((name, count), []).append(task(warehouse, *command, "--run-key", key))


def recompute_plainly(warehouse):
    """Without JIT, as our own sessions work."""
    sql(
        warehouse,
        """CREATE TABLE public.status (LIKE warehouse.app_status_fact INCLUDING ALL);
           SET jit = off""",
    )
    settle(warehouse)
    seconds = sql(warehouse, PLAIN)
    difference = warehouse.sql.number(
        """
        SELECT count(*)
          FROM (SELECT user_dim_id, app_dim_id, last_form_id FROM public.status
                EXCEPT
                SELECT user_dim_id, app_dim_id, last_form_id FROM warehouse.app_status_fact) AS x"""
    )
    if difference != 0:
        sys.exit(f"the yardstick differs in {difference:g} rows")
    sql(warehouse, "DROP TABLE public.status; RESET jit")
    return seconds


def measure(millions, days):
    warehouse, times, count = Warehouse(), {}, int(millions * 1000000)
    build(warehouse, count)
    recompute = task(warehouse, "app-status-from-fact", "form", "--run-key", "all")
    for number in range(1, days + 1):
        for size in (10000, 50000):
            day(warehouse, number, size, count, times)
    for name in ("transform-fact", "app-status-from-fact"):
        times[(name + " --dry-run", 50000)] = [
            task(warehouse, name, "form", "--dry-run", "--run-key", f"day/{days}/50000")
        ]
    task(warehouse, "verify-app-status")
    times[(RECOMPUTE, 0)] = [recompute]
    times[(PLAIN_RECOMPUTE, 0)] = [recompute_plainly(warehouse)]
    print(f"\nsizes at {millions:g} M facts, with {days} days' batches", file=sys.stderr)
    for pretty, _, name in warehouse.sql.tuples(SIZES):
        print(f"    {name:<36} {pretty:>10}", file=sys.stderr)
    times[("clear-staging", 0)] = [task(warehouse, "clear-staging")]
    drop(warehouse)
    return {step: statistics.median(each) for step, each in times.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", type=float, default=1, help="millions of facts to begin with")
    parser.add_argument("--large", type=float, default=20, help="millions of facts in the end")
    parser.add_argument("--days", type=int, default=3, help="how many days' batches")
    options = parser.parse_args()
    small, large = measure(options.small, options.days), measure(options.large, options.days)
    print(f"\n{'ours is at ' + format(options.large, 'g') + ' M facts':>78}")
    print(f"{'':>64}{'yardstick at ' + format(options.small, 'g') + ' M':>22}")
    head()
    for (name, count), seconds in large.items():
        of = f", {count:,} forms" if count else ""
        reach = "<= 1.20" if name in ("transform-fact", "app-status-from-fact") else ""
        show(name + of, reach, seconds / small[(name, count)], seconds, small[(name, count)])
    status = large[("app-status-from-fact", 10000)]
    for which in (RECOMPUTE, PLAIN_RECOMPUTE):
        whole = large[(which, 0)]
        show(f"app status of 10,000 forms, of {which}", ">= 100", whole / status, status, whole)
    show_memory()


main()
