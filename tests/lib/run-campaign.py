#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs programs of random faults, each on a server of its own, and adds up what they did.

    run-campaign.py [--seconds N] [--seed N|random] [--jobs N] PROGRAM...

A program that says "# shares: N" in its first lines is run N times, from seeds far apart. All runs
take the same time, --jobs of them side by side, --seconds in all. What they tell by
campaign.tell_total() is added up and printed at the end. The status is 1 if a run failed.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections import Counter, namedtuple
from concurrent.futures import ThreadPoolExecutor

from campaign import TOTAL, seed_of

SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "scratch-server.sh")
# The server is the program's own, which may crash it.
BEGIN = 'export FACTLINE_OWN_SERVER="$PGHOST"; exec "$@"'
MEMORY = "/dev/shm"
ROOM = 4 * 2**30  # of file system that a run may want

LAST = ("schedules", "differences", "other failures")

Run = namedtuple("Run", "program seed")


def shares(program):
    with open(program, encoding="utf-8") as file:
        found = re.search(r"^# shares: (\d+)$", file.read(2000), re.MULTILINE)
    return int(found.group(1)) if found else 1


def runs_of(programs, seed):
    """The first share of each, the second of those that have one, and so on."""
    numbered = [(share, program) for program in programs for share in range(shares(program))]
    return [
        Run(program, seed + share * 10**6)
        for share, program in sorted(numbered, key=lambda each: each[0])
    ]


def surroundings(jobs):
    """Databases are made much faster in memory, where there is enough of it."""
    has_room = os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > ROOM * jobs
    return {**({"FACTLINE_SCRATCH_FOLDER": MEMORY} if has_room else {}), **os.environ}


class Campaign:
    def __init__(self, seconds, env):
        self.seconds, self.env = seconds, env
        self.total, self.failed = Counter(), []
        self.lock = threading.Lock()

    def run(self, run):
        name = os.path.basename(run.program)
        options = ["--seed", str(run.seed), "--seconds", str(self.seconds)]
        command = [SCRIPT, "run", "sh", "-c", BEGIN, "sh", sys.executable, run.program, *options]
        with subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=self.env,
            encoding="utf-8",
            errors="replace",
        ) as process:
            for line in process.stdout:
                self.take(name, line.rstrip("\n"))
        if process.returncode != 0:
            self.failed.append(f"{name} from seed {run.seed}: status {process.returncode}")

    def take(self, name, line):
        with self.lock:  # lines of runs side by side do not mix
            self.total["other failures"] += line.startswith("not ok ")
            if line.startswith(TOTAL):
                for part in line.removeprefix(TOTAL).split(", "):
                    kind, _, count = part.rpartition(" ")
                    self.total[kind] += int(count)
            print(f"{name}: {line.removeprefix(name + ': ')}", flush=True)

    def tell(self, seed, seconds):
        """For a person to read, at the end."""
        print(f"\ncampaign from seed {seed}, {seconds:.0f} s")
        self.total["other failures"] -= self.total["differences"]
        last = [(kind, self.total.pop(kind, 0)) for kind in LAST]
        for kind, count in sorted(self.total.items()):
            print(f"{count:8} {kind}")
        for line in self.failed:
            print(f"failed: {line}")
        print(f"campaign: {', '.join(f'{count} {kind}' for kind, count in last)}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--seconds", type=int, default=3600)
    parser.add_argument("--seed", default="random")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("programs", nargs="+")
    options = parser.parse_args()
    seed, begin = seed_of(options.seed), time.monotonic()
    runs = runs_of(options.programs, seed)
    turns = -(-len(runs) // options.jobs)
    campaign = Campaign(options.seconds // turns, surroundings(options.jobs))
    with ThreadPoolExecutor(options.jobs) as pool:
        list(pool.map(campaign.run, runs))
    campaign.tell(seed, time.monotonic() - begin)
    if campaign.failed:
        sys.exit(1)


if __name__ == "__main__":
    main()
