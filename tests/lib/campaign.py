# SPDX-License-Identifier: MIT
"""The main loop of programs that run random schedules.

    if __name__ == "__main__":
        campaign.main(Schedule, seconds=75)

Schedule(seed, options) has run(), summary(), told (lines) and faults (how many of each kind).
Seeds are printed; the same seed makes the same schedule, but for the moments of the accidents. The
first seed is 1 unless another is given, so that what passed once passes again; "random" draws one.
"""

import argparse
import os
import random
import sys
import time
import traceback
from collections import Counter

import factline
from harness import Failure


def seed_of(text):
    return random.SystemRandom().randrange(10**6) if text == "random" else int(text or 1)


TOTAL = "# total: "


def tell_total(counts):
    """What a program did, by kind: a line that run-campaign.py adds up."""
    print(TOTAL + told_by(counts), flush=True)


def told_by(faults):
    return ", ".join(f"{kind} {count}" for kind, count in sorted(faults.items()) if count)


def report(problem, schedule, options):
    for line in schedule.told[-400 if options.tell else -30 :] if schedule else []:
        print("    " + line, flush=True)
    is_plain = isinstance(problem, AssertionError) and not options.tell
    text = str(problem) if is_plain else traceback.format_exc()
    print("    " + text.replace("\n", "\n    "), flush=True)


def run_one(make, seed, options, tally):
    schedule, begin = None, time.monotonic()
    try:
        schedule = make(seed, options)
        schedule.run()
        seconds = time.monotonic() - begin
        print(f"ok seed {seed}: {schedule.summary()} ({seconds:.1f} s)", flush=True)
        tally["passed"] += 1
    except Exception as problem:
        tally["different" if isinstance(problem, Failure) else "broken"] += 1
        again = f"--seed {seed} --schedules 1 --steps {options.steps}"
        print(
            f"not ok seed {seed}; again with: {os.path.basename(sys.argv[0])} {again}", flush=True
        )
        report(problem, schedule, options)
    finally:
        if schedule:
            tally.update({("fault", kind): count for kind, count in schedule.faults.items()})
        factline.drop_what_the_test_made()


def main(make, seconds):
    parser = argparse.ArgumentParser(description=sys.modules["__main__"].__doc__.split("\n\n")[0])
    parser.add_argument("--seed", help='of the first schedule (1), or "random"; the next count on')
    parser.add_argument("--schedules", type=int, help="how many; without, as many as time allows")
    parser.add_argument(
        "--seconds", type=float, default=seconds, help="start no schedule after so many seconds"
    )
    parser.add_argument("--steps", type=int, default=40, help="the most steps of one schedule")
    parser.add_argument("--tell", action="store_true", help="show all of a failing schedule")
    make.add_options(parser)
    options = parser.parse_args()
    first = seed = seed_of(options.seed)
    print(f"# seed {first}", flush=True)
    begin, tally = time.monotonic(), Counter()
    while time.monotonic() - begin < options.seconds and (
        not options.schedules or seed - first < options.schedules
    ):
        run_one(make, seed, options, tally)
        seed += 1
    program = os.path.basename(sys.argv[0])
    faults = {key[1]: count for key, count in tally.items() if isinstance(key, tuple)}
    tell_total({"schedules": seed - first, "differences": tally["different"], **faults})
    print(
        f"{program}: {tally['passed']} of {seed - first} schedules as recomputed, "
        f"{tally['different']} differences, {tally['broken']} other failures, "
        f"seeds {first} to {seed - 1} ({time.monotonic() - begin:.0f} s)",
        flush=True,
    )
    if seed == first or tally["passed"] < seed - first:
        sys.exit(1)
