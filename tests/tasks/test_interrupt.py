#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Signals, kills, twins and zombies: nothing half, nothing twice, nothing left behind."""

import os
import signal
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import documents as doc  # noqa: E402
from factline import Warehouse, backends, ndjson, root, wait_for_lock  # noqa: E402
from harness import check, contains, equal, for_each, main, test, wait_until  # noqa: E402
from source import SourceDatabase  # noqa: E402

SIGNALS = [signal.SIGTERM, signal.SIGINT, signal.SIGHUP]
STEPS = [
    "load-staging",
    "transform-fact",
    "transform-dim",
    "app-status-from-fact",
    "verify-app-status",
    "clear-staging",
]
# A lock under which the data transaction of the step has to wait.
BLOCKED_BY = {
    "load-staging": "staging.form",
    "transform-fact": "warehouse.form_fact",
    "transform-dim": "warehouse.user_dim",
    "app-status-from-fact": "warehouse.app_status_fact",
    "verify-app-status": "warehouse.app_status_fact",
    "clear-staging": "staging.form",
}


def prepared(step):
    """A warehouse in which the step has work, and its arguments."""
    warehouse = Warehouse()
    if step == "load-staging":
        return warehouse, ["form", "--source", warehouse.file([doc.form("f1")]), "--run-key", "k"]
    if step == "transform-dim":
        warehouse.load("user", [doc.user()], key="k")
        return warehouse, ["user", "--run-key", "k"]
    warehouse.load("form", [doc.form("f1")], key="k")
    if step == "transform-fact":
        return warehouse, ["form", "--run-key", "k"]
    warehouse.run("transform-fact", "form", "--run-key", "k")
    return warehouse, ["form", "--run-key", "k"] if step == "app-status-from-fact" else []


def blocked(warehouse, step, arguments, **options):
    """The step, waiting in its data transaction; and the session that makes it wait."""
    holder = warehouse.session()
    holder.run(f"BEGIN; LOCK TABLE {BLOCKED_BY[step]} IN ACCESS EXCLUSIVE MODE")
    process = warehouse.start(step, *arguments, **options)
    wait_for_lock(warehouse.name, f"{step}%")
    return process, holder


def nobody_is_left(warehouse):
    wait_until(lambda: backends(warehouse.name) == 0, "the task's sessions to be gone", 5)


@for_each(
    [
        (step, number)
        for step in STEPS
        for number in (SIGNALS if step == "transform-fact" else SIGNALS[:1])
    ],
    name=lambda case: f"{case[0]} {case[1].name}",
)
def a_signal_cancels_the_statement_and_ends_the_task_by_that_signal_within_three_seconds(case):
    step, number = case
    warehouse, arguments = prepared(step)
    process, holder = blocked(warehouse, step, arguments)
    begin = time.monotonic()
    process.signal(number)
    run = process.wait()
    check(time.monotonic() - begin < 3, f"it took {time.monotonic() - begin:.1f} s")
    equal(run.status, -number, f"status; it said {run.stderr!r}")
    equal(run.stdout, "", "standard output")
    contains(run.error, f"{step}: error: ", "the last line")
    nobody_is_left(warehouse)
    holder.run("ROLLBACK")
    equal(warehouse.run(step, *arguments).status, 0, "the next run")


@test
def a_second_signal_ends_it_at_once():
    warehouse, arguments = prepared("transform-fact")
    process, holder = blocked(warehouse, "transform-fact", arguments)
    process.signal(signal.SIGTERM)
    process.signal(signal.SIGTERM)
    run = process.wait(3)
    check(run.status != 0 and run.stdout == "", f"status {run.status}, output {run.stdout!r}")


@test
def a_signal_while_standard_input_is_silent_ends_the_task():
    warehouse = Warehouse()
    read, write = os.pipe()
    process = warehouse.start("load-staging", "form", "--source", "-", stdin=read)
    os.close(read)
    os.write(write, ndjson([doc.form("f1")]))
    wait_until(lambda: backends(warehouse.name, "load-staging%") > 0, "a session")
    begin = time.monotonic()
    process.signal(signal.SIGTERM)
    equal(process.wait(10).status, -signal.SIGTERM, "status")
    check(time.monotonic() - begin < 3, "it took too long")
    os.close(write)
    nobody_is_left(warehouse)
    equal(warehouse.sql.number("SELECT count(*) FROM staging.form"), 0, "staged rows")


