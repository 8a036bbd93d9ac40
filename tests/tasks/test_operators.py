#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What operators run: verify-app-status, batch-status, migrate-warehouse."""

import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import documents as doc  # noqa: E402
from factline import Warehouse, new_database, run_task, time_of  # noqa: E402
from harness import check, contains, equal, for_each, lacks, main, test  # noqa: E402
from source import SourceDatabase  # noqa: E402

FIRST, SECOND = "2024-03-01T09:00:00Z", "2024-03-02T09:00:00Z"


def filled():
    """A warehouse with three rows of app status: two of forms, one of a sync."""
    warehouse = Warehouse()
    warehouse.take("form", [doc.form("f1", FIRST), doc.form("f2", FIRST, user_id="ben")])
    warehouse.take("synclog", [doc.synclog(1, SECOND, user_id="cleo")])
    warehouse.app_status()
    return warehouse


# ---- verify-app-status ----


@test
def verify_finds_no_drift_after_the_steps():
    warehouse = filled()
    run = warehouse.run("verify-app-status")
    equal(
        [
            run[name]
            for name in (
                "rows_checked",
                "rows_missing",
                "rows_extra",
                "rows_different",
                "rows_pending",
                "rows_repaired",
            )
        ],
        [3, 0, 0, 0, 0, 0],
        "counts",
    )


DRIFTS = {
    "rows_missing": "DELETE FROM warehouse.app_status_fact WHERE last_form_id = 'f1'",
    "rows_extra": """INSERT INTO warehouse.app_status_fact
                     SELECT (json_populate_record(f, json_build_object('app_dim_id', 0))).*
                       FROM warehouse.app_status_fact AS f WHERE f.last_form_id = 'f1'""",
    "rows_different": """UPDATE warehouse.app_status_fact
                           SET last_form_submission_date = '2024-01-01Z'
                          WHERE last_form_id = 'f1'""",
}


@for_each(sorted(DRIFTS))
def drift_is_found_named_and_repaired(kind):
    warehouse = filled()
    expected = warehouse.status_rows()
    warehouse.sql.run(DRIFTS[kind])
    check(warehouse.status_rows() != expected, "the test itself: nothing drifted")
    run = warehouse.run("verify-app-status", expect=65)
    equal(run.stdout, "", "standard output")
    contains(run.error, "--repair", "the remedy")
    run = warehouse.run("verify-app-status", "--repair")
    equal((run[kind], run["rows_repaired"]), (1, 1), f"{kind}, rows_repaired")
    equal(warehouse.status_rows(), expected, "app status")
    equal(warehouse.run("verify-app-status")[kind], 0, kind)


@for_each(
    [
        "last_form_id = 'x'",
        "last_form_app_version = '9'",
        "last_form_commcare_version = NULL",
        "domain = 'hill'",
        "last_sync_log_date = '2024-01-01Z'",
        "last_form_build_dim_id = 0",
    ]
)
def drift_of_any_column_is_found(change):
    warehouse = filled()
    warehouse.sql.run(f"UPDATE warehouse.app_status_fact SET {change} WHERE last_form_id = 'f1'")
    warehouse.run("verify-app-status", expect=65)
    equal(warehouse.run("verify-app-status", "--repair")["rows_repaired"], 1, "rows_repaired")
    warehouse.run("verify-app-status")


@test
def what_is_not_consumed_yet_is_pending_and_no_drift():
    warehouse = filled()
    warehouse.take("form", [doc.form("f3", SECOND), doc.form("f4", SECOND, user_id="dan")])
    warehouse.take("synclog", [doc.synclog(2, SECOND, user_id="ben")])
    run = warehouse.run("verify-app-status")
    equal((run["rows_missing"], run["rows_extra"], run["rows_different"]), (0, 0, 0), "drift")
    check(run["rows_pending"] >= 3, f"rows_pending is {run['rows_pending']}")
    warehouse.app_status()
    equal(warehouse.run("verify-app-status")["rows_pending"], 0, "rows_pending")


@test
def drift_beside_pending_rows_is_still_drift():
    warehouse = filled()
    warehouse.take("form", [doc.form("f4", SECOND, user_id="dan")])
    warehouse.sql.run(DRIFTS["rows_different"])
    warehouse.run("verify-app-status", expect=65)


