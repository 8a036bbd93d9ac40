# SPDX-License-Identifier: MIT
"""A running Airflow ends tasks in its ways: what is left at the server, and how the next try ends.

Every case: transform_form waits for a lock that the test holds, the task is ended in one way, the
query must be gone from the server within ten seconds, and when the lock is free, the next try must
succeed with each form there once.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time

from factline import Session, backends, wait_for_lock
from harness import check, equal, test, wait_until
from world import TREE, Airflow, keep_table, note

sys.path.insert(0, os.path.join(TREE, "tests", "lib"))
import documents as doc  # noqa: E402

_world = []
_run = [0]


def world():
    return _world[0]


def begin(version):
    _world.append(Airflow(version))
    world().tell("UPDATE dag SET is_paused = false WHERE dag_id LIKE 'case%'")
    world().start()


def end():
    keep_table("kills", world().version)
    if sys.exc_info()[0] is not None or os.environ.get("FACTLINE_SHOW_LOGS"):
        for part in ("api-server", "dag-processor", "scheduler"):
            if os.path.exists(os.path.join(world().home, part + ".log")):
                print(f"# end of {part}.log:\n{world().log_of(part)[-1500:]}")
    world().stop()


def new_forms():
    """A few more forms in the file that case_form loads; all that were ever there."""
    _run[0] += 1
    with open(os.path.join(world().marks, "forms.ndjson"), "a") as file:
        for number in range(5):
            file.write(json.dumps(doc.form(f"f{_run[0]}-{number}")) + "\n")
    return _run[0]


def trigger(dag, number):
    run = f"run-{number}"
    world().airflow(
        "dags", "trigger", "-r", run, "-e" if world().version == "2" else "-l", day(number), dag
    )
    return run


def day(number):
    return f"2025-01-{number:02}"


class Waiting:
    """A DAG run whose transform waits for the lock of the test."""

    def __init__(self, dag="case_form"):
        self.dag, self.number = dag, new_forms()
        self.lock = Session(world().warehouse)
        self.lock.run("BEGIN; LOCK TABLE warehouse.form_fact IN ACCESS EXCLUSIVE MODE")
        self.run = trigger(dag, self.number)
        wait_for_lock(world().warehouse, "transform-fact%", 90)

    def gone(self, begin, seconds=10):
        """Seconds until no query of the ended try is left, which may not be more than ten."""
        wait_until(lambda: self.backend() != self.first, "the query to be gone", seconds)
        return time.monotonic() - begin

    def backend(self):
        return self.lock.value("""SELECT coalesce(min(pid), 0) FROM pg_stat_activity
            WHERE datname = current_database() AND application_name LIKE 'transform-fact%'
              AND wait_event_type = 'Lock'""")

    def end_by(self, action):
        self.first = self.backend()
        begin = time.monotonic()
        action()
        return self.gone(begin)

    def end_by_command(self, action):
        """The command takes its time to start: what counts is when Airflow knows."""
        self.first = self.backend()
        thread = threading.Thread(target=action)
        thread.start()
        wait_until(
            lambda: world().tasks(self.dag, self.run)["transform_form"][0] != "running",
            "Airflow to know",
            60,
        )
        took = self.gone(time.monotonic())
        thread.join()
        return took

    def release(self):
        self.lock.run("ROLLBACK")
        self.lock.close()

    def clear(self):
        world().clear(self.dag, self.run, day(self.number), "transform_form")

    def finish(self, seconds=120):
        """The next try; then the facts, which are all there once."""
        self.release()
        state = world().wait_for(self.dag, self.run, "transform_form", "success", seconds)
        batch = world().xcoms(self.dag, self.run)["transform_form"]["batch_id"]
        session = Session(world().warehouse)
        try:
            facts = session.tuples("""SELECT count(*) AS rows, count(DISTINCT form_id) AS forms
                                        FROM warehouse.form_fact""")[0]
            equal(facts, (5 * _run[0], 5 * _run[0]), "forms, and distinct ones")
            equal(
                session.number(
                    "SELECT count(*) FROM etl.batch WHERE state IN ('open', 'staged', 'failed')"
                ),
                0,
                "batches that are not complete",
            )
            equal(
                session.value(f"SELECT state FROM etl.batch WHERE id = {batch}"),
                "complete",
                "the batch",
            )
        finally:
            session.close()
        wait_until(lambda: backends(world().warehouse) == 0, "all sessions to be gone", 10)
        return state


def processes(name):
    """Those of our Airflow that run an executable."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                command = file.read().split(b"\0")
            if os.path.basename(command[0]) != name.encode():
                continue
            with open(f"/proc/{pid}/environ", "rb") as file:
                environ = file.read()
            if world().marks.encode() in environ:
                found.append(
                    (
                        int(pid),
                        [word.decode() for word in command[:-1]],
                        dict(
                            item.split("=", 1)
                            for item in environ.decode().split("\0")
                            if "=" in item
                        ),
                    )
                )
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
    return found


