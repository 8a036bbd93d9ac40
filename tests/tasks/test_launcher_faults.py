#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# time-limit: 300
"""Guests of a launcher (tests/lib/launcher.py) when something else goes wrong around them: a server
that restarts or stops answering, a crash just before or after a COMMIT. And what a person reads who
looks for the reason: the log of --dry-run.
"""

import os
import re
import select
import shutil
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import documents as doc  # noqa: E402
import factline  # noqa: E402
import launcher  # noqa: E402
from factline import Session, Warehouse, backends, ndjson, root  # noqa: E402
from harness import after_each, check, contains, equal, for_each, main  # noqa: E402
from harness import test, wait_until  # noqa: E402
from launcher import context, no_result, prepared, run, start  # noqa: E402
from proxy import Gate, kill  # noqa: E402
from source import SourceDatabase  # noqa: E402

after_each(launcher.end_all)
STEPS = ["load-staging", "transform-dim", "transform-fact", "app-status-from-fact"]


# ---- a server that restarts ----


class Server:
    """A server of one test, which may end it."""

    SCRIPT = os.path.join(factline.TREE, "tests", "lib", "scratch-server.sh")

    def __init__(self):
        self.folder = os.path.join(factline.new_folder(), "server")
        self.start()
        self.location = self.folder
        if os.path.exists(self.folder + ".location"):  # where its owner could not reach that
            with open(self.folder + ".location") as file:
                self.location = file.read().strip()

    def call(self, verb):
        return subprocess.run(
            [self.SCRIPT, verb, self.folder], check=True, stdout=subprocess.PIPE, text=True
        ).stdout

    def start(self):
        self.call("start")
        self.env = dict(re.findall(r"(PG\w+)='?([^'\s]*)'?", self.call("env")))

    def end(self, number):
        """SIGINT ends all sessions, SIGQUIT is a crash from which it has to recover."""
        path = os.path.join(self.location, "data", "postmaster.pid")
        with open(path) as file:
            os.kill(int(file.readline()), number)
        wait_until(lambda: not os.path.exists(path), "the server's end")

    def session(self):
        before = {name: os.environ.get(name) for name in ("PGHOST", "PGPORT")}
        os.environ.update({name: self.env[name] for name in before})
        try:
            return Session("postgres")
        finally:
            os.environ.update({name: value for name, value in before.items() if value})

    def run(self, task, *arguments, **options):
        return run(task, *arguments, database="postgres", env=self.env, **options)

    def remove(self):
        self.call("stop")
        shutil.rmtree(self.location, ignore_errors=True)


class Restart:
    """A transform that waits for a lock while its server goes, comes back, and is asked again."""

    def __init__(self, server, number):
        self.server, self.key = server, ["--run-key", f"restart/{number}"]
        self.path = os.path.join(os.path.dirname(server.folder), f"{number}.ndjson")
        with open(self.path, "wb") as file:
            file.write(ndjson([doc.form(f"f{number}")]))
        self.load("done")
        lock, looking = server.session(), server.session()
        lock.run("BEGIN; LOCK TABLE warehouse.form_fact IN ACCESS EXCLUSIVE MODE")
        guest = start(*self.command(), database="postgres", env=server.env)
        wait_until(
            lambda: looking.value(
                "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
                " AND application_name LIKE 'transform-fact%'"
            ),
            "the transform to wait",
        )
        server.end(number)
        ended = guest.wait(10).ended(69, 75)
        no_result(ended)
        equal(ended.state, "up_for_retry", "state")
        away = server.run(*self.command(), ctx=context(try_number=2)).ended(69)
        equal(away.state, "up_for_retry", "state while the server is away")
        server.start()

    def command(self):
        return ["transform-fact", "form", *self.key]

    def load(self, status):
        ended = self.server.run("load-staging", "form", "--source", self.path, *self.key).ended(0)
        equal(ended.result["status"], status, "status of the load")

    def try_again(self, status):
        return self.server.run(*self.command(), ctx=context(try_number=3)).ended(status)

    def check_facts(self, count):
        facts = "SELECT count(*) FROM warehouse.form_fact"
        equal(self.server.session().number(facts), count, "facts")


