#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What executables print and where: the result line, the result file, full and closed outputs."""

import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import documents as doc  # noqa: E402
import factline  # noqa: E402
from factline import Warehouse, run_task  # noqa: E402
from harness import check, contains, equal, for_each, lacks, main, test  # noqa: E402

FORMS = [doc.form("f1"), doc.form("f2", "2024-03-02T09:05:00Z")]


def each_step(warehouse):
    """Command lines that bring one batch from file to app status, by task."""
    path = warehouse.file(FORMS)
    users = warehouse.file([doc.user()])
    yield ["load-staging", "form", "--source", path, "--run-key", "r1"]
    yield ["transform-fact", "form", "--run-key", "r1"]
    yield ["load-staging", "user", "--source", users, "--run-key", "r1"]
    yield ["transform-dim", "user", "--run-key", "r1"]
    yield ["app-status-from-fact", "form", "--run-key", "r1"]
    yield ["verify-app-status"]
    yield ["clear-staging"]
    yield ["migrate-warehouse"]


@test
def each_task_prints_one_ascii_line_with_the_names_in_order():
    warehouse = Warehouse()
    for command in each_step(warehouse):
        run = warehouse.run(*command)
        factline.check_result(run, command[0], run["status"])
        equal(
            run["attempt"] >= (1 if command[0] in ("load-staging", "transform-fact") else 0),
            True,
            "attempt",
        )


@test
def a_step_that_is_done_repeats_its_line_and_changes_the_status_only():
    warehouse = Warehouse()
    for command in list(each_step(warehouse))[:5]:
        first = warehouse.run(*command)
        second = warehouse.run(*command)
        equal(first["status"], "done", "first status")
        equal(
            second.stdout,
            first.stdout.replace('"status":"done"', '"status":"already-done"'),
            f"{command[0]} again",
        )


@test
def the_beginning_of_time_is_null_and_other_times_have_microseconds():
    warehouse = Warehouse()
    run = warehouse.load("form", FORMS)
    equal(run["since"], None, "since of the first load of a file")
    run = warehouse.load(
        "form", FORMS, "--since", "2024-03-01", "--until", "2024-03-03 00:00:00+05:30"
    )
    equal(
        (run["since"], run["until"]),
        ("2024-03-01T00:00:00.000000Z", "2024-03-02T18:30:00.000000Z"),
        "window",
    )


@test
def standard_output_stays_empty_on_failure_and_the_last_line_is_the_reason():
    warehouse = Warehouse()
    run = warehouse.run("transform-fact", "form", "--batch-id", "99", expect=64)
    equal(run.stdout, "", "standard output")
    check(
        run.error.startswith("transform-fact: error: ") and "; " in run.error,
        f"error line {run.error!r}",
    )
    reason = run.error.split("error: ", 1)[1]
    check(reason[0].islower() or reason[0] == '"', f"the reason begins with a capital: {reason!r}")
    check(not reason.endswith("."), f"the reason ends with a full stop: {reason!r}")


@test
def words_that_colour_airflow_logs_are_not_in_the_result():
    warehouse = Warehouse()
    for command in each_step(warehouse):
        line = warehouse.run(*command).stdout.lower()
        for word in ("error", "exception", "warn", "::group::"):
            lacks(line, word, f"{command[0]}'s line")


@test
def quiet_is_silent_unless_it_fails():
    warehouse = Warehouse()
    for command in each_step(warehouse):
        equal(warehouse.run(*command, "--quiet").stderr, "", f"{command[0]} --quiet")
    run = warehouse.run("transform-fact", "form", "--batch-id", "99", "--quiet", expect=64)
    equal(len(run.stderr.splitlines()), 1, "lines of a quiet failure")


@test
def logs_are_whole_lines_without_carriage_returns_or_colour():
    warehouse = Warehouse()
    for command in each_step(warehouse):
        run = warehouse.run(*command, "--verbose")
        check(run.stderr == "" or run.stderr.endswith("\n"), "a cut line")
        lacks(run.stderr, "\r", command[0])
        lacks(run.stderr, "\x1b", command[0])
    contains(run.stderr, "migrate-warehouse", "log lines name the task")


@test
def a_log_names_statement_rows_and_milliseconds():
    warehouse = Warehouse()
    loaded = warehouse.load("form", FORMS)
    log = warehouse.transform("form", loaded).stderr
    contains(log, "sql=form_fact", "log")
    contains(log, "ms=", "log")
    contains(log, " form ", "log names the workflow")
    contains(log, f" {loaded['batch_id']} ", "log names the batch")


