#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every executable alike: help, version, wrong command lines, ids, unreachable servers."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import documents as doc  # noqa: E402
import factline  # noqa: E402
from factline import Warehouse, new_database, run_task  # noqa: E402
from harness import check, contains, equal, for_each, lacks, main, test  # noqa: E402

# A command line of each task that is right as far as it goes.
COMMANDS = {
    "load-staging": ["form", "--source", "missing.ndjson"],
    "transform-dim": ["user", "--batch-id", "1"],
    "transform-fact": ["form", "--batch-id", "1"],
    "app-status-from-fact": ["form"],
    "verify-app-status": [],
    "batch-status": [],
    "clear-staging": [],
    "migrate-warehouse": [],
}
STEPS = ["load-staging", "transform-dim", "transform-fact", "app-status-from-fact"]
WITH_ARGUMENT = STEPS
FOUND = sorted(
    name
    for name in (os.listdir(factline.BIN) if os.path.isdir(factline.BIN) else [])
    if os.access(os.path.join(factline.BIN, name), os.X_OK)
)
ALL = sorted(set(COMMANDS) | set(FOUND))
NO_SERVER = "/nonexistent-folder-of-no-server"


def usage(task, *arguments, **options):
    """A wrong command line: 64 before any server is asked, one error line with a remedy."""
    run = run_task(task, *arguments, env={"PGHOST": NO_SERVER}, **options)
    return run.ended(64)


@test
def all_executables_of_the_design_are_built():
    for task in COMMANDS:
        check(task in FOUND, f"{task} is not in {factline.BIN}")


@for_each(ALL)
def help_goes_to_standard_output_and_names_each_option(task):
    run = run_task(task, "--help", env={"PGHOST": NO_SERVER}).ended(0)
    equal(run.stderr, "", "standard error")
    contains(run.stdout, task, "help")
    for option in (
        "--help",
        "--version",
        "--quiet",
        "--verbose",
        "--result-file",
        "--dry-run",
        "--lock-timeout",
    ):
        contains(run.stdout, option, "help")
    if task in STEPS:
        for option in ("--run-key", "--batch-id", "--skip-if-empty", "--force"):
            contains(run.stdout, option, "help")


@for_each(ALL)
def version_is_one_line(task):
    run = run_task(task, "--version", env={"PGHOST": NO_SERVER}).ended(0)
    equal(run.stdout.count("\n"), 1, "lines")
    contains(run.stdout, task, "version")


@for_each(ALL)
def an_unknown_option_is_a_usage_error_that_names_it(task):
    contains(usage(task, "--no-such-option").error, "no-such-option", "error line")


@for_each(ALL)
def an_option_without_its_value_is_a_usage_error(task):
    contains(
        usage(task, *COMMANDS.get(task, []), "--result-file").error, "result-file", "error line"
    )


@for_each(ALL)
def a_flag_with_a_value_is_a_usage_error(task):
    usage(task, *COMMANDS.get(task, []), "--quiet=yes")


@for_each(ALL)
def a_stray_argument_is_a_usage_error(task):
    usage(
        task,
        *COMMANDS.get(task, []),
        "form" if task in ("batch-status", "clear-staging") else "stray",
        "stray",
    )


@for_each(WITH_ARGUMENT)
def a_missing_feed_is_a_usage_error(task):
    usage(task)


@for_each([task for task in WITH_ARGUMENT] + ["batch-status", "clear-staging"])
def an_unknown_feed_is_a_usage_error(task):
    for word in ("no_such_feed", "", "form; DROP TABLE etl.batch", "FORM", "form\n", "../form"):
        run = usage(task, word, *COMMANDS[task][1:])
        lacks(run.stderr, "Assertion", "standard error")


@test
def a_feed_of_the_other_kind_is_a_usage_error():
    usage("transform-dim", "form", "--batch-id", "1")
    usage("transform-fact", "user", "--batch-id", "1")
    usage("app-status-from-fact", "user")


@for_each(STEPS)
def words_that_templates_make_of_missing_values_are_never_ids(task):
    for word in (
        "",
        "None",
        "none",
        "null",
        "NULL",
        "nan",
        "NaN",
        "a b",
        "1'; DROP TABLE etl.batch; --",
        "x\n",
        "h\u00e4",
        "a" * 256,
        "{{ run_id }}",
    ):
        usage(task, COMMANDS[task][0], "--run-key", word)
    for word in ("", "None", "null", "nan", "1 OR 1=1", "1;2"):
        usage(task, COMMANDS[task][0], "--batch-id", word)


@for_each(["transform-dim", "transform-fact"])
def an_empty_answer_of_the_step_before_is_an_io_error(task):
    run = run_task(task, COMMANDS[task][0], "--batch-id", "-", stdin="", env={"PGHOST": NO_SERVER})
    run.ended(74)


@for_each(["transform-dim", "transform-fact"])
def standard_input_that_is_no_result_line_is_refused(task):
    for text in ("not json\n", "{}\n", '{"batch_id":""}\n', "[1]\n", '{"batch_id":7}\n'):
        run = run_task(
            task, COMMANDS[task][0], "--batch-id", "-", stdin=text, env={"PGHOST": NO_SERVER}
        )
        run.ended(64, 65, 74)