@test
def a_server_that_restarts_under_a_step_costs_a_try_and_one_that_crashes_its_staging():
    server = Server()
    try:
        server.run("migrate-warehouse").ended(0)
        restart = Restart(server, signal.SIGINT)
        equal(restart.try_again(0).result["status"], "done", "the third try")
        restart.check_facts(1)

        crash = Restart(server, signal.SIGQUIT)
        contains(crash.try_again(65).last, "; run load-staging again", "the last line")
        crash.load("done")  # the same batch; cleared in Airflow, it is this command
        equal(crash.try_again(0).result["rows_inserted"], 1, "rows of the transform")
        crash.check_facts(2)
    finally:
        server.remove()


# ---- a server that stops answering in the midst of a COPY ----


class Stopped:
    """A backend that does nothing, not even when it is asked to cancel."""

    def __init__(self, pid):
        self.pid = int(pid)

    def __enter__(self):
        os.kill(self.pid, signal.SIGSTOP)

    def __exit__(self, *_):
        os.kill(self.pid, signal.SIGCONT)


def copying(database, wait_event):
    return wait_until(
        lambda: root().value(f"""SELECT pid FROM pg_stat_activity WHERE datname = '{database}'
            AND query ~ 'COPY' AND wait_event = '{wait_event}'
            AND application_name LIKE 'load-staging%'"""),
        "a COPY",
    )


def ends_in_time(guest):
    begin = time.monotonic()
    guest.signal_group()
    ended = guest.wait(4)
    check(time.monotonic() - begin < 3, f"it took {time.monotonic() - begin:.1f} s")
    equal(ended.status, -signal.SIGTERM, "status")
    no_result(ended)


@test
def term_ends_a_load_whose_warehouse_takes_no_more_rows():
    warehouse = Warehouse()
    path = os.path.join(warehouse.folder, "forms.ndjson")
    os.mkfifo(path)
    guest = start("load-staging", "form", "--source", path, database=warehouse.name)
    pipe = os.open(path, os.O_WRONLY)
    records = ndjson([doc.form(f"f{number}") for number in range(500)])
    os.write(pipe, records)
    with Stopped(copying(warehouse.name, "ClientRead")):
        os.set_blocking(pipe, False)
        # More than all buffers between here and there can hold.
        fill(pipe, records)
        ends_in_time(guest)
    os.close(pipe)
    wait_until(lambda: backends(warehouse.name, "load-staging%") == 0, "the session to be gone", 5)
    os.remove(path)
    with open(path, "wb") as file:
        file.write(records)
    again = run(
        "load-staging", "form", "--source", path, database=warehouse.name, ctx=context(try_number=2)
    ).ended(0)
    equal(again.result["rows_staged"], 500, "rows of the next try")
    equal(warehouse.sql.number("SELECT count(*) FROM staging.form"), 500, "staged rows")


def fill(pipe, records):
    """Writes until nobody takes anything any more."""
    while select.select([], [pipe], [], 0.5)[1]:
        try:
            os.write(pipe, records)
        except BlockingIOError:
            pass


@test
def term_ends_a_load_whose_source_falls_silent_amid_its_rows():
    warehouse, source = Warehouse(), SourceDatabase()
    source.sql.run("""INSERT INTO form_processor_xforminstancesql
                          (form_id, domain, xmlns, received_on)
                      SELECT 'f' || n, 'river', 'x', '2024-03-01Z'
                        FROM generate_series(1, 50000) AS n""")
    # The first row waits for this lock, the others behind it.
    lock = warehouse.session()
    lock.run("""CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS
                  'BEGIN PERFORM pg_advisory_xact_lock_shared(1); RETURN NEW; END';
                CREATE TRIGGER wait BEFORE INSERT ON staging.form
                    FOR EACH ROW EXECUTE FUNCTION wait();
                SELECT pg_advisory_lock(1)""")
    command = ["load-staging", "form", "--source", source.spec]
    guest = start(*command, database=warehouse.name)
    with Stopped(copying(source.name, "ClientWrite")):
        lock.run("SELECT pg_advisory_unlock(1)")
        copying(warehouse.name, "ClientRead")
        ends_in_time(guest)
    for name in (warehouse.name, source.name):
        wait_until(lambda: backends(name, "load-staging%") == 0, "the sessions to be gone", 5)
    again = run(*command, database=warehouse.name, ctx=context(try_number=2)).ended(0)
    equal(again.result["rows_staged"], 50000, "rows of the next try")


