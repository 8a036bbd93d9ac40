#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""clear-staging: what is over goes, nothing else, and nobody waits for it."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import documents as doc  # noqa: E402
from factline import SqlError, Warehouse  # noqa: E402
from harness import check, contains, equal, main, test, wait_until  # noqa: E402

SECOND = "2024-03-02T09:00:00Z"
PARTS = "SELECT count(*) FROM pg_inherits WHERE inhparent = 'staging.form'::regclass"


@test
def staging_of_finished_batches_and_consumed_logs_are_cleared_and_nothing_else():
    warehouse = Warehouse()
    done = warehouse.load("form", [doc.form("f1")])
    warehouse.transform("form", done)
    waiting = warehouse.load("form", [doc.form("f2", SECOND)])
    logs = "SELECT count(*) FROM warehouse.form_change_log"
    check(warehouse.sql.number(logs) >= 1, "the test itself: no change log")
    warehouse.run("clear-staging")
    equal(warehouse.sql.tuples("SELECT form_id FROM staging.form"), [("f2",)], "staging")
    check(warehouse.sql.number(logs) >= 1, "log rows that were not consumed are gone")
    warehouse.transform("form", waiting)
    warehouse.app_status("form")
    run = warehouse.run("clear-staging")
    check(run["rows_deleted"] >= 2, f"rows_deleted is {run['rows_deleted']}")
    equal(
        (warehouse.sql.number("SELECT count(*) FROM staging.form"), warehouse.sql.number(logs)),
        (0, 0),
        "left",
    )
    equal(warehouse.run("clear-staging")["rows_deleted"], 0, "rows_deleted again")
    equal(
        warehouse.status_rows(),
        [("asha", "anc", "f2", "2024-03-02T09:00:00+00:00", None)],
        "app status",
    )


@test
def a_cleared_batch_is_still_done():
    warehouse = Warehouse()
    path = warehouse.file([doc.form("f1")])
    loaded = warehouse.run("load-staging", "form", "--source", path, "--run-key", "k")
    warehouse.transform("form", loaded)
    warehouse.run("clear-staging")
    equal(
        warehouse.run("load-staging", "form", "--source", path, "--run-key", "k")["status"],
        "already-done",
        "load",
    )
    equal(warehouse.transform("form", loaded)["status"], "already-done", "transform")


@test
def one_workflow_can_be_cleared_alone():
    warehouse = Warehouse()
    warehouse.take("form", [doc.form("f1")])
    warehouse.take("user", [doc.user()])
    warehouse.run("clear-staging", "user")
    equal(
        (
            warehouse.sql.number("SELECT count(*) FROM staging.form"),
            warehouse.sql.number('SELECT count(*) FROM staging."user"'),
        ),
        (1, 0),
        "staging",
    )


@test
def old_rejects_are_cleared_after_their_time():
    warehouse = Warehouse()
    warehouse.load("user", [doc.user(), "{broken", "{young"])
    warehouse.sql.run(
        "UPDATE etl.rejected_row SET rejected_at = now() - interval '31 days' WHERE position = 2"
    )
    warehouse.run("clear-staging")
    equal(warehouse.sql.tuples("SELECT position FROM etl.rejected_row"), [(3,)], "rejects")
    warehouse.run("clear-staging", "--keep-rejects", "0s")
    equal(warehouse.sql.number("SELECT count(*) FROM etl.rejected_row"), 0, "rejects")


@test
def staging_that_somebody_reads_or_writes_waits_for_the_next_run():
    warehouse = Warehouse()
    warehouse.take("form", [doc.form("f1")])
    busy = warehouse.session()
    busy.run("BEGIN; SELECT FROM staging.form")
    run = warehouse.start("clear-staging", "form").wait(3).ended(0)
    equal(run.result["status"], "nothing-to-do", "status")
    contains(run.stderr, "staging_in_use batches=1", "standard error")
    busy.run("ROLLBACK")
    equal(warehouse.run("clear-staging", "form")["rows_deleted"], 1, "rows_deleted")
    equal(warehouse.sql.number(PARTS), 0, "parts")


@test
def what_hundreds_of_batches_left_goes_in_one_run():
    warehouse = Warehouse()
    warehouse.sql.run("""INSERT INTO etl.batch (
                   workflow, run_key, fingerprint, kind, since, until, state)
            SELECT 'form', n::text, '', 'incremental', '-infinity', now(), 'superseded'
              FROM generate_series(1, 230) AS n;
            SELECT etl.make_staging('form', id) FROM etl.batch;
            INSERT INTO staging.form (batch_id, form_id) SELECT id, 'f' FROM etl.batch""")
    equal(warehouse.run("clear-staging")["rows_deleted"], 230, "rows_deleted")
    equal(warehouse.sql.number(PARTS), 0, "parts")


@test
def a_load_that_failed_long_ago_leaves_no_part():
    warehouse = Warehouse()
    path = warehouse.file([doc.form("f1")])
    warehouse.run("load-staging", "form", "--source", path, "--expect-rows", "2", expect=65)
    warehouse.run("clear-staging")
    equal(warehouse.sql.number(PARTS), 1, "parts of a batch that may be tried again")
    warehouse.sql.run("UPDATE etl.batch SET opened_at = opened_at - interval '8 days'")
    warehouse.run("clear-staging")
    equal(warehouse.sql.number(PARTS), 0, "parts")


@test
def a_batch_that_a_session_works_on_keeps_its_part_however_old():
    warehouse = Warehouse()
    warehouse.load("form", [doc.form("f1")])
    worker = warehouse.session()
    worker.run("""UPDATE etl.batch_step AS step
                     SET ended_at = NULL, backend = pid, backend_start = activity.backend_start
                    FROM pg_stat_activity AS activity
                   WHERE pid = pg_backend_pid()""")
    for state in ("staged", "superseded"):
        warehouse.sql.run(f"UPDATE etl.batch SET state = '{state}'")
        run = warehouse.run("clear-staging", "--keep-staging", "0s")
        equal(run["status"], "nothing-to-do", state)
        contains(run.stderr, "staging_in_use batches=1", state)
    worker.close()
    wait_until(
        lambda: warehouse.run("clear-staging", "--keep-staging", "0s")["rows_deleted"] == 1,
        "the part is kept for a session that is gone",
    )


@test
def a_part_is_made_for_a_batch_of_its_feed_alone():
    warehouse = Warehouse()
    warehouse.take("user", [doc.user()])
    for feed in ("form", "x; DROP TABLE etl.batch"):
        try:
            warehouse.sql.run(f"SELECT etl.make_staging('{feed}', 1)")
            check(False, f"a part of {feed}")
        except SqlError as error:
            contains(str(error), "not a batch of this feed", feed)


main()
