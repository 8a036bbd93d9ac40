#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# time-limit: 900
"""Each step of each task is broken at its n-th message to a server: before it is there, while the
server works on it, and when the server has done it but the step does not know. It loses that
connection, or is killed, or the server ends the session. The step is run again, and the whole
warehouse must be as an undisturbed run leaves it.

    test_faults.py [--seed N|random] [--seconds N] [words of a test's name]

All that could happen to a step is put into an order by the seed, and done until its share of the
seconds (90) is over; with enough of them all of it is done, once.
"""

import itertools
import os
import random
import sys
import tempfile
import time
from collections import Counter

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import documents as doc  # noqa: E402
import proxy  # noqa: E402
from campaign import seed_of, tell_total, told_by  # noqa: E402
from factline import Warehouse, backends  # noqa: E402
from fault import STEPS, Step  # noqa: E402
from harness import Failure, after_all, check, equal, for_each, main, option, test  # noqa: E402
from harness import wait_until  # noqa: E402
from proxy import Gate  # noqa: E402

SEED = seed_of(option("--seed"))
SECONDS = float(option("--seconds") or 90)
HARMS = {"cut": proxy.cut, "killed": proxy.kill, "session ended": proxy.terminate}
TOTAL = Counter()


@for_each(STEPS)
def a_step_that_is_broken_at_any_message_is_done_by_the_next_run(name):
    with tempfile.TemporaryDirectory(prefix="factline-fault-") as folder:
        step = Step(name, folder)
        with step.fresh() as database:
            counting = Gate(0, folder=folder)
            step.run(database, counting).ended(0)
        numbers = range(1, counting.count + 1)
        check(len(numbers) > 8, f"the test itself: only {len(numbers)} messages were seen")
        cases = list(itertools.product(numbers, proxy.WHENS, HARMS))
        random.Random(f"{SEED} {name}").shuffle(cases)
        done = Counter()
        deadline = time.monotonic() + SECONDS / len(STEPS)
        for case in cases:
            if time.monotonic() > deadline:
                break
            break_once(step, *case, done)
    TOTAL.update({f"steps at a message: {what}": count for what, count in done.items()})
    print(f"# {sum(done.values())} of {len(cases)}, {len(numbers)} messages: {told_by(done)}")


def break_once(step, number, when, harm, done):
    what = f"seed {SEED}, message {number}, {when}, {harm}"
    try:
        with step.fresh() as database:
            gate = Gate(number, when, HARMS[harm], folder=step.folder)
            run = step.run(database, gate)
            if run.status >= 0:
                run.ended(0, 69, 75)
            wait_until(lambda: backends(database) == 0, "sessions of the broken step to end")
            step.retry(database)
        # What is sent in one piece, and so the count of messages, is not quite the same each time.
        done[f"{harm} {when}" if gate.was_reached else "not reached"] += 1
    except Failure as problem:
        raise Failure(f"{what}: {problem}") from problem


@test
def a_cut_inside_a_long_copy_leaves_nothing_visible():
    warehouse = Warehouse()
    forms = [doc.form(f"f{n}") for n in range(5000)]
    path = warehouse.file(forms)
    command = ["load-staging", "form", "--source", path, "--run-key", "k"]
    for number in range(12, 40, 3):
        with Gate(number, "during") as gate:
            run = gate.wait(warehouse.start(*command, env=gate.environment)).ended(0, 69, 75)
        if run.status == 0:
            break
        equal(warehouse.sql.number("SELECT count(*) FROM staging.form"), 0, "staged rows")
    equal(warehouse.run(*command)["rows_staged"], 5000, "rows_staged")
    equal(warehouse.sql.number("SELECT count(*) FROM staging.form"), 5000, "staged rows")


@after_all
def tell():
    tell_total(TOTAL)


if __name__ == "__main__":
    print(f"# seed {SEED}", flush=True)
    main()
