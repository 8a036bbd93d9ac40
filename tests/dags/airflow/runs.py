# SPDX-License-Identifier: MIT
"""Whole DAG runs by `airflow dags test`: what the tests of both versions share."""

import glob
import json
import os
import shutil

from factline import Session, run_task
from harness import check, contains, equal, lacks, same_rows, test
from launcher import dag_statuses
from world import DAGS, LEARNING_DAGS, SECRET, TREE, Airflow, keep_table, make_database, note

_world = []
_day = [0]


def world():
    return _world[0]


def begin(version):
    """Makes Airflow, installation and warehouse, which all tests of the program share."""
    _world.append(Airflow(version))
    shutil.copy(os.path.join(os.path.dirname(os.path.abspath(__file__)), "give"), world().programs)


def end():
    keep_table("runs", world().version)


def new_day():
    _day[0] += 1
    return f"2025-01-{_day[0]:02}"


@test
def the_dags_are_imported_without_warnings_of_ours():
    files = sorted(glob.glob(os.path.join(world().dags, "*.py")))
    if world().version != "2":  # where the provider of the pods is installed
        files += glob.glob(os.path.join(world().dags, "kubernetes", "*.py"))
        check(len(files) >= 4, f"only these files are there: {files}")
    said = world().python(
        "-W",
        "always",
        "-c",
        "import runpy, sys\nsys.path.insert(0, sys.argv[1])\n"
        "for path in sys.argv[2:]: runpy.run_path(path)",
        world().dags,
        *files,
    )
    equal([line for line in said.splitlines() if "/dags/" in line], [], "what importing them says")
    said = world().airflow("dags", "list-import-errors")
    contains(said, "No data found", "airflow dags list-import-errors")
    listed = world().airflow("dags", "list", "-o", "plain")
    for dag in DAGS + LEARNING_DAGS:
        contains(listed, dag, "airflow dags list")
    note("DAG files are imported", "no error, no warning of ours", "none")


@test
def all_dags_run_on_the_sample_to_the_right_report():
    results = {}
    for dag in DAGS:
        said = world().dags_test(dag, new_day())
        states = {state for state, _ in world().tasks(dag).values()}
        equal(states, {"success"}, f"states of {dag}")
        results.update(world().xcoms(dag))
        lacks(said, SECRET, f"the log of {dag}")
    for task, result in results.items():
        check(isinstance(result, dict), f"the XCom of {task} is {result!r}")
    equal(
        results["transform_form"]["batch_id"],
        results["load_form"]["batch_id"],
        "batch of both steps",
    )
    drift = [
        results["verify_app_status"][name]
        for name in ("rows_missing", "rows_extra", "rows_different")
    ]
    equal(drift, [0, 0, 0], "drift of the report")

    session = Session(world().warehouse)
    report = session.tuples("""SELECT user_id, application_id, last_submission
                                 FROM warehouse.app_status_report WHERE last_submission IS NOT
                                     NULL""")
    session.close()
    newest = world().sample.last_submissions()
    wrong = [(user, app) for user, app, time_ in report if app and newest.get((user, app)) != time_]
    equal(wrong, [], "lines of the report that differ from the source")
    check(len(report) > 200, f"the report has {len(report)} lines with a submission")
    note(
        "`airflow dags test` of all DAGs",
        "success, right report",
        f"success, {len(report)} lines right",
    )