# ---- a crash at each COMMIT ----


def crash_at(task, arguments, warehouse, number, when, try_number):
    """Kills a try before its n-th COMMIT or when that is done; False where it has fewer of them."""
    with Gate(number, when, kill, b"COMMIT") as gate:
        guest = start(
            task,
            *arguments,
            database=warehouse.name,
            env=gate.environment,
            ctx=context(try_number=try_number),
        )
        ended = gate.wait(guest).ended(-signal.SIGKILL if gate.was_reached else 0)
    if gate.was_reached:
        no_result(ended)
    return gate.was_reached


@for_each(STEPS)
def crashes_before_and_after_each_commit_are_made_good_by_the_next_try(task):
    for number in range(1, 20):
        warehouse, arguments = prepared(task)
        is_reached = crash_at(task, arguments, warehouse, number, "before", 1)
        crash_at(task, arguments, warehouse, number, "answered", 2)
        again = run(task, *arguments, database=warehouse.name, ctx=context(try_number=3)).ended(0)
        check(again.result["status"] in ("done", "already-done"), f"it says {again.result}")
        equal(work_of(task, warehouse), 1, f"rows after crashes at COMMIT {number}")
        equal(
            warehouse.sql.tuples("""SELECT workflow, count(*) FROM etl.batch
                                     GROUP BY workflow HAVING count(*) > 1"""),
            [],
            "workflows with two batches",
        )
        if not is_reached:
            break
    check(number > 2, f"the test itself: {number - 1} COMMITs were seen")


def work_of(task, warehouse):
    table = {
        "load-staging": "staging.form",
        "transform-dim": "warehouse.user_dim WHERE id <> 0",
        "transform-fact": "warehouse.form_fact",
        "app-status-from-fact": "warehouse.app_status_fact",
    }[task]
    return warehouse.sql.number(f"SELECT count(*) FROM {table}")


# ---- a log to be read ----


@for_each(["load-staging", "transform-dim", "transform-fact", "app-status-from-fact"])
def statements_and_plans_of_a_dry_run_are_folded_and_nothing_else(task):
    warehouse, arguments = prepared(task)
    if task == "load-staging":
        source = SourceDatabase()
        source.add_form("f1")
        arguments = ["form", "--source", source.spec]
    ended = run(task, *arguments, "--dry-run", database=warehouse.name).ended(0)
    depth, inside, outside = 0, [], []
    for line in ended.lines:
        depth += line.startswith("::group::")
        (inside if depth else outside).append(line)
        depth -= line == "::endgroup::"
        check(depth in (0, 1), f"groups within groups, or none that ends: {ended.lines}")
    equal(depth, 0, "open groups")
    check(any("SELECT" in line for line in inside), "no statement is folded")
    check(any(" plan sql=" in line for line in inside), "no plan is folded")
    check(not [line for line in outside if "SELECT" in line or " plan sql=" in line], f"{outside}")
    check(ended.result is not None, f"the last line is {ended.last!r}")
    by_hand = warehouse.run(task, *arguments, "--dry-run", "--run-key", "by-hand", expect=None)
    check("::group::" not in by_hand.stderr, "marks in a log that Airflow does not show")


@test
def the_reason_of_a_failed_dry_run_is_not_folded():
    warehouse, arguments = prepared("transform-fact")
    warehouse.sql.run("ALTER TABLE warehouse.form_fact RENAME TO form_fact_gone")
    ended = run("transform-fact", *arguments, "--dry-run", database=warehouse.name)
    check(ended.status != 0, "it succeeds")
    contains(ended.output.decode(), "::group::", "the log")
    contains("\n".join(ended.lines[ended.lines.index("::endgroup::") :]), ": error: ", "the end")
    equal(ended.output.count(b"::group::"), ended.output.count(b"::endgroup::"), "marks")


if __name__ == "__main__":
    main()
