#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# time-limit: 900
"""Whatever a step sends: the connection is cut, or the step killed, before and after a message of
it. The next run of the step must make it right, and nothing may be there twice.

Every fifth message is tried, from one drawn by lot; with --seconds 300 or more, each of them.
"""

import os
import random
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import documents as doc  # noqa: E402
from factline import Warehouse, backends  # noqa: E402
from harness import check, equal, for_each, main, option, test, wait_until  # noqa: E402
from proxy import Gate  # noqa: E402
from source import SourceDatabase  # noqa: E402

MOST = 120  # messages of one run; a step with more is not swept to its end, which is a failure
STRIDE = 1 if float(option("--seconds") or 0) >= 300 else 5


def numbers():
    """Messages to try, and at last one that no run reaches."""
    begin = random.randint(1, STRIDE)
    print(f"# every {STRIDE}. message from {begin}", flush=True)
    return list(range(begin, MOST, STRIDE))


class World:
    """A warehouse and a source in which each round has new work."""

    def __init__(self):
        self.warehouse, self.source = Warehouse(), SourceDatabase()
        self.rounds = 0

    def prepare(self, step):
        """The command line of a step that has one form to move."""
        self.rounds += 1
        key, name = f"round/{self.rounds}", f"f{self.rounds}"
        day = f"2024-03-{1 + self.rounds % 28:02d}T00:00:{self.rounds % 60:02d}Z"
        if step == "load-staging from a server":
            self.source.add_form(name)
            return [
                "load-staging",
                "form",
                "--source",
                self.source.spec,
                "--run-key",
                key,
                "--overlap",
                "0s",
            ]
        path = self.warehouse.file([doc.form(name, day, user_id=f"u{self.rounds}")])
        load = ["load-staging", "form", "--source", path, "--run-key", key]
        if step == "load-staging from a file":
            return load
        self.warehouse.run(*load)
        if step == "transform-fact":
            return ["transform-fact", "form", "--run-key", key]
        self.warehouse.run("transform-fact", "form", "--run-key", key)
        return ["app-status-from-fact", "form", "--run-key", key]

    def is_right(self, step, run):
        """After the step has succeeded: its work is there, once."""
        name = f"f{self.rounds}"
        sql = self.warehouse.sql
        if step.startswith("load"):
            equal(
                sql.tuples(
                    "SELECT form_id FROM staging.form WHERE batch_id =" f" {run['batch_id']}"
                ),
                [(name,)],
                "staging",
            )
            self.warehouse.transform("form", run)
        equal(
            sql.number(f"SELECT count(*) FROM warehouse.form_fact WHERE form_id = '{name}'"),
            1,
            "facts",
        )
        if step.startswith("app"):
            equal(
                sql.tuples(
                    "SELECT user_id FROM warehouse.user_dim AS u JOIN"
                    " warehouse.app_status_fact AS s"
                    f" ON s.user_dim_id = u.id WHERE s.last_form_id = '{name}'"
                ),
                [(f"u{self.rounds}",)],
                "status",
            )


STEPS = [
    "load-staging from a file",
    "load-staging from a server",
    "transform-fact",
    "app-status-from-fact",
]


@for_each([(step, when) for step in STEPS for when in ("before", "after")], name=" ".join)
def a_connection_that_is_cut_at_any_message_loses_and_doubles_nothing(case):
    step, when = case
    world = World()
    for number in numbers():
        command = world.prepare(step)
        with Gate(number, when) as gate:
            run = world.warehouse.run(*command, env=gate.environment, expect=None)
        if gate.was_reached and run.status != 0:
            run.ended(69, 75)
        elif run.status != 0:
            run.ended(0)
        retry = world.warehouse.run(*command)
        check(
            retry["status"] in ("done", "already-done"),
            f"message {number}: the retry says {retry['status']}",
        )
        if run.status == 0:
            equal(retry["status"], "already-done", f"message {number}: after a success")
        world.is_right(step, retry)
        if not gate.was_reached:
            break
    check(not gate.was_reached, f"more than {MOST} messages")
    check(number > 8, f"the test itself: only {number} messages were seen")
    if step.startswith("app"):
        world.warehouse.run("verify-app-status")


@for_each([(step, when) for step in STEPS for when in ("before", "after")], name=" ".join)
def a_step_that_is_killed_at_any_message_loses_and_doubles_nothing(case):
    step, when = case
    world = World()
    for number in numbers():
        command = world.prepare(step)
        started = []
        with Gate(number, when, lambda: started[0].signal(signal.SIGKILL)) as gate:
            started.append(world.warehouse.start(*command, env=gate.environment))
            run = started[0].wait()
        retry = world.warehouse.run(*command)
        check(
            retry["status"] in ("done", "already-done"),
            f"message {number}: the retry says {retry['status']}",
        )
        world.is_right(step, retry)
        if not gate.was_reached:
            break
    check(
        not gate.was_reached and run.status == 0,
        f"the last run ended with {run.status}, or {MOST} were too few",
    )
    wait_until(lambda: backends(world.warehouse.name) == 0, "sessions of killed steps to end")


@test
def a_cut_inside_a_long_copy_leaves_nothing_visible():
    warehouse = Warehouse()
    forms = [doc.form(f"f{n}") for n in range(5000)]
    path = warehouse.file(forms)
    command = ["load-staging", "form", "--source", path, "--run-key", "k"]
    for number in range(12, 40, 3):
        with Gate(number, "after") as gate:
            run = warehouse.run(*command, env=gate.environment, expect=(0, 69, 75))
        if run.status == 0:
            break
        equal(warehouse.sql.number("SELECT count(*) FROM staging.form"), 0, "staged rows")
    equal(warehouse.run(*command)["rows_staged"], 5000, "rows_staged")
    equal(warehouse.sql.number("SELECT count(*) FROM staging.form"), 5000, "staged rows")


if __name__ == "__main__":
    main()
