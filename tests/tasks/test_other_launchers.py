#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""make with jobs and Ctrl-C, cron that mails what is printed, a pod's result file, a shell's
    pipe."""

import json
import os
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import documents as doc  # noqa: E402
import factline  # noqa: E402
from factline import Warehouse, backends, environment, run_task, wait_for_lock  # noqa: E402
from harness import check, contains, equal, fail, main, test, wait_until  # noqa: E402

MAKEFILE = """
all: app-status-form.json app-status-synclog.json user-transform.json
%-load.json:
\t@$(BIN)/load-staging $* --source $*s.ndjson --run-key make/1 --result-file $@
user-transform.json: user-load.json
\t@$(BIN)/transform-dim user --batch-file $< --result-file $@
%-transform.json: %-load.json
\t@$(BIN)/transform-fact $* --batch-file $< --result-file $@
app-status-%.json: %-transform.json
\t@$(BIN)/app-status-from-fact $* --run-key make/1 --result-file $@
.SECONDARY:
"""
RESULTS = {
    "form-load.json",
    "form-transform.json",
    "app-status-form.json",
    "synclog-load.json",
    "synclog-transform.json",
    "app-status-synclog.json",
    "user-load.json",
    "user-transform.json",
}


class Make:
    """A folder with a makefile that runs two workflows and a dimension at once."""

    def __init__(self):
        self.warehouse = Warehouse()
        self.folder = self.warehouse.folder
        self.warehouse.file([doc.form(f"f{number}") for number in range(50)], "forms.ndjson")
        self.warehouse.file([doc.synclog(f"s{number}") for number in range(50)], "synclogs.ndjson")
        self.warehouse.file([doc.user()], "users.ndjson")
        with open(os.path.join(self.folder, "Makefile"), "w") as file:
            file.write(MAKEFILE)

    def start(self, *arguments):
        env = environment(self.warehouse.name, BIN=factline.BIN)
        for name in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS"):
            env.pop(name, None)
        return subprocess.Popen(
            ["make", "--no-print-directory", *arguments],
            cwd=self.folder,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def results(self):
        """The result files that are there, each of which must be whole."""
        names = {name for name in os.listdir(self.folder) if name.endswith(".json")}
        for name in names:
            with open(os.path.join(self.folder, name)) as file:
                text = file.read()
            check(
                text.endswith("}\n") and json.loads(text)["schema_version"] == 1,
                f"{name} holds {text!r}",
            )
        equal(names - RESULTS, set(), "other files")
        return names


def finish(make):
    """Steps side by side may both meet a new user; the one that comes second ends with 75, and make
    is to be started again."""
    for _ in range(3):
        run = make.start("-j4")
        said = run.communicate(timeout=60)[0]
        if "Error 75" not in said:
            break
    equal(run.returncode, 0, f"status of make, which said {said!r}")
    equal(make.results(), RESULTS, "result files")


@test
def make_runs_the_steps_side_by_side_and_once():
    make = Make()
    finish(make)
    again = make.start("-j4")
    contains(again.communicate(timeout=60)[0], "Nothing to be done", "the second make")


@test
def ctrl_c_under_make_leaves_no_query_and_no_half_file_and_make_goes_on_there():
    make = Make()
    lock = make.warehouse.session()
    lock.run(
        "BEGIN; LOCK TABLE warehouse.form_fact, warehouse.synclog_fact, warehouse.user_dim "
        "IN ACCESS EXCLUSIVE MODE"
    )
    first = make.start("-j4")
    for task in ("transform-fact", "transform-dim"):
        wait_for_lock(make.warehouse.name, f"{task}%")
    begin = time.monotonic()
    os.killpg(first.pid, signal.SIGINT)  # as a terminal does: to make and all of its children
    first.communicate(timeout=10)
    check(first.returncode != 0, "make succeeds")
    wait_until(lambda: backends(make.warehouse.name) == 0, "all queries to be gone", 3)
    check(time.monotonic() - begin < 3.5, f"it took {time.monotonic() - begin:.1f} s")
    check(
        not {name for name in make.results() if name.endswith("transform.json")},
        "a result of no work",
    )
    lock.run("ROLLBACK")
    finish(make)
    equal(make.warehouse.sql.number("SELECT count(*) FROM warehouse.form_fact"), 50, "facts")


def cron(warehouse, command):
    """What cron would mail."""
    env = {name: os.environ[name] for name in ("PGHOST", "PGPORT", "PGUSER") if name in os.environ}
    env.update(
        PATH="/usr/bin:/bin",
        SHELL="/bin/sh",
        LOGNAME="nobody",
        HOME="/nonexistent",
        PGDATABASE=warehouse.name,
        BIN=factline.BIN,
    )
    done = subprocess.run(
        ["/bin/sh", "-c", command],
        env=env,
        cwd="/",
        stdin=subprocess.DEVNULL,
        timeout=60,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return done.returncode, done.stdout


@test
def cron_mails_nothing_of_a_success_and_one_line_of_a_failure():
    warehouse = Warehouse()
    path = warehouse.file([doc.form("f1")])
    script = (
        'set -e; { "$BIN"/load-staging form --quiet --run-key cron/1 --source %s; '
        '"$BIN"/transform-fact form --quiet --run-key cron/1; '
        '"$BIN"/app-status-from-fact form --quiet --run-key cron/1; } >/dev/null; '
        '"$BIN"/batch-status form --quiet --max-lag 26h >/dev/null'
    )
    equal(cron(warehouse, script % path), (0, ""), "status and mail")
    status, mail = cron(
        warehouse, (script % "/nonexistent/forms.ndjson").replace("cron/1", "cron/2")
    )
    equal(status, 74, "status of a failure")
    equal(mail.count("\n"), 1, f"lines of {mail!r}")
    contains(mail, "load-staging: error: ", "mail")


@test
def a_shell_s_pipe_hands_the_batch_on_and_stops_where_it_must():
    warehouse = Warehouse()
    path = warehouse.file([doc.form("f1")])
    pipe = (
        '"$BIN"/load-staging form --quiet --source %s'
        ' | "$BIN"/transform-fact form --quiet --batch-id -'
    )
    status, said = cron(warehouse, pipe % path)
    equal((status, json.loads(said)["rows_inserted"]), (0, 1), "the pipe")
    status, said = cron(warehouse, pipe % "/nonexistent/forms.ndjson")
    equal(status, 74, f"status behind a load that failed; said {said!r}")


@test
def a_pod_s_result_file_is_the_line_or_is_not_there():
    warehouse = Warehouse()
    folder = os.path.join(warehouse.folder, "xcom")
    os.mkdir(folder)
    result = os.path.join(folder, "return.json")
    path = warehouse.file([doc.form("f1")])
    run = warehouse.run(
        "load-staging", "form", "--source", path, "--run-key", "dag/run", "--result-file", result
    )
    with open(result) as file:
        equal(file.read(), run.stdout, "the file")
    equal(os.listdir(folder), ["return.json"], "files")
    os.remove(result)

    lock = warehouse.session()
    lock.run("BEGIN; LOCK TABLE warehouse.form_fact IN ACCESS EXCLUSIVE MODE")
    for number in (signal.SIGTERM, signal.SIGKILL):
        pod = warehouse.start(
            "transform-fact", "form", "--run-key", "dag/run", "--result-file", result
        )
        wait_for_lock(warehouse.name, "transform-fact%")
        pod.signal(number)
        equal(pod.wait(5).status, -number, "status")
        equal(os.listdir(folder), [], f"files after {number.name}")
        wait_until(
            lambda: backends(warehouse.name, "transform-fact%") == 0, "the query to be gone", 5
        )
    lock.run("ROLLBACK")
    empty = run_task(
        "app-status-from-fact",
        "synclog",
        "--skip-if-empty",
        "--result-file",
        result,
        database=warehouse.name,
    ).ended(99)
    check(not os.path.exists(result), f"a skip left a file, and said {empty.stdout!r}")


@test
def the_systemd_example_is_a_unit():
    """Its exit statuses are compared with those of the DAGs in tests/dags; here, what it starts."""
    with open(os.path.join(factline.TREE, "ci", "factline-form.service")) as file:
        lines = [line.strip() for line in file if line.startswith("ExecStart=")]
    for line in lines:
        program, *arguments = line[len("ExecStart=") :].split()
        task = os.path.basename(program)
        known = run_task(task, "--help").ended(0).stdout
        for argument in arguments:
            if argument.startswith("--") and argument not in known:
                fail(f"{task} has no {argument}")


if __name__ == "__main__":
    main()
