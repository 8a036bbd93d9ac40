#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""load-staging --jobs: several sessions read a server, as one would."""

import os
import signal
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import documents as doc  # noqa: E402
from factline import Warehouse, backends, root, wait_for_lock  # noqa: E402
from harness import (
    check,
    contains,
    equal,
    for_each,
    main,
    same_rows,
    test,
    wait_until,
)  # noqa: E402
from source import SourceDatabase  # noqa: E402

COLUMNS = "form_id, domain, user_id, received_on, state, is_tombstone"


def source_of_forms(count, prefix="f"):
    """Forms of many pages, of which one in a thousand is a reject."""
    source = SourceDatabase()
    source.sql.run(f"""
        INSERT INTO form_processor_xforminstancesql (form_id, domain, xmlns, user_id, received_on)
        SELECT '{prefix}' || n, 'river', repeat('x', 100), 'u' || n % 9,
               CASE WHEN n % 1000 = 7 THEN '1999-01-01Z'
                    ELSE timestamptz '2024-03-01Z' + n * interval '1 minute' END
          FROM generate_series(1, {count}) AS n""")
    return source


def staged(warehouse, run, columns=COLUMNS, table="form"):
    return warehouse.sql.tuples(
        f"SELECT {columns} FROM staging.{table} WHERE batch_id = {run['batch_id']} ORDER BY 1"
    )


def blocked(warehouse, source, jobs):
    """A load whose sessions read while the warehouse takes nothing yet, and what holds it up."""
    warehouse.sql.run("""
        CREATE FUNCTION public.hold() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            PERFORM pg_advisory_xact_lock_shared(7);
            RETURN NULL;
        END $$;
        CREATE TRIGGER hold BEFORE INSERT ON staging.form EXECUTE FUNCTION public.hold()""")
    holder = warehouse.session()
    holder.run("BEGIN; SELECT pg_advisory_xact_lock(7)")
    command = ("load-staging", "form", "--source", source.spec, "--jobs", jobs)
    process = warehouse.start(*command, "--run-key", "k")
    wait_for_lock(warehouse.name, "load-staging%")
    equal(backends(source.name), jobs, "sessions at the source")
    return process, holder, command


def source_pids(source, condition="true"):
    return [
        int(line)
        for line in root().run(
            f"SELECT pid FROM pg_stat_activity WHERE datname = '{source.name}'"
            f" AND application_name <> 'psql' AND {condition} ORDER BY backend_start"
        )
    ]


@for_each([2, 3, 64])
def more_sessions_stage_the_rows_of_one(jobs):
    warehouse, source = Warehouse(), source_of_forms(3000)
    one = warehouse.load_from("form", [source])
    expected = staged(warehouse, one)
    warehouse = Warehouse()
    run = warehouse.load_from("form", [source], "--jobs", jobs)
    for name in ("rows_read", "rows_staged", "rows_rejected"):
        equal(run[name], one[name], name)
    contains(run.stderr, f"sessions={jobs} ", "log")
    equal(staged(warehouse, run), expected, "staged")
    equal(len(warehouse.rejects()), 3, "rejects")
    equal(warehouse.transform("form", run)["rows_inserted"], 2997, "rows_inserted")


@test
def a_table_in_parts_is_read_whole():
    source = SourceDatabase()
    source.sql.run("""
        ALTER TABLE phone_synclogsql RENAME TO heir;
        CREATE TABLE phone_synclogsql (LIKE heir INCLUDING ALL);
        ALTER TABLE heir INHERIT phone_synclogsql;
        INSERT INTO phone_synclogsql (synclog_id, user_id, date)
        SELECT md5('p' || n)::uuid, 'u', '2024-03-01Z' FROM generate_series(1, 50) AS n;
        INSERT INTO heir (synclog_id, user_id, date)
        SELECT md5('h' || n)::uuid, 'u', '2024-03-01Z' FROM generate_series(1, 2000) AS n""")
    seen = []
    for jobs in (1, 5):
        warehouse = Warehouse()
        run = warehouse.load_from("synclog", [source], "--jobs", jobs)
        seen.append(staged(warehouse, run, "synclog_id", "synclog"))
        equal(run["rows_staged"], 2050, f"with {jobs} jobs")
    equal(seen[0], seen[1], "staged")


@test
def shards_are_read_at_the_same_time_and_counted_each():
    warehouse, one, two = Warehouse(), source_of_forms(2000), source_of_forms(500, "g")
    empty = SourceDatabase()
    run = warehouse.load_from("form", [one, two, empty], "--jobs", 2)
    equal(run["rows_staged"], 2497, "rows_staged")
    rows = warehouse.sql.tuples("SELECT source, rows_staged FROM etl.batch_source")
    expected = {one.name: 1998, two.name: 499, empty.name: 0}
    same_rows([(name.rsplit("/", 1)[1], rows) for name, rows in rows], list(expected.items()))