@test
def a_signal_inside_a_copy_from_a_server_leaves_nothing_on_either_side():
    warehouse, source = Warehouse(), SourceDatabase()
    source.sql.run("""INSERT INTO form_processor_xforminstancesql (form_id, domain, xmlns,
                        received_on)
                      SELECT 'f' || n, 'river', 'x', '2024-03-01Z' FROM generate_series(1,
                        20000) AS n""")
    holder = warehouse.session()
    holder.run("BEGIN; LOCK TABLE staging.form IN ACCESS EXCLUSIVE MODE")
    process = warehouse.start("load-staging", "form", "--source", source.spec)
    wait_for_lock(warehouse.name, "load-staging%")
    process.signal(signal.SIGTERM)
    equal(process.wait(3).status, -signal.SIGTERM, "status")
    nobody_is_left(warehouse)
    wait_until(lambda: backends(source.name) == 0, "the session at the source to be gone", 5)


@test
def a_closed_reader_of_standard_output_stops_the_work():
    warehouse, arguments = prepared("transform-fact")
    read, write = os.pipe()
    process, holder = blocked(warehouse, "transform-fact", arguments, stdout=write)
    os.close(write)
    os.close(read)
    run = process.wait(6)
    check(run.status != 0, "an orphan reports success")
    nobody_is_left(warehouse)
    holder.run("ROLLBACK")
    equal(warehouse.sql.number("SELECT count(*) FROM warehouse.form_fact"), 0, "facts")


@for_each(STEPS)
def a_killed_task_leaves_nothing_half_and_its_retry_is_right(step):
    warehouse, arguments = prepared(step)
    process, holder = blocked(warehouse, step, arguments)
    process.signal(signal.SIGKILL)
    equal(process.wait().status, -signal.SIGKILL, "status")
    if step in ("load-staging", "transform-fact", "transform-dim"):
        step_rows = holder.rows(f"SELECT outcome FROM etl.batch_step WHERE step = '{step}'")
        equal([row["outcome"] for row in step_rows], [None], "the killed try left a trace")
    holder.run("ROLLBACK")
    nobody_is_left(warehouse)
    run = warehouse.run(step, *arguments)
    equal(run["status"], "done", "status of the retry")
    if step in ("load-staging", "transform-fact", "transform-dim"):
        equal(run["attempt"] >= 2, True, "the attempt was raised")
    elif step == "app-status-from-fact":
        equal(len(warehouse.status_rows()), 1, "rows of app status")


@test
def the_retry_of_a_killed_try_ends_the_try_s_backend():
    warehouse, arguments = prepared("transform-fact")
    process, holder = blocked(warehouse, "transform-fact", arguments)
    process.signal(signal.SIGKILL)
    process.wait()
    retry = warehouse.start("transform-fact", *arguments)
    wait_until(
        lambda: backends(warehouse.name, "transform-fact%") == 1, "one session instead of two"
    )
    holder.run("ROLLBACK")
    run = retry.wait().ended(0)
    equal((run["status"], run["rows_inserted"]), ("done", 1), "the retry")


def twins(warehouse, step, arguments, count=2):
    processes = [warehouse.start(step, *arguments) for _ in range(count)]
    return [process.wait().ended(0, 75) for process in processes]


@test
def two_transforms_that_need_the_same_new_month_make_it_once():
    warehouse, arguments = prepared("transform-fact")
    month = warehouse.sql.value("SELECT min(received_on)::date FROM staging.form")
    maker = warehouse.session()
    maker.run(f"BEGIN; SELECT etl.make_month('warehouse.form_fact', '{month}')")
    process = warehouse.start("transform-fact", *arguments)
    wait_for_lock(warehouse.name, "transform-fact%")
    maker.run("COMMIT")
    equal(
        process.wait().ended(0)["rows_inserted"], 1, "rows of the month that another session made"
    )


@for_each(["load-staging", "transform-fact", "transform-dim", "app-status-from-fact"])
def of_two_copies_at_once_one_works_and_the_other_finds_it_done(step):
    warehouse, arguments = prepared(step)
    runs = twins(warehouse, step, arguments, 3)
    statuses = sorted(run["status"] if run.status == 0 else "75" for run in runs)
    equal(statuses.count("done"), 1, f"of {statuses} those that are done")
    lines = {run.stdout.replace('"already-done"', '"done"') for run in runs if run.status == 0}
    equal(len(lines), 1, "different lines")
    equal(
        warehouse.sql.number("SELECT count(*) FROM etl.batch WHERE workflow NOT LIKE 'app%'"),
        1,
        "batches",
    )


@test
def a_busy_batch_is_waited_for_a_bounded_time_and_raises_no_attempt():
    warehouse, arguments = prepared("transform-fact")
    process, holder = blocked(warehouse, "transform-fact", arguments)
    attempt = warehouse.sql.value("SELECT attempt FROM etl.batch")
    begin = time.monotonic()
    run = warehouse.run("transform-fact", *arguments, "--lock-timeout", "1s", expect=75)
    check(time.monotonic() - begin < 10, "the wait is not bounded")
    equal(warehouse.sql.value("SELECT attempt FROM etl.batch"), attempt, "attempt")
    holder.run("ROLLBACK")
    process.wait().ended(0)
    contains(run.error, "transform-fact: error: ", "error line")