@test
def a_dry_run_of_the_repair_repairs_nothing():
    warehouse = filled()
    warehouse.sql.run(DRIFTS["rows_missing"])
    before = warehouse.status_rows()
    warehouse.run("verify-app-status", "--repair", "--dry-run", expect=(0, 65))
    equal(warehouse.status_rows(), before, "app status")


# ---- batch-status ----


def document(warehouse, *options, expect=0):
    run = warehouse.run("batch-status", "--json", *options, expect=expect)
    found = json.loads(run.stdout)
    equal(list(found), ["workflows"], "names of the document")
    names = [
        "workflow",
        "last_until",
        "lag_seconds",
        "open",
        "failed",
        "gaps",
        "rejects",
        "unconsumed",
    ]
    for entry in found["workflows"]:
        check(set(names) <= set(entry), f"an entry lacks a name: {entry}")
    return {entry["workflow"]: entry for entry in found["workflows"]}


@test
def the_status_of_a_fresh_warehouse_can_be_shown():
    warehouse = Warehouse()
    run = warehouse.run("batch-status")
    check(run.stdout != "", "no table")
    document(warehouse)


@test
def the_status_of_each_workflow_is_shown_as_a_table_and_as_a_document():
    warehouse, source = Warehouse(), SourceDatabase()
    source.add_form("f1")
    loaded = warehouse.load_from("form", [source])
    entry = document(warehouse)["form"]
    equal((entry["last_until"], entry["open"]), (None, 1), "before the transform")
    warehouse.transform("form", loaded)
    entry = document(warehouse)["form"]
    equal(
        (time_of(entry["last_until"]), entry["open"], entry["failed"]),
        (time_of(loaded["until"]), 0, 0),
        "after",
    )
    check(0 <= entry["lag_seconds"] < 120, f"lag_seconds is {entry['lag_seconds']}")
    equal(document(warehouse)["app_status_form"]["unconsumed"], 1, "unconsumed")
    table = warehouse.run("batch-status").stdout
    for word in ("form", "synclog", "app_status_form"):
        contains(table, word, "table")
    warehouse.app_status()
    equal(document(warehouse)["app_status_form"]["unconsumed"], 0, "unconsumed")
    check(
        document(warehouse)["app_status_form"]["last_until"] is not None,
        "the derived workflow has a last end",
    )
    equal(list(document(warehouse, "form")), ["form"], "one workflow asked for")


@test
def failed_batches_and_rejects_are_counted():
    warehouse = Warehouse()
    warehouse.load("form", ["{broken"] * 20, expect=65)
    warehouse.load("user", [doc.user(), "{broken"])
    entries = document(warehouse)
    equal((entries["form"]["failed"], entries["form"]["rejects"]), (1, 20), "forms")
    equal(
        (entries["user"]["failed"], entries["user"]["rejects"], entries["user"]["open"]),
        (0, 1, 1),
        "users",
    )


@test
def files_count_their_lag_from_the_load():
    warehouse = Warehouse()
    warehouse.take("user", [doc.user()])
    check(0 <= document(warehouse)["user"]["lag_seconds"] < 120, "lag of a file")


@test
def a_stale_workflow_is_told_by_the_exit_status_and_still_shown():
    warehouse = Warehouse()
    warehouse.take("user", [doc.user()])
    warehouse.run("batch-status", "user", "--max-lag", "1h")
    warehouse.sql.run("""UPDATE etl.batch SET until = until - interval '2 hours',
                                completed_at = completed_at - interval '2 hours';
                         UPDATE etl.batch_source SET until = until - interval '2 hours',
                                clock = clock - interval '2 hours'""")
    run = warehouse.run("batch-status", "user", "--max-lag", "1h", expect=79)
    contains(run.stdout, "user", "the table is shown")
    run = warehouse.run("batch-status", "user", "--max-lag", "1h", "--json", expect=79)
    equal(json.loads(run.stdout)["workflows"][0]["workflow"], "user", "the document is shown")
    warehouse.run("batch-status", "--max-lag", "1h", expect=79)


@test
def a_workflow_that_never_completed_is_stale():
    warehouse = Warehouse()
    warehouse.run("batch-status", "form", "--max-lag", "1h", expect=79)
    warehouse.load("form", [doc.form("f1")])
    warehouse.run("batch-status", "form", "--max-lag", "1h", expect=79)
    warehouse.run("batch-status", "--max-lag", "1h", expect=79)


