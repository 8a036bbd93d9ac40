#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# time-limit: 600
"""The property: after any schedule of loads, transforms, derived runs, kills and retries, the
warehouse equals a recompute from all records that completed batches staged.

    test_schedules.py [--seed N] [--schedules N] [--seconds N] [--steps N] [--tell] [--stale-files]

Seeds are printed; the same seed makes the same schedule, but for the moments of the kills.
"""

import argparse
import os
import random
import sys
import time
import traceback

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import factline  # noqa: E402
from schedule import Schedule  # noqa: E402


def run_one(seed, steps, tell, stale_files):
    schedule = None
    begin = time.monotonic()
    try:
        schedule = Schedule(seed, stale_files)
        schedule.run(random.Random(seed).randint(5, steps))
        print(
            f"ok seed {seed}: {len(schedule.loads)} loads, {len(schedule.captured)} batches, "
            f"{len(schedule.records())} records ({time.monotonic() - begin:.1f} s)",
            flush=True,
        )
        return True
    except Exception as problem:
        print(
            f"not ok seed {seed}; again with: {os.path.basename(sys.argv[0])} --seed {seed} "
            f"--schedules 1 --steps {steps}",
            flush=True,
        )
        for line in schedule.told[-400 if tell else -30 :] if schedule else []:
            print("    " + line, flush=True)
        text = (
            str(problem)
            if isinstance(problem, AssertionError) and not tell
            else traceback.format_exc()
        )
        print("    " + text.replace("\n", "\n    "), flush=True)
        return False
    finally:
        factline.drop_what_the_test_made()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--seed", type=int, help="of the first schedule; the next ones count on")
    parser.add_argument(
        "--schedules", type=int, help="how many; as many as the time allows without"
    )
    parser.add_argument(
        "--seconds", type=float, default=75, help="start no schedule after so many seconds"
    )
    parser.add_argument("--steps", type=int, default=40, help="the most steps of one schedule")
    parser.add_argument("--tell", action="store_true", help="show all of a failing schedule")
    parser.add_argument(
        "--stale-files", action="store_true", help="load files older than the last server read"
    )
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(10**6)
    begin, count, failed = time.monotonic(), 0, 0
    while time.monotonic() - begin < options.seconds and (
        not options.schedules or count < options.schedules
    ):
        failed += not run_one(seed + count, options.steps, options.tell, options.stale_files)
        count += 1
    print(
        f"test_schedules.py: {count - failed} of {count} schedules as recomputed, "
        f"seeds {seed} to {seed + count - 1}",
        flush=True,
    )
    if failed or not count:
        sys.exit(1)


if __name__ == "__main__":
    main()
