#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The fifteen rules of batches, one test at least for each, in the design's order."""

import os
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import documents as doc  # noqa: E402
from factline import Warehouse, backends, time_of, wait_for_lock  # noqa: E402
from harness import check, contains, equal, main, same_rows, test, wait_until  # noqa: E402
from source import SourceDatabase  # noqa: E402

MARCH, APRIL, MAY = "2024-03-10T00:00:00Z", "2024-04-10T00:00:00Z", "2024-05-10T00:00:00Z"
NO_OVERLAP = ("--overlap", "0s")


def facts(warehouse, columns="form_id, state"):
    return warehouse.sql.tuples(f"SELECT {columns} FROM warehouse.form_fact ORDER BY form_id")


def killed_load(warehouse, source, key):
    """A load that was killed while it staged."""
    holder = warehouse.session()
    holder.run("BEGIN; LOCK TABLE staging.form IN ACCESS EXCLUSIVE MODE")
    process = warehouse.start(
        "load-staging", "form", "--source", source.spec, "--run-key", key, *NO_OVERLAP
    )
    wait_for_lock(warehouse.name, "load-staging%")
    process.signal(signal.SIGKILL)
    process.wait()
    holder.run("ROLLBACK")
    wait_until(lambda: backends(warehouse.name) == 0, "the killed load's session to end")


@test
def rule_1_the_window_is_fixed_when_the_batch_is_opened_and_a_retry_never_computes_it_anew():
    warehouse, source = Warehouse(), SourceDatabase()
    source.add_form("f1")
    killed_load(warehouse, source, "k")
    window = warehouse.sql.tuples("SELECT since, until, state FROM etl.batch")
    equal(
        (len(window), window[0][2] in ("open", "failed")), (1, True), "the batch of the killed load"
    )
    source.add_form("f2")
    run = warehouse.load_from("form", [source], *NO_OVERLAP, key="k")
    equal(
        warehouse.sql.tuples("SELECT since, until, state FROM etl.batch"),
        [(*window[0][:2], "staged")],
        "window",
    )
    equal(
        (time_of(run["until"]), run["rows_staged"]),
        (time_of(window[0][1]), 1),
        "the line; f2 is outside",
    )


@test
def rule_2_the_watermark_belongs_to_the_workflow_and_the_source():
    warehouse, one, two = Warehouse(), SourceDatabase(), SourceDatabase()
    one.add_form("f1", MARCH)
    two.add_form("f2", MARCH)
    one.add_synclog(1, MARCH)
    first = warehouse.load_from("form", [one])
    warehouse.transform("form", first)
    equal(
        warehouse.load_from("synclog", [one])["since"],
        None,
        "another workflow begins at the beginning",
    )
    second = warehouse.load_from("form", [one, two], *NO_OVERLAP)
    rows = {
        row[0]: row[1]
        for row in warehouse.sql.tuples(
            f"SELECT source, since FROM etl.batch_source WHERE batch_id = {second['batch_id']}"
        )
    }
    for name, since in rows.items():
        expected = time_of(first["until"]) if one.name in name else "-infinity"
        equal(since if since == "-infinity" else time_of(since), expected, f"since of {name}")
    equal(second["rows_staged"], 1, "the form of the new source alone")
    warehouse.transform("form", second)
    warehouse.take_from("form", [two], *NO_OVERLAP)
    contains(warehouse.run("batch-status").output, one.name, "the source that was left out")


@test
def rule_2_files_have_no_watermark_and_move_none():
    warehouse = Warehouse()
    path = warehouse.file([doc.form("f1")])
    for key in ("a", "b"):
        run = warehouse.run("load-staging", "form", "--source", path, "--run-key", key)
        equal((run["since"], run["rows_staged"]), (None, 1), "each load reads the whole file")
        warehouse.transform("form", run)


@test
def rule_3_a_batch_that_was_left_behind_loses_nothing():
    warehouse, source = Warehouse(), SourceDatabase()
    source.add_form("f1")
    first = warehouse.load_from("form", [source])
    warehouse.transform("form", first)
    source.add_form("f2")
    warehouse.load_from("form", [source], *NO_OVERLAP)  # never transformed
    killed_load(warehouse, source, "never-again")
    source.add_form("f3")
    third = warehouse.load_from("form", [source], *NO_OVERLAP)
    equal(
        (third["since"], third["rows_staged"]), (first["until"], 2), "since the last complete end"
    )
    warehouse.transform("form", third)
    equal([row[0] for row in facts(warehouse)], ["f1", "f2", "f3"], "facts")