@test
def the_example_s_pods_are_what_kubernetes_and_the_statuses_need():
    """By the provider of the pods, which is installed beside one version."""
    case = ("pods of the Kubernetes example", "command, result, statuses")
    if world().version == "2":
        note(*case, "no provider")
        return
    home = world().home
    with open(os.path.join(home, "kubeconfig"), "w") as file:
        json.dump(
            {
                "current-context": "none",
                "contexts": [{"name": "none", "context": {"cluster": "none", "user": "none"}}],
                "clusters": [{"name": "none", "cluster": {"server": "https://127.0.0.1:1"}}],
                "users": [{"name": "none", "user": {"token": "none"}}],
            },
            file,
        )
    statuses, permanent = dag_statuses()
    said = world().python(
        os.path.join(os.path.dirname(os.path.abspath(__file__)), "pods.py"),
        os.path.join(world().dags, "kubernetes", "commcare_form_pods.py"),
        *map(str, statuses.values()),
        KUBECONFIG=os.path.join(home, "kubeconfig"),
        PYTHONPATH=world().dags,
    )
    pods = json.loads(said.splitlines()[-1])
    expected = {str(each): "AirflowException" for each in statuses.values()}
    expected.update({str(each): "AirflowFailException" for each in permanent})
    expected.update({"0": "success", "99": "AirflowSkipException"})
    equal(pods["outcomes"], expected, "what becomes of exit statuses")
    for task, words in {
        "load_form": ["load-staging", "form", "--skip-if-empty"],
        "transform_form": ["transform-fact", "form", "--batch-id", "batch-of-load_form"],
    }.items():
        spec = pods["specs"][task]
        base, sidecar = spec["containers"]
        equal(
            base["command"] + base["args"],
            [*words, "--run-key", "commcare_form_pods/manual__1"]
            + ["--result-file", "/airflow/xcom/return.json"],
            f"command of {task}",
        )
        equal(sidecar["name"], "airflow-xcom-sidecar", "the container that reads the result")
        check(spec["termination_grace_period_seconds"] >= 10, "no time to roll back")
        folders = {mount["mount_path"] for mount in base["volume_mounts"]}
        equal(folders, {"/airflow/xcom", "/etc/factline"}, "folders of the pod")
        referred = {each["name"] for each in base["env"] if each["value_from"]}
        equal(referred, {"PGPASSWORD", "SOURCE_PGPASSWORD"}, "variables from the secret")
    note(*case, "as expected")


ENROLLMENT_DATA = """SELECT data.user_id, context.context_key, data.is_enrolled,
        data.points_earned, data.points_possible, data.sections_worked, data.progress_percent
    FROM warehouse.enrollment_data AS data
    JOIN warehouse.learning_context_dim AS context ON context.id = data.context_id"""


def enrollment_data(database):
    session = Session(database)
    rows = session.tuples(ENROLLMENT_DATA)
    session.close()
    return rows


def enrollment_data_by_hand():
    """What the executables make of the same extracts, without DAGs."""
    database = make_database("by_hand")
    run_task("migrate-warehouse", database=database).ended(0)
    for path in sorted(glob.glob(os.path.join(world().extracts.folder, "*.tsv"))) + [
        os.path.join(world().extracts.folder, "course_block.ndjson")
    ]:
        feed = os.path.basename(path).split(".")[0]
        program = "dim" if feed in ("learner", "course_block", "course_access_role") else "fact"
        key = ["--run-key", "by-hand"]
        run_task("load-staging", feed, "--source", path, *key, database=database).ended(0)
        run_task(f"transform-{program}", feed, *key, database=database).ended(0)
    run_task("enrollment-data-from-fact", database=database).ended(0)
    return enrollment_data(database)


@test
def all_dags_of_open_edx_run_on_its_sample_to_the_right_enrollment_data():
    for dag in LEARNING_DAGS:
        world().dags_test(dag, new_day())
        states = {state for state, _ in world().tasks(dag).values()}
        equal(states, {"success"}, f"states of {dag}")
    upkeep = world().xcoms("openedx_upkeep")
    drift = upkeep["verify_enrollment_data"]
    check(upkeep["clear_staging"]["rows_deleted"] > 0, "no staging was cleared")
    equal(
        [drift[name] for name in ("rows_missing", "rows_extra", "rows_different")],
        [0, 0, 0],
        "drift of enrollment data",
    )
    data = enrollment_data(world().warehouse)
    equal({row[:2] for row in data}, world().extracts.enrollments(), "enrollments of the extract")
    check(sum(row[3] for row in data) > 100, "hardly a point was earned")
    same_rows(data, enrollment_data_by_hand(), "enrollment data by DAGs and by hand")
    note(
        "the same of Open edX's DAGs",
        "success, right enrollment data",
        f"success, {len(data)} lines right",
    )


@test
def what_airflow_keeps_of_a_run_holds_no_secret():
    for table in ("rendered_task_instance_fields", "log", "xcom", "serialized_dag", "dag_code"):
        rows = world().ask(f"SELECT t::text AS row FROM {table} AS t")
        for row in rows:
            lacks(row["row"], SECRET, f"a row of {table}")
    rendered = world().ask("""SELECT rendered_fields AS fields FROM rendered_task_instance_fields
                               WHERE task_id = 'transform_form'""")
    text = str(rendered[0]["fields"])
    contains(text, "transform-fact form", "rendered fields")
    logs = [
        path
        for path in glob.glob(os.path.join(world().home, "logs", "**", "*.log"), recursive=True)
    ]
    for path in logs:
        with open(path, errors="replace") as file:
            lacks(file.read(), SECRET, path)
    note("rendered templates, logs, XCom", "no secret", "none")
    print("# rendered transform_form: " + text[:700])


