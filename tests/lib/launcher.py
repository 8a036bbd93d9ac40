# SPDX-License-Identifier: MIT
"""What Airflow's BashOperator does to the process it starts, without Airflow.

A guest is `bash -c COMMAND` in a session of its own: both outputs are one pipe, standard input is
one end of a socket pair with bytes waiting in it (the supervisor's protocol), the folder is a
temporary one, and AIRFLOW_CTX_* name the try. The last line of the pipe is the result. Ways of
ending a guest are methods, one for each that Airflow has.
"""

import json
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import documents as doc
import factline
from factline import Warehouse, backends, wait_for_lock
from harness import check, equal, fail, wait_until

PROTOCOL = b"\x00\x00\x00\x07a frame of the supervisor"
DAGS = os.path.join(factline.TREE, "dags", "factline_dag.py")
_guests = []
# A table under whose lock a task waits in the midst of its work.
BLOCKED_BY = {
    "load-staging": "staging.form",
    "transform-fact": "warehouse.form_fact",
    "transform-dim": "warehouse.user_dim",
    "app-status-from-fact": "warehouse.app_status_fact",
    "verify-app-status": "warehouse.app_status_fact",
    "clear-staging": "staging.form",
    "migrate-warehouse": "etl.schema_version",
    "batch-status": "etl.batch",
}


def dag_statuses():
    """(statuses, permanent ones) as the DAG library lists them, read without Airflow."""
    with open(DAGS) as file:
        text = file.read()
    statuses = {
        name: int(number)
        for name, number in re.findall(
            r'"([A-Z]+)": (\d+)', re.search(r"STATUS = \{(.*?)\}", text, re.S)[1]
        )
    }
    names = re.findall(r'"([A-Z]+)"', re.search(r"PERMANENT = (.*)", text)[1])
    return statuses, {statuses[name] for name in names}


def state_of(status):
    """What becomes of a task with a retry left, as the DAGs decide."""
    if status == 0:
        return "success"
    if status == 99:
        return "skipped"
    return "failed" if status in dag_statuses()[1] else "up_for_retry"


def context(
    run="manual__2026-01-01T00:00:00+00:00", dag="commcare_form", task="step", try_number=1
):
    """The variables that BashOperator exports; an empty one is absent."""
    values = {
        "DAG_ID": dag,
        "TASK_ID": task,
        "DAG_RUN_ID": run,
        "TRY_NUMBER": try_number,
        "LOGICAL_DATE": "2026-01-01T00:00:00+00:00",
        "DAG_OWNER": "airflow",
    }
    return {"AIRFLOW_CTX_" + name: str(value) for name, value in values.items() if value}


class Ended:
    """How a guest ended: exit status, all bytes of the pipe, and the line that becomes the XCom."""

    def __init__(self, status, output, seconds, lag, stdin):
        self.status, self.output, self.seconds, self.lag, self.stdin = (
            status,
            output,
            seconds,
            lag,
            stdin,
        )
        pieces = output.split(b"\n")
        if pieces[-1] == b"":
            pieces.pop()
        self.lines = [piece.decode("utf-8", "backslashreplace").rstrip() for piece in pieces]

    @property
    def last(self):
        return self.lines[-1] if self.lines else ""

    @property
    def state(self):
        return state_of(self.status)

    @property
    def result(self):
        """The XCom as output_processor=json.loads has it; None where the task would fail over
        it."""
        try:
            value = json.loads(self.last)
        except ValueError:
            return None
        return value if isinstance(value, dict) else None

    def ended(self, *statuses):
        if self.status not in statuses:
            fail(
                f"expected status {' or '.join(map(str, statuses))}, seen {self.status}; "
                "the log ends "
                f"{self.lines[-4:]!r}"
            )
        return self