@test
def rule_4_a_row_committed_late_does_not_fall_between_two_windows():
    warehouse, one, two = Warehouse(), SourceDatabase(), SourceDatabase()
    writer = two.session()
    writer.run("BEGIN")
    two.add_form("late", session=writer)
    one.add_form("f1")
    warehouse.take_from("form", [one, two])
    writer.run("COMMIT")
    warehouse.take_from("form", [one, two], *NO_OVERLAP)
    equal([row[0] for row in facts(warehouse)], ["f1", "late"], "facts")


@test
def rule_4_our_own_reading_transactions_hold_nothing_back():
    warehouse, source = Warehouse(), SourceDatabase()
    source.add_form("f1")
    holder = warehouse.session()
    holder.run("BEGIN; LOCK TABLE staging.form IN ACCESS EXCLUSIVE MODE")
    process = warehouse.start("load-staging", "form", "--source", source.spec)
    wait_for_lock(warehouse.name, "load-staging%")
    other, before = Warehouse(), source.now()
    run = other.load_from("form", [source])
    check(time_of(run["until"]) >= time_of(before), f"until {run['until']}, asked at {before}")
    holder.run("ROLLBACK")
    process.wait().ended(0)


@test
def rule_5_a_finished_step_is_answered_from_a_plain_read_without_a_new_attempt():
    warehouse = Warehouse()
    loaded = warehouse.load("form", [doc.form("f1")], key="k")
    warehouse.transform("form", loaded)
    ledger = """SELECT (SELECT array_agg(b.attempt || ' ' || b.xmin::text)
                  FROM etl.batch AS b) AS batches,
                       (SELECT count(*) FROM etl.batch_step) AS steps"""
    before = warehouse.sql.tuples(ledger)
    holder = warehouse.session()
    holder.run("BEGIN; SELECT * FROM etl.batch FOR UPDATE")
    equal(
        warehouse.transform("form", loaded, "--lock-timeout", "1s")["status"],
        "already-done",
        "transform",
    )
    equal(
        warehouse.run(
            "load-staging",
            "form",
            "--run-key",
            "k",
            "--source",
            os.path.join(warehouse.folder, "records1.ndjson"),
            "--lock-timeout",
            "1s",
        )["status"],
        "already-done",
        "load",
    )
    equal(warehouse.sql.tuples(ledger), before, "the ledger")


@test
def rule_5_each_attempt_leaves_a_row_and_failed_is_written_only_where_the_attempt_is_ours():
    warehouse = Warehouse()
    path = warehouse.file(["{"] * 20, "forms.ndjson")
    command = ["load-staging", "form", "--source", path, "--run-key", "k"]
    warehouse.run(*command, expect=65)
    warehouse.file([doc.form("f1")], "forms.ndjson")
    warehouse.run(*command)
    warehouse.run("transform-fact", "form", "--run-key", "k")
    equal(
        warehouse.sql.tuples(
            "SELECT attempt, step, outcome, status FROM etl.batch_step ORDER BY" " 1"
        ),
        [
            (1, "load-staging", "failed", 65),
            (2, "load-staging", "done", 0),
            (3, "transform-fact", "done", 0),
        ],
        "steps",
    )
    row = warehouse.sql.rows("SELECT state, failed_status FROM etl.batch")[0]
    equal(row["state"], "complete", "state")


@test
def rule_6_a_load_is_already_done_only_while_its_staging_still_matches():
    warehouse = Warehouse()
    path = warehouse.file([doc.form("f1"), doc.form("f2")])
    command = ["load-staging", "form", "--source", path, "--run-key", "k"]
    first = warehouse.run(*command)
    equal(warehouse.run(*command)["status"], "already-done", "with its staging")
    warehouse.sql.run("DELETE FROM staging.form WHERE form_id = 'f1'")
    warehouse.transform("form", first, expect=65)
    again = warehouse.run(*command)
    equal((again["status"], again["rows_staged"]), ("done", 2), "staged anew")
    warehouse.transform("form", first)
    warehouse.sql.run("TRUNCATE staging.form")
    equal(warehouse.run(*command)["status"], "already-done", "complete, its staging gone")