@test
def the_result_file_holds_the_same_line_and_is_made_by_rename():
    warehouse = Warehouse()
    for number, command in enumerate(each_step(warehouse)):
        path = os.path.join(warehouse.folder, f"result{number}.json")
        with open(path, "w") as file:
            file.write("old")
        before = os.stat(path).st_ino
        run = warehouse.run(*command, "--result-file", path)
        with open(path) as file:
            equal(file.read(), run.stdout, f"{command[0]}'s result file")
        check(
            os.stat(path).st_ino != before,
            "the old file was written into instead of being replaced",
        )
    equal(
        [name for name in os.listdir(warehouse.folder) if not name.endswith("json")],
        [],
        "left-over files",
    )


@test
def a_failure_leaves_the_old_result_file_alone():
    warehouse = Warehouse()
    path = os.path.join(warehouse.folder, "result.json")
    with open(path, "w") as file:
        file.write("old")
    warehouse.run("transform-fact", "form", "--batch-id", "99", "--result-file", path, expect=64)
    with open(path) as file:
        equal(file.read(), "old", "result file")


@test
def a_result_file_that_cannot_be_written_fails_and_the_retry_finds_the_work_done():
    warehouse = Warehouse()
    command = next(each_step(warehouse))
    warehouse.run(*command, "--result-file", "/nonexistent/folder/result.json", expect=(74, 77))
    check(warehouse.run(*command)["status"] in ("done", "already-done"), "retry")


@test
def a_result_file_on_a_full_disk_fails_and_the_retry_writes_it():
    warehouse = Warehouse()
    path = os.path.join(warehouse.folder, "result.json")
    for command in list(each_step(warehouse))[:5]:
        command = [*command, "--result-file", path]
        limited = [
            "sh",
            "-c",
            'ulimit -f 0 && exec "$@"',
            "sh",
            os.path.join(factline.BIN, command[0]),
        ]
        run = subprocess.run(
            limited + command[1:],
            env=factline.environment(warehouse.name),
            capture_output=True,
            check=False,
        )
        equal((run.returncode, run.stdout), (74, b""), f"{command[0]} without room for its result")
        left = [name for name in os.listdir(warehouse.folder) if "result" in name]
        equal(left, [], "a part of a result")
        retry = warehouse.run(*command)
        equal(retry["status"], "already-done", f"{command[0]} again")
        with open(path, encoding="utf-8") as file:
            equal(file.read(), retry.stdout, "the result file")
        os.unlink(path)


@test
def a_full_standard_output_is_an_io_error_and_the_rerun_prints_the_line():
    warehouse = Warehouse()
    for command in list(each_step(warehouse))[:5]:
        with open("/dev/full", "wb") as full:
            run = run_task(*command, database=warehouse.name, stdout=full)
        equal(run.status, 74, f"{command[0]} > /dev/full")
        equal(warehouse.run(*command)["status"], "already-done", f"{command[0]} again")


@for_each(["verify-app-status", "clear-staging", "migrate-warehouse", "batch-status"])
def a_full_standard_output_is_an_io_error_for_operators_tasks_too(task):
    warehouse = Warehouse()
    with open("/dev/full", "wb") as full:
        equal(
            run_task(task, database=warehouse.name, stdout=full).status, 74, f"{task} > /dev/full"
        )
        equal(run_task(task, "--help", stdout=full).status, 74, f"{task} --help > /dev/full")
        equal(run_task(task, "--version", stdout=full).status, 74, f"{task} --version > /dev/full")


@test
def a_closed_standard_output_is_an_io_error_and_breaks_nothing():
    warehouse = Warehouse()
    command = next(each_step(warehouse))
    line = " ".join([os.path.join(factline.BIN, command[0]), *command[1:]])
    done = subprocess.run(
        ["sh", "-c", f"exec {line} >&-"],
        env=factline.environment(warehouse.name),
        stderr=subprocess.PIPE,
    )
    equal(done.returncode, 74, f"status of {command[0]} >&-; it said {done.stderr!r}")
    check(warehouse.run(*command)["status"] in ("done", "already-done"), "retry")


@test
def closed_standard_input_and_standard_error_break_nothing():
    warehouse = Warehouse()
    command = next(each_step(warehouse))
    line = " ".join([os.path.join(factline.BIN, command[0]), *command[1:]])
    done = subprocess.run(
        ["sh", "-c", f"exec {line} <&- 2>&-"],
        env=factline.environment(warehouse.name),
        stdout=subprocess.PIPE,
    )
    equal(done.returncode, 0, "status")
    equal(json.loads(done.stdout)["rows_staged"], 2, "rows_staged")