@test
def a_failing_step_is_retried_alone_with_the_same_batch():
    """The first try is killed amid its work; the second is the real program."""
    real = os.path.join(world().programs, "transform-fact")
    target = os.readlink(real)
    os.remove(real)
    with open(real, "w") as file:
        file.write(
            '#!/bin/sh\n[ "$AIRFLOW_CTX_TRY_NUMBER" != 1 ] || kill -KILL $$\n'
            f'exec {target} "$@"\n'
        )
    os.chmod(real, 0o755)
    # Something new in the source, or the load would find nothing to do.
    session = Session(world().sample.databases["form_1"])
    session.run(
        """UPDATE form_processor_xforminstancesql SET server_modified_on = now(), edited_on = now()
                    WHERE id IN (SELECT min(id) FROM form_processor_xforminstancesql WHERE state =
                        1)"""
    )
    session.close()
    try:
        world().dags_test("commcare_form", new_day())
    finally:
        os.remove(real)
        os.symlink(target, real)
    equal(
        world().tasks("commcare_form"),
        {"load_form": ("success", 1), "transform_form": ("success", 2)},
        "state and tries",
    )
    results = world().xcoms("commcare_form")
    equal(results["transform_form"]["batch_id"], results["load_form"]["batch_id"], "batch")
    note(
        "a step is killed once",
        "it alone tries again, same batch",
        f"load 1 try, transform 2, batch {results['load_form']['batch_id']} both",
    )


@test
def an_exit_status_decides_between_failure_retry_and_skip():
    world().dags_test("case_statuses", new_day(), expect=None)
    seen = world().tasks("case_statuses")
    for number in (0, 64, 65, 69, 70, 74, 75, 77, 78, 79, 99):
        expected = {0: ("success", 1), 99: ("skipped", 1)}.get(
            number, ("failed", 1 if number in (64, 65, 77, 78) else 2)
        )
        note(
            f"exit {number} always, one retry",
            "%s, %d tries" % expected,
            "%s, %d tries" % seen[f"always_{number}"],
        )
        equal(seen[f"always_{number}"], expected, f"a step that always ends with {number}")
        if number not in (0, 99):
            expected = ("failed", 1) if number in (64, 65, 77, 78) else ("success", 2)
            note(
                f"exit {number} once",
                "%s, %d tries" % expected,
                "%s, %d tries" % seen[f"once_{number}"],
            )
            equal(seen[f"once_{number}"], expected, f"a step that ends with {number} once")
    equal(seen["once_signal"], ("success", 2), "a step that a signal ends once")
    note("ended by TERM once", "success, 2 tries", "%s, %d tries" % seen["once_signal"])
    equal(
        (seen["skipped"][0], seen["after_skip"][0]),
        ("skipped", "skipped"),
        "a skip and what follows it",
    )
    note("what follows a skip", "skipped", seen["after_skip"][0])
    equal(
        set(world().xcoms("case_statuses")) & {"always_99", "always_75", "after_skip"},
        set(),
        "XComs",
    )


@test
def a_missing_result_fails_before_the_command_is_started():
    world().dags_test("case_missing_result", new_day(), expect=None)
    equal(
        world().tasks("case_missing_result")["needs_batch"][0],
        "failed",
        "the step without its batch",
    )
    check(not os.path.exists(os.path.join(world().marks, "needs_batch")), "the command was started")
    note("XCom without batch_id", "failed, not started", "failed, not started")


@test
def nothing_new_is_a_skip_and_wakes_nobody():
    before = len(world().xcoms("commcare_synclog"))
    check(before, "there was a run before")
    world().dags_test(
        "commcare_synclog", new_day(), expect=None, COMMCARE_LOAD_OPTIONS="--overlap 0s"
    )
    equal(
        {task: state for task, (state, _) in world().tasks("commcare_synclog").items()},
        {"load_synclog": "skipped", "transform_synclog": "skipped"},
        "states",
    )
    note("nothing new in the source", "skipped", "skipped")