@test
def rule_6_lost_staging_never_completes_an_empty_batch():
    warehouse = Warehouse()
    loaded = warehouse.load("user", [doc.user()])
    warehouse.sql.run('TRUNCATE staging."user"')
    for _ in range(2):
        contains(
            warehouse.transform("user", loaded, expect=65).error, "load-staging again", "the remedy"
        )
    check(warehouse.batch(loaded["batch_id"])["state"] != "complete", "the batch is complete")


@test
def rule_7_an_empty_load_completes_its_batch_and_moves_the_watermark():
    warehouse, source = Warehouse(), SourceDatabase()
    first = warehouse.load_from("form", [source])
    equal(
        (first["status"] in ("done", "nothing-to-do"), warehouse.batch(first["batch_id"])["state"]),
        (True, "complete"),
        "the empty load",
    )
    equal(warehouse.transform("form", first)["status"], "nothing-to-do", "its transform")
    equal(
        warehouse.load_from("form", [source], *NO_OVERLAP)["since"],
        first["until"],
        "the next since",
    )


@test
def rule_7_a_derived_step_that_finds_nothing_makes_no_batch():
    warehouse = Warehouse()
    for side in ("form", "synclog"):
        equal(warehouse.app_status(side)["status"], "nothing-to-do", side)
    equal(warehouse.sql.number("SELECT count(*) FROM etl.batch"), 0, "batches")


@test
def rule_8_a_complete_batch_is_never_reopened():
    warehouse, source = Warehouse(), SourceDatabase()
    source.add_form("f1")
    first = warehouse.load_from("form", [source], key="k")
    warehouse.transform("form", first)
    warehouse.transform("form", first, "--force", expect=64)
    source.add_form("f2")
    forced = warehouse.load_from("form", [source], "--force", key="k")
    check(
        forced["batch_id"] != first["batch_id"]
        and time_of(forced["until"]) > time_of(first["until"]),
        "a new generation has a new window",
    )
    equal(
        warehouse.sql.tuples("SELECT generation, state FROM etl.batch ORDER BY id"),
        [(1, "complete"), (2, "staged")],
        "states",
    )
    warehouse.load_from("form", [source], "--force", key="k")
    equal(
        warehouse.sql.tuples("SELECT generation, state FROM etl.batch ORDER BY id"),
        [(1, "complete"), (2, "superseded"), (3, "staged")],
        "states",
    )
    again = warehouse.load_from("form", [source], "--force", "--batch-id", first["batch_id"])
    equal(
        (warehouse.batch(again["batch_id"])["generation"], again["status"]),
        (4, "done"),
        "whichever generation is named",
    )


@test
def rule_6_staging_that_is_lost_while_a_transform_waits_completes_nothing():
    warehouse = Warehouse()
    loaded = warehouse.load("form", [doc.form("f1"), doc.form("f2")])
    holder = warehouse.session()
    holder.run("BEGIN; SELECT FROM etl.target FOR UPDATE")
    process = warehouse.start("transform-fact", "form", "--batch-id", loaded["batch_id"])
    wait_for_lock(warehouse.name, "transform-fact%")
    warehouse.sql.run("DELETE FROM staging.form WHERE form_id = 'f1'")
    holder.run("COMMIT")
    contains(process.wait().ended(65).error, "run load-staging again", "the error")
    equal(facts(warehouse), [], "facts")


@test
def rule_9_inferred_members_are_there_before_the_facts():
    warehouse = Warehouse()
    loaded = warehouse.load("form", [doc.form("f1"), doc.form("f2", MAY, user_id="ben")])
    holder = warehouse.session()
    holder.run("BEGIN; LOCK TABLE warehouse.form_key IN ACCESS EXCLUSIVE MODE")
    process = warehouse.start("transform-fact", "form", "--batch-id", loaded["batch_id"])
    wait_for_lock(warehouse.name, "transform-fact%")
    equal(
        warehouse.sql.number("SELECT count(*) FROM warehouse.user_dim WHERE is_inferred"),
        2,
        "inferred users",
    )
    process.signal(signal.SIGTERM)
    process.wait()
    holder.run("ROLLBACK")
    equal(facts(warehouse), [], "facts")
    equal(warehouse.transform("form", loaded)["rows_inserted"], 2, "the retry")
    equal(
        warehouse.sql.number("SELECT count(*) FROM warehouse.user_dim WHERE is_inferred"),
        2,
        "inferred users",
    )