@test
def a_finished_step_is_answered_without_any_lock():
    warehouse, arguments = prepared("transform-fact")
    done = warehouse.run("transform-fact", *arguments)
    holder = warehouse.session()
    holder.run("""BEGIN; SELECT * FROM etl.batch FOR UPDATE; SELECT * FROM etl.workflow FOR UPDATE;
                  SELECT * FROM etl.target FOR UPDATE; LOCK TABLE warehouse.form_fact,
                    staging.form""")
    for step, more in (
        ("transform-fact", arguments),
        (
            "load-staging",
            [
                "form",
                "--run-key",
                "k",
                "--source",
                os.path.join(warehouse.folder, "records1.ndjson"),
            ],
        ),
    ):
        run = warehouse.run(step, *more, "--lock-timeout", "2s")
        equal((run["status"], run["attempt"] <= done["attempt"]), ("already-done", True), step)


def overtaken(step, arguments, warehouse):
    """Attempt 1 sleeps before its data transaction ends, attempt 2 completes, attempt 1 wakes."""
    process, holder = blocked(warehouse, step, arguments)
    process.signal(signal.SIGSTOP)
    try:
        # What the takeover sees of a holder that sleeps elsewhere: its backend is gone.
        root().run(f"""SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                        WHERE datname = '{warehouse.name}' AND application_name LIKE '{step}%'""")
        holder.run("ROLLBACK")
        nobody_is_left(warehouse)
        second = warehouse.run(step, *arguments)
        equal(second["status"], "done", "the takeover")
    finally:
        process.signal(signal.SIGCONT)
    return process.wait(), second


@for_each(["load-staging", "transform-fact", "transform-dim"])
def a_try_that_was_stopped_and_overtaken_changes_nothing(step):
    warehouse, arguments = prepared(step)
    state = "SELECT id, state, attempt, read_number, failed_status FROM etl.batch"
    first, second = overtaken(step, arguments, warehouse)
    first.ended(75, 69)
    after = warehouse.sql.tuples(state)
    equal(
        (after[0][2], after[0][4]),
        (second["attempt"], None),
        "attempt; the older try writes no failure",
    )
    equal(warehouse.run(step, *arguments)["status"], "already-done", "status")


@test
def a_try_whose_attempt_was_raised_behind_its_back_is_fenced_off():
    warehouse, arguments = prepared("transform-fact")
    holder = warehouse.session()
    holder.run("BEGIN; SELECT * FROM etl.target FOR UPDATE")
    process = warehouse.start("transform-fact", *arguments)
    wait_for_lock(warehouse.name, "transform-fact%")
    other = warehouse.session()
    other.start(
        "SET lock_timeout = '300ms'; UPDATE etl.batch SET attempt = attempt + 1 WHERE"
        " workflow = 'form'"
    )
    try:
        other.finish()
        was_raised = True
    except Exception:
        was_raised = False
    holder.run("ROLLBACK")
    run = process.wait()
    if was_raised:
        run.ended(75)
        equal(
            warehouse.sql.number("SELECT count(*) FROM warehouse.form_fact"),
            0,
            "facts of the fenced try",
        )
    else:
        run.ended(0)


@test
def a_terminated_backend_is_temporary_and_the_retry_is_right():
    warehouse, arguments = prepared("transform-fact")
    process, holder = blocked(warehouse, "transform-fact", arguments)
    root().run(f"""SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                    WHERE datname = '{warehouse.name}'
                      AND application_name LIKE 'transform-fact%'""")
    process.wait().ended(75, 69)
    holder.run("ROLLBACK")
    equal(warehouse.run("transform-fact", *arguments)["rows_inserted"], 1, "the retry")


@test
def a_lock_that_is_not_given_in_time_is_temporary():
    for step in ("load-staging", "transform-fact", "app-status-from-fact"):
        warehouse, arguments = prepared(step)
        process, holder = blocked(warehouse, step, arguments + ["--lock-timeout", "0.5s"])
        run = process.wait().ended(75)
        contains(run.output, "55P03", f"{step} names the SQLSTATE")
        holder.run("ROLLBACK")
        equal(warehouse.run(step, *arguments)["status"], "done", "the retry")


@test
def the_label_of_a_session_names_step_and_batch():
    warehouse, arguments = prepared("transform-fact")
    process, holder = blocked(warehouse, "transform-fact", arguments)
    label = root().value(f"""SELECT application_name FROM pg_stat_activity
                              WHERE datname = '{warehouse.name}'
                                AND application_name LIKE 'transform-fact%'""")
    batch = warehouse.sql.value("SELECT id || '/' || attempt FROM etl.batch")
    equal(label, f"transform-fact {batch}", "application_name")
    process.signal(signal.SIGTERM)
    process.wait()


if __name__ == "__main__":
    main()
