# SPDX-License-Identifier: MIT
"""A real Airflow with the DAGs of this tree, beside a sample installation of CommCare.

Airflow's own database is one of the scratch server, so that tests can ask it.
"""

import atexit
import glob
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
TREE = os.path.dirname(os.path.dirname(os.path.dirname(HERE)))
sys.path.insert(0, os.path.join(TREE, "tests", "lib"))
import factline  # noqa: E402
import harness  # noqa: E402
from factline import Session, root, run_task  # noqa: E402
from harness import fail, wait_until  # noqa: E402

SECRET = "tell-tale/@ %2Bsecret"
SOURCES = {
    "commcare_form_1": "form_1",
    "commcare_form_2": "form_2",
    "commcare_synclog": "synclog",
    "commcare_main": "main",
}
DAGS = [
    "commcare_dims",
    "commcare_form",
    "commcare_synclog",
    "commcare_app_status_form",
    "commcare_app_status_synclog",
    "commcare_freshness",
    "commcare_upkeep",
]
LEARNING_DAGS = [
    "openedx_dims",
    "openedx_facts",
    "openedx_enrollment_data",
    "openedx_freshness",
    "openedx_upkeep",
]


def psql_file(database, path):
    done = subprocess.run(
        [
            "psql",
            "-Xq",
            "-v",
            "ON_ERROR_STOP=1",
            "-v",
            "reader=postgres",
            "-d",
            database,
            "-f",
            path,
        ],
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        fail(f"{path}: {done.stderr[-500:]}")


class Sample:
    """The sample installation: four databases of CommCare HQ and a folder of documents."""

    def __init__(self):
        self.folder = generate("commcare")
        self.documents = os.path.join(self.folder, "history")
        self.databases = {}
        for name in SOURCES.values():
            self.databases[name] = make_database(name)
            schema = name.split("_")[0] + ".sql"
            psql_file(
                self.databases[name], os.path.join(TREE, "tests/sample/commcare/schema", schema)
            )
            psql_file(self.databases[name], os.path.join(self.folder, "history", name + ".sql"))

    def last_submissions(self):
        """(user, app) -> newest submission, by the sources alone."""
        newest = {}
        for name in ("form_1", "form_2"):
            session = Session(self.databases[name])
            for user, app, time_ in session.tuples("""
                    SELECT user_id, app_id, max(received_on) FROM form_processor_xforminstancesql
                     WHERE state = 1 AND deleted_on IS NULL AND coalesce(user_id, '') <> ''
                       AND coalesce(app_id, '') <> '' GROUP BY 1, 2"""):
                newest[user, app] = max(time_, newest.get((user, app), ""))
            session.close()
        return newest


def generate(pipeline):
    """A folder with the sample installation of a pipeline, gone with the program."""
    folder = tempfile.mkdtemp(prefix=f"factline-{pipeline}-")
    atexit.register(shutil.rmtree, folder, True)
    program = os.path.join(TREE, "tests/sample", pipeline, "generate.py")
    command = [sys.executable, program, "installation", folder]
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    return folder


class Extracts:
    """The sample of Open edX, all of it as the queries of the README give it to the DAGs."""

    def __init__(self):
        self.folder = os.path.join(generate("openedx"), "history")
        for feed in ("learner", "course_access_role"):
            with open(os.path.join(self.folder, feed + ".ndjson")) as file:
                rows = [json.loads(line) for line in file]
            with open(os.path.join(self.folder, feed + ".tsv"), "w") as file:
                for cells in [list(rows[0]), *(map(self.cell, row.values()) for row in rows)]:
                    file.write("\t".join(cells) + "\n")

    @staticmethod
    def cell(value):
        return "NULL" if value is None else str(int(value) if value in (True, False) else value)

    def enrollments(self):
        """(learner, course) of each enrollment, by the extract alone."""
        with open(os.path.join(self.folder, "enrollment.tsv")) as file:
            head, *rows = [line.rstrip("\n").split("\t") for line in file]
        return {(int(row[head.index("user_id")]), row[head.index("course_id")]) for row in rows}


_databases = []


def make_database(kind):
    """A database of this program; those of factline.py go after each test."""
    name = factline.new_name(kind)
    root().run(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'")
    _databases.append(name)
    return name


@harness.after_all
def drop_databases():
    while _databases:
        factline.drop_database(_databases.pop())


def _leave(number, frame):
    """A test that is ended ends its Airflow, too."""
    for airflow in _running:
        airflow.stop()
    factline._leave(number, frame)


signal.signal(signal.SIGTERM, _leave)
_running = []


class Airflow:
    def __init__(self, version):
        self.version = version
        self.bin = os.path.join(TREE, "build", "airflow", version, "bin")
        if not os.path.exists(os.path.join(self.bin, "airflow")):
            fail(f"no Airflow in {self.bin}; make airflow")
        self.home = tempfile.mkdtemp(prefix=f"factline-airflow{version}-")
        atexit.register(shutil.rmtree, self.home, True)
        self.dags = os.path.join(self.home, "dags")
        shutil.copytree(
            os.path.join(TREE, "dags"), self.dags, ignore=shutil.ignore_patterns("__pycache__")
        )
        for name in os.listdir(os.path.join(HERE, "dags")):
            shutil.copy(os.path.join(HERE, "dags", name), self.dags)
        self.programs = os.path.join(self.home, "programs")
        os.mkdir(self.programs)
        for name in os.listdir(factline.BIN):
            os.symlink(os.path.join(factline.BIN, name), os.path.join(self.programs, name))
        self.marks = os.path.join(self.home, "marks")
        os.mkdir(self.marks)
        self.sample, self.extracts = Sample(), Extracts()
        self.warehouse = make_database("warehouse")
        run_task("migrate-warehouse", database=self.warehouse).ended(0)
        self.metadata = make_database("airflow")
        self.processes = []
        self.env = self._environment()
        self.airflow("db", "migrate")
        self.airflow("dags", "reserialize")

    # ---- set-up ----

    def connection(self, database):
        return json.dumps(
            {
                "conn_type": "postgres",
                "host": os.environ["PGHOST"],
                "login": "postgres",
                "password": SECRET,
                "schema": database,
                "port": int(os.environ.get("PGPORT", "5432")),
                "extra": {"sslmode": "prefer"},
            }
        )

    def _environment(self):
        """The caller's is left out, so that PG* come to a step through Airflow or not at all."""
        socket = os.environ["PGHOST"]
        env = {
            name: os.environ[name]
            for name in ("LC_ALL", "TMPDIR", "PYTHONDONTWRITEBYTECODE")
            if name in os.environ
        }
        url = f"postgresql+psycopg2://postgres@/{self.metadata}?host={socket}"
        env.update(
            {
                "PATH": self.bin + ":/usr/local/bin:/usr/bin:/bin",
                "HOME": self.home,
                "AIRFLOW_HOME": self.home,
                "AIRFLOW__CORE__DAGS_FOLDER": self.dags,
                "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
                "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
                "AIRFLOW__CORE__PARALLELISM": "4",
                "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": url,
                "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC": url.replace("psycopg2", "asyncpg"),
                "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "1",
                "AIRFLOW__SCHEDULER__JOB_HEARTBEAT_SEC": "1",
                "AIRFLOW__SCHEDULER__MIN_FILE_PROCESS_INTERVAL": "3600",
                "AIRFLOW__SCHEDULER__ENABLE_HEALTH_CHECK": "False",
                "AIRFLOW__SCHEDULER__LOCAL_TASK_JOB_HEARTBEAT_SEC": "1",
                "AIRFLOW__SCHEDULER__SCHEDULER_ZOMBIE_TASK_THRESHOLD": "10",
                "AIRFLOW__SCHEDULER__ZOMBIE_DETECTION_INTERVAL": "2",
                "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "10",
                "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "2",
                "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
                "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
                "AIRFLOW__API_AUTH__JWT_SECRET": "a-secret-of-tests-" + "0123456789" * 5,
                "AIRFLOW__METRICS__TIMER_UNIT_CONSISTENCY": "True",
                "SCARF_ANALYTICS": "false",
                "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
                "AIRFLOW_CONN_WAREHOUSE": self.connection(self.warehouse),
                "FACTLINE_BIN": self.programs,
                "FACTLINE_RETRY_SECONDS": "1",
                "FACTLINE_MARKS": self.marks,
                "COMMCARE_FORM_CONNECTIONS": "commcare_form_1 commcare_form_2",
                "COMMCARE_DOCUMENTS": self.sample.documents,
                "OPENEDX_EXTRACTS": self.extracts.folder,
            }
        )
        for connection, name in SOURCES.items():
            env["AIRFLOW_CONN_" + connection.upper()] = self.connection(self.sample.databases[name])
        return env

    # ---- commands ----

    def run(self, *command, expect=0, seconds=240, **env):
        done = subprocess.run(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=seconds,
            cwd=self.home,
            env={**self.env, **env},
        )
        if expect is not None and done.returncode != expect:
            fail(f"{' '.join(command)}: status {done.returncode}; it ends {done.stdout[-3000:]!r}")
        return done.stdout

    def airflow(self, *arguments, **options):
        return self.run(os.path.join(self.bin, "airflow"), *arguments, **options)

    def python(self, *arguments, **options):
        return self.run(os.path.join(self.bin, "python"), *arguments, **options)

    def dags_test(self, dag, day="2025-01-01", expect=0, **env):
        return self.airflow("dags", "test", dag, day, expect=expect, **env)

    # ---- what Airflow knows ----

    def ask(self, sql):
        session = Session(self.metadata)
        try:
            return session.rows(sql)
        finally:
            session.close()

    def tell(self, sql):
        session = Session(self.metadata)
        try:
            session.run(sql)
        finally:
            session.close()

    def tasks(self, dag, run=None):
        """task -> (state, tries) of a DAG run, the latest one if none is named."""
        rows = self.ask(f"""SELECT t.task_id, t.state, t.try_number FROM task_instance AS t
             WHERE t.dag_id = '{dag}' AND t.run_id = {self._run(dag, run)}""")
        return {row["task_id"]: (row["state"], row["try_number"]) for row in rows}

    def _run(self, dag, run):
        return (
            f"'{run}'"
            if run
            else f"(SELECT run_id FROM dag_run WHERE dag_id = '{dag}' ORDER BY id DESC LIMIT 1)"
        )

    def xcoms(self, dag, run=None):
        """task -> result of a DAG run."""
        value = "convert_from(value, 'UTF8')::json" if self.version == "2" else "value"
        rows = self.ask(f"""SELECT task_id, {value} AS value FROM xcom WHERE key = 'return_value'
                               AND dag_id = '{dag}' AND run_id = {self._run(dag, run)}""")
        return {row["task_id"]: row["value"] for row in rows}

    # ---- the parts of a running Airflow ----

    def start(self):
        """The scheduler and what it needs, each a process of ours."""
        parts = [["scheduler"]]
        if self.version != "2":
            port = str(20000 + os.getpid() % 20000)
            self.env.update(
                {
                    "AIRFLOW__API__PORT": port,
                    "AIRFLOW__API__HOST": "127.0.0.1",
                    "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": (
                        f"http://127.0.0.1:{port}/execution/"
                    ),
                }
            )
            parts = [
                ["api-server", "--port", port, "--host", "127.0.0.1", "--workers", "1"],
                ["dag-processor"],
                ["scheduler"],
            ]
        for part in parts:
            log = open(os.path.join(self.home, part[0] + ".log"), "wb")
            self.processes.append(
                subprocess.Popen(
                    [os.path.join(self.bin, "airflow"), *part],
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    stdin=subprocess.DEVNULL,
                    cwd=self.home,
                    env=self.env,
                    start_new_session=True,
                )
            )
            log.close()
        if self not in _running:
            _running.append(self)
            atexit.register(self.stop)

    def stop(self):
        while self.processes:
            process = self.processes.pop()
            for number, seconds in ((signal.SIGTERM, 15), (signal.SIGKILL, 15)):
                try:
                    os.killpg(process.pid, number)
                    process.wait(seconds)
                    break
                except subprocess.TimeoutExpired:
                    continue
                except ProcessLookupError:
                    break

    def log_of(self, part):
        with open(os.path.join(self.home, part + ".log"), errors="replace") as file:
            return file.read()

    # ---- what a person does to a task ----

    def mark_failed(self, dag, run, task):
        """2.x: its REST does no more than change this row, which is what the task runner sees."""
        if self.version == "2":
            self.tell(f"""UPDATE task_instance SET state = 'failed'
                           WHERE dag_id = '{dag}' AND run_id = '{run}' AND task_id = '{task}'""")
        else:
            self.rest(
                "PATCH", f"/dags/{dag}/dagRuns/{run}/taskInstances/{task}", {"new_state": "failed"}
            )

    def wait_for_end(self, dag, run):
        """Until the DAG run is over. A task that is cleared while the scheduler is about to end
        its run is lost: clearing sees a run that goes on and leaves its state alone, the
        scheduler then writes that it failed or succeeded, and nobody starts the task."""
        wait_until(
            lambda: self.ask(f"""SELECT FROM dag_run WHERE dag_id = '{dag}' AND run_id = '{run}'
                                    AND state IN ('success', 'failed')"""),
            f"{run} of {dag} to end",
            90,
        )

    def clear(self, dag, run, day, task):
        if self.version == "2":
            self.airflow("tasks", "clear", "-y", "-t", f"^{task}$", "-s", day, "-e", day, dag)
        else:  # the command of 3.3.2 finds the task and leaves it as it is
            self.rest(
                "POST",
                f"/dags/{dag}/clearTaskInstances",
                {
                    "dry_run": False,
                    "dag_run_id": run,
                    "task_ids": [task],
                    "only_failed": False,
                    "reset_dag_runs": True,
                },
            )

    def rest(self, method, path, body):
        base = f"http://127.0.0.1:{self.env['AIRFLOW__API__PORT']}"
        with urllib.request.urlopen(base + "/auth/token", timeout=60) as answer:
            token = json.load(answer)["access_token"]
        request = urllib.request.Request(
            base + "/api/v2" + path,
            method=method,
            data=json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as problem:
            fail(f"{method} {path}: {problem} {problem.read()[:500]}")

    def wait_for(self, dag, run, task, states, seconds=90):
        wanted = (states,) if isinstance(states, str) else states
        seen = []

        def arrived():
            seen[:] = [self.tasks(dag, run).get(task, (None, 0))]
            return seen[0][0] in wanted and seen[0]

        begin = time.monotonic()
        while time.monotonic() - begin < seconds:
            if arrived():
                return seen[0]
            time.sleep(0.3)  # sleeps: each look is a session of its own
        fail(f"{dag}.{task} of {run} is {seen[0]} after {seconds} s, not {wanted}")


# ---- the printed table ----

_table = []


def note(case, expected, seen):
    """A line of the table; the check itself is the caller's."""
    _table.append((case, expected, seen))


def keep_table(kind, version):
    """Where table.py finds it, with the version that is installed."""
    home = os.path.join(TREE, "build", "airflow")
    [installed] = glob.glob(f"{home}/{version}/lib/*/site-packages/apache_airflow-[0-9]*.dist-info")
    number = re.search(r"apache_airflow-([0-9.]+[0-9])", installed)[1]
    with open(f"{home}/cases-{kind}-{version}.json", "w") as file:
        json.dump({"version": number, "cases": _table}, file)


__all__ = ["Airflow", "DAGS", "LEARNING_DAGS", "SECRET", "TREE", "keep_table", "note", "wait_until"]
