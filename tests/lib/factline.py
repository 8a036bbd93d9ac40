# SPDX-License-Identifier: MIT
"""The executables from outside, and psql to look at what they did.

Needs a scratch server named by PG* (a superuser) and the executables in $FACTLINE_BIN, else in
build/bin. Databases made here are dropped after the test that made them.
"""

import atexit
import json
import os
import signal
import subprocess
import tempfile
import threading
import time

import harness
from harness import check, equal, fail, wait_until

TREE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BIN = os.environ.get("FACTLINE_BIN") or os.path.join(TREE, "build", "bin")

RESULT_HEAD = [
    "schema_version",
    "step",
    "workflow",
    "batch_id",
    "status",
    "attempt",
    "since",
    "until",
    "seconds",
]
TRANSFORM_SUM = ["rows_inserted", "rows_updated", "rows_unchanged", "rows_duplicate", "rows_older"]
RESULT_COUNTS = {
    "load-staging": [
        "rows_read",
        "rows_staged",
        "rows_rejected",
        "rows_skipped",
        "bytes_read",
        "behind_seconds",
    ],
    "transform-dim": ["rows_staged"] + TRANSFORM_SUM + ["members_inferred"],
    "transform-fact": ["rows_staged"] + TRANSFORM_SUM + ["members_inferred"],
    "app-status-from-fact": [
        "batches",
        "keys_touched",
        "rows_inserted",
        "rows_updated",
        "rows_deleted",
        "rows_unchanged",
    ],
    "verify-app-status": [
        "rows_checked",
        "rows_missing",
        "rows_extra",
        "rows_different",
        "rows_pending",
        "rows_repaired",
    ],
    "migrate-warehouse": ["migrations_applied"],
    "clear-staging": ["rows_deleted"],
}


class SqlError(Exception):
    """The server refused a statement of the test itself."""


# ---- psql ----


def environment(database=None, **more):
    """What a task gets: the caller's environment without leftovers of other tools."""
    env = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AIRFLOW_", "SOURCE_")) and name not in ("PGDATABASE", "PGOPTIONS")
    }
    if database:
        env["PGDATABASE"] = database
    env.update({name: str(value) for name, value in more.items() if value is not None})
    for name in [name for name, value in more.items() if value is None]:
        env.pop(name, None)
    return env