@test
def rule_10_the_greater_version_wins_whichever_batch_is_transformed_first():
    for order in ((0, 1, 2), (2, 1, 0), (1, 2, 0), (2, 0, 1)):
        warehouse = Warehouse()
        loads = [
            warehouse.load("form", [doc.form("f1", MARCH, server_modified_on=time, state=state)])
            for time, state in ((MARCH, 1), (MAY, 2), (APRIL, 4))
        ]
        for number in order:
            warehouse.transform("form", loads[number])
        equal(facts(warehouse), [("f1", 2)], f"facts in the order {order}")


@test
def rule_10_what_a_later_snapshot_shows_is_newer_whatever_application_clocks_say():
    warehouse, source = Warehouse(), SourceDatabase()
    source.add_form("f1", MARCH, server_modified_on="2099-01-01T00:00:00Z")
    first = warehouse.load_from("form", [source])
    source.sql.run("""UPDATE form_processor_xforminstancesql
                         SET state = 2, server_modified_on = '2020-01-01Z'""")
    second = warehouse.load_from("form", [source], "--since", "2019-12-31", "--until", "2020-01-02")
    warehouse.transform("form", second)
    warehouse.transform("form", first)
    equal(facts(warehouse), [("f1", 2)], "facts")


@test
def rule_10_of_equal_times_the_later_read_wins():
    for order in ((0, 1), (1, 0)):
        warehouse = Warehouse()
        loads = [
            warehouse.load("user", [doc.user("asha", MARCH, first_name=name)])
            for name in ("One", "Two")
        ]
        for number in order:
            warehouse.transform("user", loads[number])
        equal(
            warehouse.sql.value("SELECT first_name FROM warehouse.user_dim WHERE id > 0"),
            "Two",
            f"order {order}",
        )


@test
def rule_11_what_did_not_change_keeps_its_batch_and_wakes_nobody():
    warehouse = Warehouse()
    first = warehouse.take("form", [doc.form("f1", MARCH), doc.form("f2", MARCH)])
    warehouse.app_status("form")
    second = warehouse.take(
        "form",
        [
            doc.form("f1", MARCH, server_modified_on=MARCH),
            doc.form("f2", MARCH, state=2, server_modified_on=APRIL),
        ],
    )
    equal(
        facts(warehouse, "form_id, batch_id"),
        [("f1", int(first["batch_id"])), ("f2", int(second["batch_id"]))],
        "batch ids",
    )
    warehouse.take("form", [doc.form("f1", MARCH)])
    run = warehouse.app_status("form")
    equal(
        (run["rows_updated"], run["rows_deleted"]),
        (0, 0) if run["rows_inserted"] else (1, 0),
        "counts",
    )
    third = warehouse.take("form", [doc.form("f1", MARCH)])
    equal(
        warehouse.sql.number(
            "SELECT count(*) FROM warehouse.form_change_log WHERE batch_id ="
            f" {third['batch_id']}"
        ),
        0,
        "log rows of an unchanged batch",
    )


@test
def rule_11_an_unchanged_row_is_newer_than_an_older_batch_that_comes_after_it():
    warehouse, source = Warehouse(), SourceDatabase()
    source.add_form("f1", MARCH)
    warehouse.take_from("form", [source])
    source.archive("f1")
    archived = warehouse.load_from("form", [source], *NO_OVERLAP)
    source.unarchive("f1")
    back = warehouse.load_from("form", [source], *NO_OVERLAP)
    equal(warehouse.transform("form", back)["rows_unchanged"], 1, "as it was at first")
    equal(warehouse.transform("form", archived)["rows_older"], 1, "the batch in between")
    equal(facts(warehouse), [("f1", 1)], "facts")


@test
def rule_12_a_form_that_moves_from_one_user_to_another_logs_both():
    warehouse = Warehouse()
    warehouse.take("form", [doc.form("f1", MARCH)])
    run = warehouse.take(
        "form", [doc.form("f1", MARCH, user_id="ben", app_id="pnc", server_modified_on=APRIL)]
    )
    same_rows(
        warehouse.sql.tuples(f"""SELECT u.user_id, a.application_id
                                         FROM warehouse.form_change_log AS l
        JOIN warehouse.user_dim AS u ON u.id = l.user_dim_id JOIN warehouse.application_dim AS a
          ON a.id = l.app_dim_id
        WHERE l.batch_id = {run['batch_id']}"""),
        [("asha", "anc"), ("ben", "pnc")],
        "the log of the move",
    )