@test
def a_derived_workflow_that_chose_its_batches_has_completed():
    warehouse = Warehouse()
    warehouse.take("form", [doc.form("f1")])
    warehouse.run("app-status-from-fact", "form", "--from-date", "2024-01-01")
    warehouse.run("batch-status", "app_status_form", "--max-lag", "1h")


@test
def a_source_that_was_left_out_is_named():
    warehouse, one, two = Warehouse(), SourceDatabase(), SourceDatabase()
    warehouse.take_from("form", [one, two])
    warehouse.take_from("form", [one], "--overlap", "0s")
    run = warehouse.run("batch-status")
    contains(run.output, two.name, "the source that was left out")
    lacks(run.output, one.name, "the source that was not")


@test
def the_consumers_of_a_gap_are_told_where_it_lies():
    warehouse, source = Warehouse(), SourceDatabase()
    one = warehouse.load_from("form", [source])
    warehouse.transform("form", one)
    equal(document(warehouse)["form"]["gaps"] in (0, []), True, "gaps")
    warehouse.take_from("form", [source], "--overlap", "0s")
    warehouse.sql.run("""UPDATE etl.batch SET since = since + interval '1 microsecond' WHERE id =
                           (SELECT max(id) FROM etl.batch);
                         UPDATE etl.batch_source SET since = since + interval '1 microsecond'
                           WHERE batch_id =
                           (SELECT max(id) FROM etl.batch)""")
    check(document(warehouse)["form"]["gaps"] not in (0, []), "the gap is not shown")


# ---- migrate-warehouse ----


@test
def migration_makes_the_schema_once():
    database = new_database()
    first = run_task("migrate-warehouse", database=database).ended(0)
    check(first["migrations_applied"] > 0, "nothing was applied")
    second = run_task("migrate-warehouse", database=database).ended(0)
    equal(second["migrations_applied"], 0, "migrations_applied again")


@test
def a_database_that_others_use_under_the_same_names_is_a_configuration_error():
    warehouse = Warehouse(migrated=False)
    warehouse.sql.run("CREATE SCHEMA warehouse; CREATE TABLE warehouse.form_fact (id integer)")
    run = warehouse.run("migrate-warehouse", expect=78)
    contains(run.error, "a database of its own", "the remedy")
    equal(warehouse.sql.value("SELECT to_regnamespace('etl')"), "", "left of the migration")


@test
def two_migrations_at_once_take_turns():
    warehouse = Warehouse(migrated=False)
    processes = [warehouse.start("migrate-warehouse") for _ in range(3)]
    applied = sorted(process.wait().ended(0)["migrations_applied"] for process in processes)
    equal(applied[:2], [0, 0], "of three one applies")
    check(applied[2] > 0, "nothing was applied")


@test
def a_schema_that_is_too_new_or_too_old_is_a_configuration_error():
    warehouse = Warehouse()
    path = warehouse.file([doc.form("f1")])
    warehouse.sql.run("""INSERT INTO etl.schema_version (component, number, works_from)
                          SELECT component, max(number) + 1, max(works_from) FROM etl.schema_version
                           GROUP BY component""")
    equal(
        warehouse.run("load-staging", "form", "--source", path)["status"],
        "done",
        "a newer schema that still works",
    )
    warehouse.sql.run("UPDATE etl.schema_version SET works_from = number + 100")
    warehouse.run("load-staging", "form", "--source", path, expect=78)
    warehouse.sql.run("""UPDATE etl.schema_version SET works_from = 1;
                         DELETE FROM etl.schema_version WHERE component = 'commcare'""")
    run = warehouse.run("load-staging", "form", "--source", path, expect=78)
    contains(run.error, "migrate-warehouse", "the remedy")


@test
def migration_waits_a_bounded_time_for_running_steps():
    warehouse = Warehouse()
    holder = warehouse.session()
    holder.run(
        "BEGIN; SELECT * FROM etl.schema_version; LOCK TABLE etl.schema_version IN ACCESS"
        " SHARE MODE"
    )
    run = warehouse.run("migrate-warehouse", "--lock-timeout", "1s", expect=(0, 75))
    check(run.seconds < 20, "the wait is not bounded")


if __name__ == "__main__":
    main()