class Session:
    """A psql that stays: one server session, so that it can hold a transaction open."""

    def __init__(self, database, user=None, host=None):
        env = environment(database, PGTZ="UTC", PGCLIENTENCODING="UTF8")
        if user:
            env["PGUSER"] = user
        if host:
            env["PGHOST"] = host
        self.process = subprocess.Popen(
            ["psql", "-XAtq"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=env,
            encoding="utf-8",
        )
        self.count = 0
        self.lock = threading.Lock()
        _sessions.append(self)

    def start(self, sql):
        """Sends statements without waiting; finish() gives what they said."""
        self.count += 1
        self.process.stdin.write(
            f"{sql.rstrip().rstrip(';')}\n;\n\\echo end-of-answer" f" {self.count}\n"
        )
        self.process.stdin.flush()

    def finish(self):
        lines = []
        for line in self.process.stdout:
            if line == f"end-of-answer {self.count}\n":
                break
            lines.append(line.rstrip("\n"))
        else:
            raise SqlError("psql went away: " + " ".join(lines[-3:]))
        errors = [line for line in lines if line.startswith(("ERROR:", "FATAL:"))]
        if errors:
            raise SqlError("\n".join(lines))
        return lines

    def run(self, sql):
        with self.lock:  # a gate asks while the test does
            self.start(sql)
            return self.finish()

    def value(self, sql):
        lines = self.run(sql)
        return lines[0] if lines else None

    def number(self, sql):
        return int(self.value(sql))

    def rows(self, sql):
        """The rows of a SELECT as dicts; times as ISO text in UTC."""
        return json.loads(
            "\n".join(
                self.run(
                    "SELECT coalesce(json_agg(row_to_json(q)), '[]') FROM"
                    f" ({sql.rstrip().rstrip(';')}) AS q"
                )
            )
        )

    def tuples(self, sql):
        return [tuple(row.values()) for row in self.rows(sql)]

    def pid(self):
        return int(self.value("SELECT pg_backend_pid()"))

    def close(self):
        if self.process:
            try:
                self.process.stdin.close()
            except BrokenPipeError:
                pass  # the server went away, and psql with it
            self.process.stdout.close()
            self.process.wait()
            self.process = None


_sessions = []
_databases = []
_templates = {}
_root = {}
_count = 0


def root(host=None):
    """A session on the server's own database, for making and dropping others."""
    if host not in _root:
        _root[host] = Session("postgres", host=host)
        _sessions.remove(_root[host])
    return _root[host]


def forget_sessions():
    """After a crash of the server: who asks again gets new ones."""
    for session in _sessions + list(_root.values()):
        session.close()
    _sessions.clear()
    _root.clear()


def new_name(kind):
    global _count
    _count += 1
    return f"factline_{kind}_{os.getpid()}_{_count}"


def new_database(make=None, kind="test", host=None):
    """A database of this test; make(name) fills a template of it once per program. On another host
    than that of PG*, it is make(name, host)."""
    template = "template0"
    if make:
        if (make, host) not in _templates:
            name = new_name("template")
            root(host).run(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'")
            _templates[make, host] = name
            make(*filter(None, (name, host)))
        template = _templates[make, host]
    name = new_name(kind)
    copy_database(template, name, host)
    _databases.append((name, host))
    return name


def copy_database(template, name, host=None):
    """Copies the files, as before version 15 of the server. The new way, which writes each page to
    the server's log, takes several times as long."""
    version = root(host).number("SHOW server_version_num")
    how = "STRATEGY file_copy" if version >= 150000 else ""
    root(host).run(f"CREATE DATABASE {name} TEMPLATE {template} ENCODING 'UTF8' {how}")


def drop_database(name, host=None):
    root(host).run(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


@harness.after_each
def drop_what_the_test_made():
    for process in list(_processes):
        if process.process.poll() is None:
            process.process.kill()
            process.process.communicate()
    _processes.clear()
    while _sessions:
        _sessions.pop().close()
    while _databases:
        drop_database(*_databases.pop())


def _drop_all():
    try:
        drop_what_the_test_made()
        for (_, host), name in _templates.items():
            drop_database(name, host)
        for session in _root.values():
            session.close()
    except (SqlError, OSError, ValueError):
        pass
    _templates.clear()
    _root.clear()


atexit.register(_drop_all)


def _leave(number, frame):
    _root.clear()  # it may have been interrupted in the middle of an answer
    _drop_all()
    for folder in _folders:
        folder.cleanup()
    os._exit(128 + number)


signal.signal(signal.SIGTERM, _leave)


def new_folder():
    """A folder of this program, removed at its end."""
    folder = tempfile.TemporaryDirectory(prefix="factline-test-")
    _folders.append(folder)
    return folder.name


_folders = []


# ---- tasks ----


class Run:
    """How a task ended: status, both streams, seconds."""

    def __init__(self, command, status, stdout, stderr, seconds):
        self.command, self.status, self.seconds = command, status, seconds
        self.stdout = stdout.decode("utf-8", "surrogateescape")
        self.stderr = stderr.decode("utf-8", "surrogateescape")

    @property
    def result(self):
        """The result line, which must be the only thing on standard output."""
        check(
            self.stdout.endswith("\n") and self.stdout.count("\n") == 1,
            f"{self}: expected one line on standard output, seen {self.stdout!r}",
        )
        return json.loads(self.stdout, object_pairs_hook=self._once)

    @staticmethod
    def _once(pairs):
        check(len({key for key, _ in pairs}) == len(pairs), f"a key is there twice: {pairs}")
        return dict(pairs)

    def __getitem__(self, key):
        result = self.result
        if key not in result:
            fail(f"{self}: no {key} in {self.stdout!r}")
        return result[key]

    @property
    def error(self):
        """The last line of standard error."""
        lines = self.stderr.splitlines()
        return lines[-1] if lines else ""

    @property
    def output(self):
        return self.stdout + self.stderr

    def ended(self, *statuses):
        """Checks the exit status; the message shows what the task said."""
        if self.status not in statuses:
            fail(
                f"{self}: expected exit status {' or '.join(map(str, statuses))}, seen"
                f" {self.status}; "
                f"standard error ends: {self.stderr[-900:]!r}"
            )
        if self.status > 0 and self.status != 79:
            equal(self.stdout, "", f"{self}: standard output after a failure")
        if self.status not in (0, 99) and self.status > 0:
            task = os.path.basename(self.command[0])
            check(
                self.error.startswith(f"{task}: error: ") and "; " in self.error,
                f"{self}: the last line of standard error is {self.error!r}",
            )
        return self

    def __str__(self):
        return " ".join([os.path.basename(self.command[0])] + list(self.command[1:]))


class Process:
    """A task that runs by itself: to be signalled, stopped, waited for."""

    def __init__(self, task, *arguments, database=None, stdin=None, env=None, stdout=None):
        self.command = [os.path.join(BIN, task), *map(str, arguments)]
        self.begin = time.monotonic()
        self.process = subprocess.Popen(
            self.command,
            stdin=stdin or subprocess.DEVNULL,
            stdout=stdout or subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(database, **(env or {})),
        )
        _processes.append(self)

    def signal(self, number):
        self.process.send_signal(number)

    def wait(self, seconds=60):
        try:
            stdout, stderr = self.process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()
            fail(f"{' '.join(self.command)}: still running after {seconds} s")
        if self in _processes:
            _processes.remove(self)
        return Run(
            self.command,
            self.process.returncode,
            stdout or b"",
            stderr,
            time.monotonic() - self.begin,
        )


_processes = []


def run_task(task, *arguments, database=None, stdin=None, env=None, seconds=120, stdout=None):
    command = [os.path.join(BIN, task), *map(str, arguments)]
    begin = time.monotonic()
    if stdin is None or hasattr(stdin, "fileno"):
        given = {"stdin": stdin or subprocess.DEVNULL}
    else:
        given = {"input": stdin.encode() if isinstance(stdin, str) else stdin}
    try:
        done = subprocess.run(
            command,
            stdout=stdout or subprocess.PIPE,
            stderr=subprocess.PIPE,
            timeout=seconds,
            env=environment(database, **(env or {})),
            **given,
        )
    except subprocess.TimeoutExpired:
        fail(f"{' '.join(command)}: still running after {seconds} s")
    return Run(command, done.returncode, done.stdout or b"", done.stderr, time.monotonic() - begin)


def check_result(run, task, status="done"):
    """The promises about every result line: ASCII, 4096 bytes, names, order, types, sums."""
    check(run.stdout.isascii() and len(run.stdout) <= 4096, f"{run}: the line is not short ASCII")
    result = run.result
    equal(list(result)[: len(RESULT_HEAD)], RESULT_HEAD, f"{run}: first names of the line")
    equal(result["schema_version"], 1, "schema_version")
    equal(result["step"], task, "step")
    equal(result["status"], status, f"{run}: status")
    check(isinstance(result["batch_id"], str), "batch_id is not text")
    for name in ("since", "until"):
        check(
            result[name] is None or (len(result[name]) == 27 and result[name].endswith("Z")),
            f"{name} is {result[name]!r}",
        )
    for name in RESULT_COUNTS.get(task, []):
        check(name in result, f"{run}: the line has no {name}: {run.stdout!r}")
    if task == "load-staging":
        equal(result["rows_read"], result["rows_staged"] + result["rows_rejected"], "rows_read")
    if task in ("transform-dim", "transform-fact"):
        equal(result["rows_staged"], sum(result[name] for name in TRANSFORM_SUM), "rows_staged")
    return result


FACTS = ("form", "synclog")


class Warehouse:
    """A migrated database of its own, or one that make(name) fills, and the tasks run on it.
    name: of a database that is there already."""

    def __init__(self, migrated=True, make=None, name=None):
        make = make or (migrate if migrated else None)
        self.name = name or new_database(make, "warehouse")
        self._session = None
        self.folder = new_folder()
        self.files = 0
        self.keys = 0

    @property
    def sql(self):
        if self._session is None or self._session.process is None:
            self._session = Session(self.name)
        return self._session

    def session(self, user=None):
        return Session(self.name, user)

    def run(self, task, *arguments, expect=0, **options):
        """expect: the exit status that must be seen, or a tuple of them, or None for any."""
        run = run_task(task, *arguments, database=self.name, **options)
        if expect is not None:
            run.ended(*(expect if isinstance(expect, tuple) else (expect,)))
        if run.status == 0 and task in RESULT_COUNTS:
            check_result(run, task, run["status"])
        return run

    def start(self, task, *arguments, **options):
        return Process(task, *arguments, database=self.name, **options)

    def file(self, records, name=None):
        """Writes records (dicts or raw lines) as NDJSON; gives the path."""
        self.files += 1
        path = os.path.join(self.folder, name or f"records{self.files}.ndjson")
        with open(path, "wb") as file:
            file.write(ndjson(records))
        return path

    def key(self):
        self.keys += 1
        return f"test/{self.keys}"

    def load(self, feed, records, *options, expect=0, key=None, **more):
        """Loads records from a file of their own."""
        return self.run(
            "load-staging",
            feed,
            "--source",
            self.file(records),
            "--run-key",
            key or self.key(),
            *options,
            expect=expect,
            **more,
        )

    def load_from(self, feed, sources, *options, expect=0, key=None, **more):
        """Loads from servers: sources are SourceDatabase objects or specs."""
        specs = [
            argument
            for source in sources
            for argument in ("--source", getattr(source, "spec", source))
        ]
        return self.run(
            "load-staging",
            feed,
            *specs,
            "--run-key",
            key or self.key(),
            *options,
            expect=expect,
            **more,
        )

    def transform(self, feed, loaded, *options, expect=0, **more):
        """Transforms a batch: loaded is the Run of its load, or its id."""
        batch = loaded if isinstance(loaded, str) else loaded["batch_id"]
        task = "transform-fact" if feed in FACTS else "transform-dim"
        return self.run(task, feed, "--batch-id", batch, *options, expect=expect, **more)

    def take(self, feed, records, *options, **more):
        """Load and transform; gives the transform's Run."""
        return self.transform(feed, self.load(feed, records, *options, **more))

    def take_from(self, feed, sources, *options, **more):
        return self.transform(feed, self.load_from(feed, sources, *options, **more))

    def app_status(self, *sides, expect=0):
        for side in sides or ("form", "synclog"):
            run = self.run("app-status-from-fact", side, "--run-key", self.key(), expect=expect)
        return run

    def batch(self, batch_id):
        found = self.sql.rows(f"SELECT * FROM etl.batch WHERE id = {int(batch_id)}")
        equal(len(found), 1, f"batches with id {batch_id}")
        return found[0]

    def rejects(self):
        return self.sql.tuples(
            "SELECT reason, column_name FROM etl.rejected_row ORDER BY position," " id"
        )

    def report(self, columns="user_id, application_id, last_submission, last_sync"):
        return self.sql.tuples(
            f"SELECT {columns} FROM warehouse.app_status_report ORDER BY"
            f" user_id,"
            " application_id NULLS FIRST"
        )

    def status_rows(self):
        """app_status_fact by natural keys."""
        return self.sql.tuples("""
            SELECT u.user_id, a.application_id, f.last_form_id, f.last_form_submission_date,
                   f.last_sync_log_date
              FROM warehouse.app_status_fact AS f
              JOIN warehouse.user_dim AS u ON u.id = f.user_dim_id
              LEFT JOIN warehouse.application_dim AS a ON a.id = f.app_dim_id AND a.id <> 0
             ORDER BY u.user_id, a.application_id NULLS FIRST""")


def ndjson(records):
    lines = []
    for record in records:
        if isinstance(record, bytes):
            lines.append(record)
        else:
            lines.append((record if isinstance(record, str) else json.dumps(record)).encode())
    return b"".join(line + b"\n" for line in lines)


def migrate(name):
    run_task("migrate-warehouse", database=name).ended(0)


def backends(database, like="%"):
    """Sessions of tasks on a database, by application name."""
    return root().number(f"""SELECT count(*) FROM pg_stat_activity WHERE datname = '{database}'
                             AND application_name LIKE '{like}' AND application_name <> 'psql'""")


def wait_for_lock(database, like="%", seconds=20):
    """Until a task's session on the database waits for a lock."""
    wait_until(
        lambda: root().number(f"""SELECT count(*) FROM pg_stat_activity WHERE datname = '{database}'
              AND wait_event_type = 'Lock'
            AND application_name LIKE '{like}' AND application_name <> 'psql'"""),
        f"a session that waits for a lock ({like})",
        seconds,
    )


def time_of(text):
    """A time of a result line or of row_to_json, without its spelling of UTC."""
    if text is None:
        return None
    text = text.replace("Z", "").replace("+00:00", "")
    day, _, rest = text.partition("T")
    seconds, _, fraction = rest.partition(".")
    return f"{day}T{seconds or '00:00:00'}.{fraction.ljust(6, '0')}"