def parent_of(pid):
    with open(f"/proc/{pid}/stat") as file:
        return int(file.read().rpartition(")")[2].split()[1])


def seen(seconds, state):
    return f"gone after {seconds:.1f} s; then {state[0]}, try {state[1]}"


@test
def a_running_task_that_is_marked_failed():
    waiting = Waiting()
    took = waiting.end_by(lambda: world().mark_failed(waiting.dag, waiting.run, "transform_form"))
    world().wait_for_end(waiting.dag, waiting.run)
    waiting.clear()
    state = waiting.finish()
    note("marked failed, then cleared", "gone in 10 s; success", seen(took, state))


@test
def a_running_task_that_is_cleared():
    waiting = Waiting()
    took = waiting.end_by_command(waiting.clear)
    state = waiting.finish()
    note("cleared while running", "gone in 10 s; success", seen(took, state))


@test
def an_execution_timeout():
    waiting = Waiting("case_timeout")
    waiting.first = waiting.backend()
    took = waiting.gone(time.monotonic(), 20)
    check(took < 16, f"the query was there for {took:.1f} s, the limit is 6 s and 10 for the end")
    state = waiting.finish()
    check(state[1] >= 2, "the task was tried again")
    note("execution_timeout of 6 s", "gone in 16 s; up for retry", seen(took, state))


@test
def a_task_runner_that_is_killed():
    waiting = Waiting()
    [(pid, _, _)] = processes("transform-fact")
    took = waiting.end_by(lambda: os.kill(parent_of(pid), signal.SIGKILL))
    check(took < 5, f"the orphan was there for {took:.1f} s")
    state = waiting.finish(180)
    note("SIGKILL of the task runner", "gone in 5 s; retried", seen(took, state))


@test
def a_second_copy_of_the_same_try():
    waiting = Waiting()
    [(_, command, environ)] = processes("transform-fact")
    twin = subprocess.Popen(
        command,
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        state = waiting.finish()
        said = twin.communicate(timeout=90)[0]
    finally:
        twin.kill()
    check(twin.returncode in (0, 75), f"the copy ended with {twin.returncode}: {said[-500:]}")
    how = json.loads(said.splitlines()[-1])["status"] if twin.returncode == 0 else "75"
    check(how in ("already-done", "75"), f"the copy says {how}")
    note(
        "two copies at once", "one works, the other already-done or 75", f"{state[0]}; copy: {how}"
    )


@test
def any_task_that_is_cleared_and_run_again():
    number = new_forms()
    run = trigger("case_form", number)
    world().wait_for("case_form", run, "transform_form", "success")
    for task in ("transform_form", "load_form"):
        before = world().xcoms("case_form", run)
        tries = world().tasks("case_form", run)[task][1]
        world().wait_for_end("case_form", run)
        world().clear("case_form", run, day(number), task)
        wait_until(
            lambda: world().tasks("case_form", run)[task] == ("success", tries + 1),
            f"{task} again",
            90,
        )
        after = world().xcoms("case_form", run)
        equal(after[task]["status"], "already-done", f"status of {task}")
        for results in (before, after):
            results[task].pop("status")
        equal(after[task], before[task], f"result of {task}")
        note(f"{task} cleared and run again", "same result but status", "same, already-done")


@test
def a_worker_that_is_asked_to_end():
    """TERM to the scheduler, whose executor runs the tasks; what it does with them is its
    affair."""
    waiting = Waiting()
    world().stop()
    left = backends(world().warehouse, "transform-fact%")
    world().start()
    state = waiting.finish(240)
    note(
        "TERM to scheduler and worker, new start",
        "no row lost or twice; success",
        f"{'query waits on' if left else 'query gone'}; then {state[0]}, try {state[1]}",
    )


@test
def an_update_of_the_facts_wakes_its_app_status_and_no_other():
    """A DAG that is new may also be started by its schedule: what counts are runs by event."""
    world().tell("""UPDATE dag SET is_paused = false WHERE dag_id IN
                    ('commcare_form', 'commcare_app_status_form', 'commcare_app_status_synclog')""")

    def woken(name):
        return world().ask(
            f"""SELECT run_id, state FROM dag_run WHERE dag_id = 'commcare_app_status_{name}'
                                  AND run_id ~ '^(dataset|asset)_triggered'"""
        )

    wait_until(
        lambda: [run for run in woken("form") if run["state"] == "success"], "a woken run", 180
    )
    equal(woken("synclog"), [], "runs of commcare_app_status_synclog by event")
    note(
        "commcare_form succeeds",
        "wakes app_status_form only",
        woken("form")[0]["run_id"].split("__")[0],
    )