@test
def rule_12_no_index_is_on_a_column_that_each_write_stamps():
    warehouse = Warehouse()
    indexed = warehouse.sql.tuples("""
        SELECT DISTINCT a.attname FROM pg_index AS i JOIN pg_attribute AS a
          ON a.attrelid = i.indrelid
           AND a.attnum = ANY (i.indkey) WHERE i.indrelid IN ('warehouse.form_fact'::regclass,
               'warehouse.synclog_fact'::regclass, 'warehouse.app_status_fact'::regclass)""")
    for name in ("batch_id", "read_number", "version_time"):
        check((name,) not in indexed, f"{name} is indexed")


@test
def rule_13_consumption_is_a_set_and_a_batch_that_completes_late_is_consumed_late():
    warehouse = Warehouse()
    loads = [
        warehouse.load("form", [doc.form(f"f{n}", f"2024-03-1{n}T00:00:00Z", user_id=f"u{n}")])
        for n in range(4)
    ]
    for order, expected in (([3], [3]), ([1], [1]), ([0, 2], [0, 2])):
        for number in order:
            warehouse.transform("form", loads[number])
        equal(
            sorted(warehouse.app_status("form")["batches"], key=int),
            [loads[n]["batch_id"] for n in expected],
            "batches",
        )
    equal(len(warehouse.status_rows()), 4, "rows")


@test
def rule_13_consumption_is_recorded_with_the_rows_or_not_at_all():
    warehouse = Warehouse()
    warehouse.take("form", [doc.form("f1")])
    warehouse.app_status("form")
    warehouse.take("form", [doc.form("f2", MAY)])
    holder = warehouse.session()
    holder.run("BEGIN; LOCK TABLE warehouse.app_status_fact IN ACCESS EXCLUSIVE MODE")
    process = warehouse.start("app-status-from-fact", "form", "--run-key", "k")
    wait_for_lock(warehouse.name, "app-status%")
    process.signal(signal.SIGKILL)
    process.wait()
    holder.run("ROLLBACK")
    wait_until(lambda: backends(warehouse.name) == 0, "the killed step's session to end")
    equal(warehouse.sql.number("SELECT count(*) FROM etl.batch_consumption"), 1, "consumption")
    equal([row[2] for row in warehouse.status_rows()], ["f1"], "rows")
    equal(
        warehouse.run("app-status-from-fact", "form", "--run-key", "k")["rows_updated"],
        1,
        "the retry",
    )


@test
def rule_14_a_consumer_without_ledger_rows_recomputes_all_keys_and_records_all_batches():
    warehouse = Warehouse()
    warehouse.take("form", [doc.form("f1")])
    warehouse.sql.run("DELETE FROM warehouse.form_change_log")
    warehouse.sql.run("""INSERT INTO warehouse.app_status_fact (user_dim_id, app_dim_id,
                           last_form_build_dim_id)
                         VALUES (4711, 0, 0)""")
    run = warehouse.app_status("form")
    equal((len(run["batches"]), run["rows_inserted"], run["rows_deleted"]), (1, 1, 1), "counts")
    equal([row[2] for row in warehouse.status_rows()], ["f1"], "rows")


@test
def rule_14_log_rows_stay_until_every_consumer_is_through_and_cleared_dates_need_force():
    warehouse = Warehouse()
    warehouse.take("form", [doc.form("f1")])
    warehouse.take("synclog", [doc.synclog(1)])
    warehouse.app_status("form")
    warehouse.run("clear-staging")
    logs = """SELECT (SELECT count(*) FROM warehouse.form_change_log) AS forms,
                     (SELECT count(*) FROM warehouse.synclog_change_log) AS synclogs"""
    equal(warehouse.sql.tuples(logs), [(0, 1)], "log rows")
    contains(
        warehouse.run("app-status-from-fact", "form", "--from-date", "2020-01-01", expect=65).error,
        "--force",
        "hint",
    )
    warehouse.app_status("synclog")
    equal(warehouse.status_rows()[0][4], "2024-03-02T10:00:00+00:00", "last sync")


@test
def rule_15_units_that_wait_are_shown_by_batch_status():
    warehouse = Warehouse()
    run = warehouse.take("form", [doc.form("f1")])
    warehouse.app_status("form")
    warehouse.sql.run(f"""INSERT INTO etl.pending_unit (workflow, unit, batch_id, reason)
                          VALUES ('app_status_form', 'a-broken-unit', {run['batch_id']},
                            'state_not_json')""")
    contains(warehouse.run("batch-status").stdout, "a-broken-unit", "batch-status")


if __name__ == "__main__":
    main()