@for_each(["transform-dim", "transform-fact"])
def a_missing_batch_file_is_an_io_error(task):
    run_task(
        task,
        COMMANDS[task][0],
        "--batch-file",
        "/nonexistent/result.json",
        env={"PGHOST": NO_SERVER},
    ).ended(74)


@for_each(["12 parsecs", "-5s", "", "s", "1e400", "5sec", "0x10", "1s2min"])
def a_duration_that_is_none_is_a_usage_error(text):
    usage("batch-status", f"--lock-timeout={text}")
    usage("load-staging", "form", "--source", "x.ndjson", f"--overlap={text}")


@for_each(["yesterday", "2024-13-01", "2024-02-30", "2024-01-01T25:00:00Z", "", "1767225600"])
def a_time_that_is_none_is_a_usage_error(text):
    usage("load-staging", "form", "--source", "x.ndjson", f"--since={text}", "--until=2024-02-01")


@test
def since_and_until_go_together_and_in_order():
    for options in (
        ["--since=2024-01-01"],
        ["--until=2024-01-01"],
        ["--since=2024-01-02", "--until=2024-01-01"],
        ["--since=2024-01-01", "--until=2024-01-01T00:00:00Z"],
    ):
        usage("load-staging", "form", "--source", "x.ndjson", *options)


@test
def options_that_contradict_each_other_are_a_usage_error():
    dates = ["--from-date=2024-01-02", "--to-date=2024-01-01"]
    usage("app-status-from-fact", "form", *dates)
    usage("enrollment-data-from-fact", *dates)
    usage("enrollment-data-from-fact", "--context=course-v1:a+b+c", "--to-date=2024-01-01")
    usage("load-staging", "form", "--source", "x.ndjson", "--crawler-agents=bot")
    usage("load-staging", "form", "--export-rejects", "x.ndjson", "--replay-rejects")


@for_each(["many", "-1", "5%%", "101%", "", "%", "1.5"])
def a_reject_budget_that_is_none_is_a_usage_error(text):
    usage("load-staging", "form", "--source", "x.ndjson", f"--max-rejects={text}")


@test
def a_load_without_any_source_is_a_usage_error():
    contains(usage("load-staging", "form").error, "source", "error line")


@test
def a_source_must_name_a_host_or_service_and_a_database():
    for spec in (
        "dbname=hq",
        "host=localhost",
        "postgresql:///",
        "host=localhost user=x",
        "postgresql://localhost",
        "host=localhost dbname=",
        "nonsense=1 dbname=x host=y",
        "host='unclosed dbname=x",
    ):
        usage("load-staging", "form", "--source", spec)


@for_each(
    [
        "host=localhost dbname=hq password=tell-tale-secret",
        "postgresql://joe:tell-tale-secret@localhost/hq",
        "postgres://localhost/hq?password=tell-tale-secret",
        "postgresql://joe:tell-tale-secret@[bad/hq",
    ],
    name=lambda spec: spec.split("tell")[0],
)
def a_password_in_an_argument_is_refused_and_not_repeated(spec):
    run = usage("load-staging", "form", "--source", spec)
    lacks(run.output, "tell-tale-secret", "output")


@test
def an_unknown_format_is_a_usage_error():
    usage("load-staging", "form", "--source", "x.ndjson", "--format", "xml")
    usage("load-staging", "form", "--export-rejects", "x.ndjson", "--format", "xml")


@for_each(ALL)
def without_a_server_the_status_is_unavailable(task):
    if task == "load-staging":
        return
    run_task(task, *COMMANDS.get(task, []), database="x", env={"PGHOST": NO_SERVER}).ended(69)


@test
def a_load_without_a_server_is_unavailable_too():
    warehouse = Warehouse(migrated=False)
    path = warehouse.file([doc.form("f1")])
    warehouse.run("load-staging", "form", "--source", path, env={"PGHOST": NO_SERVER}, expect=69)


@for_each(sorted(COMMANDS))
def an_unknown_database_is_a_configuration_error(task):
    path = Warehouse(migrated=False).file([doc.form("f1")])
    arguments = ["form", "--source", path] if task == "load-staging" else COMMANDS[task]
    run_task(task, *arguments, database="factline_no_such_database").ended(78)


@for_each([task for task in sorted(COMMANDS) if task != "migrate-warehouse"])
def a_warehouse_without_schema_is_a_configuration_error_that_names_the_remedy(task):
    path = Warehouse(migrated=False).file([doc.form("f1")])
    arguments = ["form", "--source", path] if task == "load-staging" else COMMANDS[task]
    run = run_task(task, *arguments, database=new_database()).ended(78)
    contains(run.error, "migrate-warehouse", "error line")


@for_each(sorted(COMMANDS))
def a_role_that_is_refused_is_a_permission_error(task):
    path = Warehouse(migrated=False).file([doc.form("f1")])
    arguments = ["form", "--source", path] if task == "load-staging" else COMMANDS[task]
    run_task(
        task, *arguments, database=new_database(), env={"PGUSER": "factline_no_such_role"}
    ).ended(77, 69)


@for_each(["transform-dim", "transform-fact"])
def a_batch_that_does_not_exist_is_a_usage_error(task):
    warehouse = Warehouse()
    for batch in ("99", "99999999999999999999", "abc", "-5"):
        warehouse.run(task, COMMANDS[task][0], "--batch-id", batch, expect=64)


if __name__ == "__main__":
    main()