class Guest:
    def __init__(
        self,
        command,
        database=None,
        env=None,
        ctx=None,
        whole_env=None,
        before=None,
        closed_output=None,
        shell_level="1",
    ):
        self.folder = tempfile.mkdtemp(prefix="airflowtmp")
        self.supervisor, theirs = socket.socketpair()
        self.supervisor.sendall(PROTOCOL)
        self.read, write = os.pipe()
        environment = (
            whole_env
            if whole_env is not None
            else factline.environment(database, FACTLINE_BIN=factline.BIN, **(env or {}))
        )
        # SHLVL as the DAGs set it, so that bash does not read ~/.bashrc.
        context_of = context() if ctx is None else ctx
        environment = {**environment, "SHLVL": shell_level, **context_of}
        self.begin = time.monotonic()
        self.process = subprocess.Popen(
            ["bash", "-c", command],
            stdin=theirs,
            stdout=write if closed_output is None else closed_output,
            stderr=write if closed_output is None else closed_output,
            cwd=self.folder,
            env=environment,
            start_new_session=True,
            restore_signals=True,
            preexec_fn=before,
        )
        os.close(write)
        self.theirs = theirs
        self.output = b""
        _guests.append(self)

    @property
    def pid(self):
        return self.process.pid

    # ---- what a launcher does to its guest ----

    def signal_group(self, number=signal.SIGTERM):
        os.killpg(self.process.pid, number)

    def signal(self, number):
        os.kill(self.process.pid, number)

    def close_pipe(self):
        if self.read is not None:
            os.close(self.read)
            self.read = None

    def remove_folder(self):
        shutil.rmtree(self.folder, ignore_errors=True)

    def read_for(self, seconds):
        """Reads until the end of the pipe or that long; True at the end."""
        deadline = time.monotonic() + seconds
        while self.read is not None and time.monotonic() < deadline:
            ready, _, _ = select.select(
                [self.read], [], [], min(0.05, max(0, deadline - time.monotonic()))
            )
            if ready:
                data = os.read(self.read, 65536)
                if not data:
                    self.close_pipe()
                    return True
                self.output += data
        return self.read is None

    # ---- its end ----

    def wait(self, seconds=60):
        """Reads to the end as the operator does, which waits for whoever holds the pipe."""
        exited = None
        deadline = time.monotonic() + seconds
        while True:
            is_read = self.read is None or self.read_for(0.02)
            if exited is None and self.process.poll() is not None:
                exited = time.monotonic()
            if is_read and exited is not None:
                break
            if is_read:
                time.sleep(0.005)  # sleeps: the pipe is at its end, the process not yet
            if time.monotonic() > deadline:
                self.kill()
                fail(f"still running after {seconds} s; the log ends {self.output[-600:]!r}")
        return self._ended(time.monotonic() - exited)

    def _ended(self, lag):
        seconds = time.monotonic() - self.begin
        left = bytearray()
        self.theirs.setblocking(False)
        self.supervisor.setblocking(False)
        try:
            left = self.theirs.recv(4096)
        except BlockingIOError:
            pass
        try:
            written = self.supervisor.recv(4096)
        except BlockingIOError:
            written = b""
        self.release()
        return Ended(self.process.returncode, self.output, seconds, lag, (bytes(left), written))

    def kill(self):
        try:
            self.signal_group(signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()

    def release(self):
        self.close_pipe()
        self.theirs.close()
        self.supervisor.close()
        self.remove_folder()
        if self in _guests:
            _guests.remove(self)


def command_of(task, *arguments, exec_=True, stdin="</dev/null"):
    """As the DAGs write it."""
    words = " ".join(
        argument if str(argument).startswith('"$') else shell_quoted(argument)
        for argument in arguments
    )
    return f'{"exec " if exec_ else ""}"$FACTLINE_BIN"/{task} {words} {stdin}'.rstrip()


def shell_quoted(word):
    return "'" + str(word).replace("'", "'\\''") + "'"


def start(
    task, *arguments, database=None, env=None, ctx=None, exec_=True, stdin="</dev/null", **more
):
    return Guest(command_of(task, *arguments, exec_=exec_, stdin=stdin), database, env, ctx, **more)


def run(task, *arguments, seconds=60, **more):
    return start(task, *arguments, **more).wait(seconds)


def prepared(task, records=None):
    """A warehouse in which the task has work, and its arguments; the run key is the launcher's."""
    warehouse = Warehouse()
    ctx = context()
    if task == "load-staging":
        return warehouse, ["form", "--source", warehouse.file(records or [doc.form("f1")])]
    if task == "transform-dim":
        run(
            "load-staging",
            "user",
            "--source",
            warehouse.file([doc.user()]),
            database=warehouse.name,
            ctx=ctx,
        ).ended(0)
        return warehouse, ["user"]
    if task in (
        "transform-fact",
        "app-status-from-fact",
        "verify-app-status",
        "clear-staging",
        "batch-status",
    ):
        run(
            "load-staging",
            "form",
            "--source",
            warehouse.file(records or [doc.form("f1")]),
            database=warehouse.name,
            ctx=ctx,
        ).ended(0)
    if task in ("app-status-from-fact", "verify-app-status", "clear-staging", "batch-status"):
        run("transform-fact", "form", database=warehouse.name, ctx=ctx).ended(0)
    return warehouse, {
        "transform-fact": ["form"],
        "app-status-from-fact": ["form"],
        "batch-status": ["--json"],
    }.get(task, [])


class Waiting:
    """A guest that waits for a lock in the midst of its work, until release()."""

    def __init__(self, task, **options):
        self.task = task
        self.warehouse, self.arguments = prepared(task)
        self.lock = self.warehouse.session()
        self.lock.run(f"BEGIN; LOCK TABLE {BLOCKED_BY[task]} IN ACCESS EXCLUSIVE MODE")
        self.guest = start(task, *self.arguments, database=self.warehouse.name, **options)
        wait_for_lock(self.warehouse.name, f"{task}%")

    def gone(self, seconds=3):
        """No session of the guest is left, the lock still being held."""
        begin = time.monotonic()
        wait_until(
            lambda: backends(self.warehouse.name, f"{self.task}%") == 0,
            "the query to be gone",
            seconds,
        )
        return time.monotonic() - begin

    def next_try(self, status="done"):
        self.lock.run("ROLLBACK")
        again = run(
            self.task, *self.arguments, database=self.warehouse.name, ctx=context(try_number=2)
        ).ended(0)
        if self.task in factline.RESULT_COUNTS and self.task != "migrate-warehouse":
            equal(again.result["status"], status, "the next try")
        if self.task in ("transform-fact", "app-status-from-fact"):
            equal(self.warehouse.sql.number("SELECT count(*) FROM warehouse.form_fact"), 1, "facts")
        return again


def no_result(ended):
    check(b'{"schema_version"' not in ended.output, f"a result was printed: {ended.lines[-3:]!r}")


def untouched(ended):
    """Standard input was neither read nor written."""
    check(
        ended.stdin[0] == PROTOCOL,
        f"bytes of standard input were taken: {ended.stdin[0]!r} is left",
    )
    check(ended.stdin[1] == b"", f"standard input was written to: {ended.stdin[1]!r}")


def end_all():
    for guest in list(_guests):
        guest.kill()
        guest.release()
