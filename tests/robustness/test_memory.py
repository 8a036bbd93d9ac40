#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# time-limit: 900
"""The n-th request of a step for memory is refused, whoever makes it (our code, libpq, cJSON, zlib,
the C library), alone or with all later ones. The step must end with a status of its own,
by no signal, with a reason; and the next run must leave all as without the fault.

    test_memory.py [--seed N|random] [--seconds N] [words of a test's name]

The requests are put into an order by the seed and tried until the step's share of the seconds (60)
is over; with enough of them each is tried, once.
"""

import itertools
import os
import random
import subprocess
import sys
import time
from collections import Counter

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import factline  # noqa: E402
from campaign import seed_of, tell_total, told_by  # noqa: E402
from factline import backends  # noqa: E402
from fault import STEPS, Step  # noqa: E402
from harness import Failure, after_all, check, for_each, main, option, wait_until  # noqa: E402

SEED = seed_of(option("--seed"))
SECONDS = float(option("--seconds") or 60)
TRIES = 10  # of a step before its retry
TOTAL = Counter()
# A sanitizer brings an allocator of its own, which cannot be replaced; the release is what is run.
factline.BIN = os.path.join(factline.TREE, "build", "bin")
SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "failing_malloc.c")


def library():
    """The object to be preloaded, made of its source."""
    path = os.path.join(factline.new_folder(), "failing_malloc.so")
    compiler = [os.environ.get("CC", "gcc"), "-std=c11", "-D_GNU_SOURCE", "-O1", "-shared", "-fPIC"]
    subprocess.run([*compiler, "-o", path, SOURCE], check=True)
    return path


LIBRARY = library()


def count_requests(step):
    """How many requests an undisturbed run makes."""
    path = os.path.join(factline.new_folder(), "count")
    with step.fresh() as database:
        step.run(database, env={"LD_PRELOAD": LIBRARY, "FAILING_COUNT": path}).ended(0)
    with open(path, encoding="utf-8") as file:
        return int(file.read())


@for_each(STEPS)
def a_step_that_gets_no_memory_says_so_and_is_done_by_the_next_run(name):
    step = Step(name)
    requests = count_requests(step)
    check(requests > 100, f"the test itself: only {requests} requests were seen")
    cases = list(itertools.product(range(1, requests + 1), (None, "1")))
    random.Random(f"{SEED} {name}").shuffle(cases)
    deadline = time.monotonic() + SECONDS / len(STEPS)
    done = Counter()
    while cases and time.monotonic() < deadline:
        refuse(step, cases, done)
    print(f"# {sum(done.values())} of {requests * 2}: {told_by(done)}")


def refuse(step, cases, done):
    """Breaks the step some times, or until it is done all the same; then the retry."""
    tried = []
    try:
        with step.fresh() as database:
            for number, goes_on in (cases.pop() for _ in range(min(TRIES, len(cases)))):
                tried.append(f"{'from' if goes_on else 'only'} {number}")
                refusing = {"FAILING_REQUEST": number, "FAILING_ON": goes_on}
                run = step.run(database, env={"LD_PRELOAD": LIBRARY, **refusing})
                done[f"status {run.status}"] += 1
                TOTAL["steps without memory"] += 1
                if run.status != 127:  # the loader itself had none
                    run.ended(0, 69, 74, 75)
                if run.status == 0:
                    break
            wait_until(lambda: backends(database) == 0, "sessions of the broken step to end")
            step.retry(database)
    except Failure as problem:
        raise Failure(f"seed {SEED}, refused {', '.join(tried)}: {problem}") from problem


@after_all
def tell():
    tell_total(TOTAL)


if __name__ == "__main__":
    print(f"# seed {SEED}", flush=True)
    main()