@test
def standard_input_is_not_read_unless_asked_for():
    warehouse = Warehouse()
    command = next(each_step(warehouse))
    read, write = os.pipe()
    os.write(write, b"untouched")
    with os.fdopen(read, "rb") as stdin:
        warehouse.run(*command, stdin=stdin)
        os.close(write)
        equal(stdin.read(), b"untouched", "standard input")


@test
def the_working_folder_language_and_time_zone_play_no_part():
    lines = []
    for env in (
        {},
        {"TZ": "America/New_York", "LANG": "tr_TR.UTF-8", "LC_ALL": "tr_TR.UTF-8"},
        {
            "HOME": None,
            "PATH": None,
            "TZ": "Asia/Kolkata",
            "PGTZ": "Asia/Kolkata",
            "PGDATESTYLE": "SQL, DMY",
        },
    ):
        warehouse = Warehouse()
        warehouse.load("form", [doc.form("f1", "2024-03-10T02:30:00")], key="k", env=env)
        warehouse.run("transform-fact", "form", "--run-key", "k", env=env)
        lines.append(
            warehouse.sql.tuples(
                "SELECT form_id, received_on, version_time FROM" " warehouse.form_fact"
            )
        )
    equal(
        lines[0], [("f1", "2024-03-10T02:30:00+00:00", "2024-03-10T02:30:00+00:00")], "stored times"
    )
    equal(lines, [lines[0]] * 3, "rows under other settings")


@for_each(
    ["load-staging", "transform-fact", "app-status-from-fact", "clear-staging", "migrate-warehouse"]
)
def a_dry_run_writes_nothing_and_counts_nothing(task):
    warehouse = Warehouse()
    loaded = warehouse.load("form", FORMS)
    arguments = {
        "load-staging": ["form", "--source", warehouse.file(FORMS)],
        "transform-fact": ["form", "--batch-id", loaded["batch_id"]],
        "app-status-from-fact": ["form"],
    }.get(task, [])
    if task == "app-status-from-fact":
        warehouse.transform("form", loaded)
    counts = """SELECT (SELECT count(*) FROM etl.batch) AS batches, (SELECT sum(attempt)
                  FROM etl.batch) AS attempts,
                       (SELECT count(*) FROM etl.batch_step) AS steps,
                       (SELECT count(*) FROM staging.form) AS staged, (SELECT count(*)
                         FROM warehouse.form_fact) AS facts,
                       (SELECT count(*) FROM warehouse.app_status_fact) AS rows"""
    before = warehouse.sql.tuples(counts)
    run = warehouse.run(task, *arguments, "--dry-run")
    equal(warehouse.sql.tuples(counts), before, "the warehouse after a dry run")
    for name, value in run.result.items():
        if name.startswith("rows_") or name == "keys_touched":
            equal(value, 0, name)
    check(run.stderr != "", "a dry run tells nothing")


@test
def a_dry_run_names_a_file_without_its_folders():
    warehouse = Warehouse()
    path = warehouse.file(FORMS)
    run = warehouse.run("load-staging", "form", "--source", path, "--dry-run")
    contains(run.stderr, f" source={os.path.basename(path)} ", "the window")
    lacks(run.stderr, os.path.dirname(path), "the log")


@test
def the_airflow_variables_name_the_run():
    warehouse = Warehouse()
    path = warehouse.file(FORMS)
    airflow = {
        "AIRFLOW_CTX_DAG_ID": "commcare",
        "AIRFLOW_CTX_DAG_RUN_ID": "scheduled__2024-03-02T00:00:00+00:00",
        "AIRFLOW_CTX_TRY_NUMBER": "1",
    }
    first = warehouse.run("load-staging", "form", "--source", path, env=airflow)
    second = warehouse.run(
        "load-staging", "form", "--source", path, env={**airflow, "AIRFLOW_CTX_TRY_NUMBER": "2"}
    )
    equal(second["batch_id"], first["batch_id"], "batch of the second try")
    equal(
        warehouse.batch(first["batch_id"])["run_key"],
        "commcare/scheduled__2024-03-02T00:00:00+00:00",
        "run key",
    )
    equal(
        warehouse.run("transform-fact", "form", env=airflow)["batch_id"],
        first["batch_id"],
        "batch of the transform",
    )
    other = warehouse.run(
        "load-staging", "form", "--source", path, env={"AIRFLOW_CTX_DAG_ID": "commcare"}
    )
    check(other["batch_id"] != first["batch_id"], "half of a name is none")
    equal(
        warehouse.run("load-staging", "form", "--source", path, "--run-key", "mine", env=airflow)[
            "batch_id"
        ]
        in (first["batch_id"], other["batch_id"]),
        False,
        "--run-key goes first",
    )


if __name__ == "__main__":
    main()