@test
def all_sessions_see_the_same_moment():
    warehouse, source = Warehouse(), source_of_forms(20000)
    process, holder, _ = blocked(warehouse, source, 4)
    # Each row goes to another page, which another session reads.
    source.sql.run("UPDATE form_processor_xforminstancesql SET domain = 'moved'")
    holder.run("ROLLBACK")
    run = process.wait().ended(0)
    equal(run["rows_staged"], 19980, "rows_staged")
    equal(
        warehouse.sql.tuples("SELECT domain, count(DISTINCT form_id) FROM staging.form GROUP BY 1"),
        [("river", 19980)],
        "staged",
    )


@test
def a_window_with_a_start_is_left_to_one_session():
    warehouse, source = Warehouse(), source_of_forms(2000)
    warehouse.transform("form", warehouse.load_from("form", [source], "--jobs", 4))
    source.add_form("new")
    run = warehouse.load_from("form", [source], "--jobs", 4, "--overlap", "0s")
    equal(run["rows_staged"], 1, "rows_staged")
    contains(run.stderr, "sessions=1 ", "log")
    again = warehouse.load_from("form", [source], "--jobs", 4, "--settle", "1h")
    equal(again["rows_staged"], 0, "a window that ends before it starts")


@test
def files_and_documents_are_read_one_after_the_other():
    warehouse = Warehouse()
    paths = [warehouse.file([doc.form(name)]) for name in ("f1", "f2")]
    sources = [word for path in paths for word in ("--source", path)]
    equal(warehouse.run("load-staging", "form", *sources, "--jobs", 4)["rows_staged"], 2, "staged")


@for_each(["0", "65", "-1"])
def the_number_of_jobs_is_within_reason(jobs):
    run = Warehouse().run("load-staging", "form", "--source", "-", "--jobs", jobs, expect=64)
    contains(run.error, "--jobs", "error line")


@for_each([0, 2])
def a_session_that_is_killed_fails_the_load_and_nothing_is_staged(victim):
    warehouse, source = Warehouse(), source_of_forms(20000)
    process, holder, command = blocked(warehouse, source, 3)
    root().run(f"SELECT pg_terminate_backend({source_pids(source)[victim]})")
    holder.run("ROLLBACK")
    process.wait().ended(75)
    wait_until(lambda: backends(source.name) == 0, "the sessions at the source to be gone", 5)
    equal(warehouse.sql.number("SELECT count(*) FROM staging.form"), 0, "staged rows")
    run = warehouse.run(*command, "--run-key", "k")
    equal((run["attempt"], run["rows_staged"]), (2, 19980), "the retry")


@test
def a_session_that_cannot_be_had_fails_the_load():
    warehouse, source = Warehouse(), source_of_forms(2000)
    source.sql.run(f"""
        CREATE ROLE few_{source.name} LOGIN CONNECTION LIMIT 2 IN ROLE pg_read_all_stats;
        GRANT SELECT ON ALL TABLES IN SCHEMA public TO few_{source.name}""")
    try:
        spec = source.spec_of(user=f"few_{source.name}")
        run = warehouse.load_from("form", [spec], "--jobs", 4, expect=(69, 75))
        contains(run.error, "source", "error line")
        equal(warehouse.load_from("form", [spec], "--jobs", 2)["rows_staged"], 1998, "with two")
    finally:
        source.sql.run(f"DROP OWNED BY few_{source.name}; DROP ROLE few_{source.name}")


@test
def a_warehouse_that_goes_away_ends_all_sessions():
    warehouse, source = Warehouse(), source_of_forms(20000)
    process, holder, command = blocked(warehouse, source, 3)
    root().run(f"""SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                    WHERE datname = '{warehouse.name}' AND application_name LIKE 'load%'""")
    process.wait().ended(75)
    wait_until(lambda: backends(source.name) == 0, "the sessions at the source to be gone", 5)
    holder.run("ROLLBACK")
    run = warehouse.run(*command, "--run-key", "k")
    equal((run["attempt"], run["rows_staged"]), (2, 19980), "the retry")


@for_each(["the warehouse", "a source"])
def a_signal_ends_all_sessions_while_the_load_waits_for(whom):
    warehouse, source = Warehouse(), source_of_forms(20000)
    process, holder, _ = blocked(warehouse, source, 3)
    asleep = source_pids(source)[1]
    if whom == "a source":
        os.kill(asleep, signal.SIGSTOP)
        holder.run("ROLLBACK")
        # The others have been read to their end.
        wait_until(lambda: len(source_pids(source, "state = 'idle in transaction'")) == 2, "rows")
    begin = time.monotonic()
    try:
        process.signal(signal.SIGTERM)
        equal(process.wait(10).status, -signal.SIGTERM, "status")
        check(time.monotonic() - begin < 3, "it took too long")
    finally:
        if whom == "a source":
            os.kill(asleep, signal.SIGCONT)
    wait_until(lambda: backends(source.name) == 0, "the sessions at the source to be gone", 5)
    holder.run("ROLLBACK")
    equal(warehouse.sql.number("SELECT count(*) FROM staging.form"), 0, "staged rows")


if __name__ == "__main__":
    main()
