# SPDX-License-Identifier: MIT
"""What benches share: seconds of tasks, statements and commands, and the memory of tasks."""

import os
import statistics
import subprocess
import sys
import threading
import time

TREE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TREE, "tests", "lib"))
from factline import BIN, Warehouse, copy_database, drop_database, environment  # noqa: E402

_peaks = {}


def _resident(pid):
    """The most memory that a process had so far, in KiB; 0 when it is gone."""
    try:
        with open(f"/proc/{pid}/status") as status:
            return max((int(line.split()[1]) for line in status if "VmHWM" in line), default=0)
    except OSError:
        return 0


def _watch(name, pid, ended):
    while not ended.wait(0.02):
        _peaks[name] = max(_peaks.get(name, 0), _resident(pid))


def task(warehouse, name, *arguments, **more):
    """Seconds of a task, whose greatest memory is remembered; looking at it must cost nothing."""
    ended = threading.Event()
    begin = time.monotonic()
    process = subprocess.Popen(
        [os.path.join(BIN, name), *arguments, "--quiet"],
        env=environment(warehouse.name, **more),
        stdout=subprocess.DEVNULL,
    )
    watcher = threading.Thread(target=_watch, args=(name, process.pid, ended))
    watcher.start()
    process.wait()
    seconds = time.monotonic() - begin
    ended.set()
    watcher.join()
    if process.returncode != 0:
        sys.exit(f"{name} {' '.join(arguments)} ended with {process.returncode}")
    return seconds


def shell(command):
    begin = time.monotonic()
    subprocess.run(command, shell=True, check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - begin


def sql(warehouse, text):
    begin = time.monotonic()
    warehouse.sql.run(text)
    return time.monotonic() - begin


def settle(warehouse):
    """What was written so far is on disk before the next is measured, which would wait for it."""
    sql(warehouse, "CHECKPOINT")
    os.sync()


def copy_of(template):
    """A warehouse with all that template holds."""
    copy = Warehouse(migrated=False)
    template.sql.close()
    drop_database(copy.name)
    copy_database(template.name, copy.name)
    return copy


def drop(warehouse):
    warehouse.sql.close()
    drop_database(warehouse.name)


def head():
    print(f"{'what':<52} {'to reach':>9} {'ratio':>8}   {'ours':>11} {'yardstick':>11}")


def show(what, reach, ratio, ours, yardstick):
    print(f"{what:<52} {reach:>9} {ratio:>8.2f}   {ours:9.3f} s {yardstick:9.3f} s", flush=True)


def show_median(what, reach, pairs):
    """pairs: (ours, yardstick) of each round; the ratio is yardstick over ours."""
    ratios = [yardstick / ours for ours, yardstick in pairs]
    ours, yardstick = (statistics.median(each) for each in zip(*pairs))
    show(what, reach, statistics.median(ratios), ours, yardstick)
    if len(pairs) > 1:
        print("    each round: " + ", ".join(f"{ratio:.2f}" for ratio in ratios), flush=True)


def show_memory():
    print("\nresident memory, at most")
    for name, kilobytes in sorted(_peaks.items()):
        print(f"  {name:<28} {kilobytes / 1024:6.1f} MB")
