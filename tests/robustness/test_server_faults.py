#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# time-limit: 900
"""The warehouse's server crashes under a step, at its n-th message, or has no room for its rows.
The step is run again once the server is back or has room, and all is as without the fault.

    test_server_faults.py [--seed N|random] [--seconds N] [words of a test's name]
"""

import contextlib
import itertools
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import documents as doc  # noqa: E402
import factline  # noqa: E402
import proxy  # noqa: E402
import server  # noqa: E402
from campaign import seed_of, tell_total  # noqa: E402
from factline import Warehouse  # noqa: E402
from fault import STEPS, Step  # noqa: E402
from harness import Failure, after_all, contains, equal, for_each, main, option  # noqa: E402
from harness import test  # noqa: E402
from proxy import Gate  # noqa: E402

if __name__ == "__main__":
    server.own()  # before the options are taken out of the command line, which it hands on
SEED = seed_of(option("--seed"))
SECONDS = float(option("--seconds") or 60)
TOTAL = Counter()


def stop(gate, connection):
    """Every connection ends, whatever the server was doing."""
    server.stop_immediately()
    return True


@for_each(STEPS)
def a_server_that_crashes_under_a_step_loses_and_doubles_nothing(name):
    step = Step(name)
    with step.fresh() as database:
        counting = Gate(0)
        step.run(database, counting).ended(0)
    cases = list(itertools.product(range(1, counting.count + 1), proxy.WHENS))
    random.Random(f"{SEED} {name}").shuffle(cases)
    deadline = time.monotonic() + SECONDS / len(STEPS)
    crashes = 0
    for number, when in cases:
        if crashes and time.monotonic() > deadline:
            break
        try:
            crash_once(step, Gate(number, when, stop))
        except Failure as problem:
            raise Failure(f"seed {SEED}, message {number}, {when}: {problem}") from problem
        crashes += 1
        TOTAL["steps under a server crash"] += 1
    print(f"# {crashes} crashes of {len(cases)}")


def crash_once(step, gate):
    with step.fresh() as database:
        run = step.run(database, gate).ended(0, 69, 75)
        if gate.was_reached:
            server.start()
        step.retry(database, has_crashed=True)
    if gate.was_reached and step.name.startswith("transform"):
        step.stage_again(step.base)  # the crash emptied its staging, too
    return run


# ---- no room ----

# First less than staging takes, then more than that and less than the facts take, so that nothing
# lies beyond the limit. Always more than a segment of the server's log, and half a block more: the
# write of a block stops in its middle, which is how a full disk shows.
LIMITS = [24 * 2**20 + 4096, 40 * 2**20 + 4096]


def many_forms(count=18000):
    """Some 29 MB of rows in staging, 48 MB among the facts, whose pages keep room for updates."""
    chance = random.Random(1)
    return [doc.form(f"f{n}", xmlns=f"{chance.getrandbits(5600):x}") for n in range(count)]


@contextlib.contextmanager
def limited_files():
    """A warehouse, and what gives or takes room: a limit to the size of the server's files."""
    warehouse = Warehouse()
    warehouse.sql.close()
    limits = iter(LIMITS)

    def set_room(is_there):
        server.limit_files(None if is_there else next(limits))

    try:
        yield warehouse, set_room
    finally:
        set_room(True)


@contextlib.contextmanager
def small_file_system():
    """The same with a tablespace on a file system of its own."""
    with tempfile.TemporaryDirectory(prefix="factline-disk-", dir="/var/tmp") as folder:
        os.chmod(folder, 0o755)
        place, name = os.path.join(folder, "space"), factline.new_name("small")
        os.mkdir(place)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=32m", "none", place], check=True)
        owner = os.stat(os.path.join(os.environ["PGHOST"], "data"))
        os.chown(place, owner.st_uid, owner.st_gid)

        def set_room(is_there):
            now = os.statvfs(place)
            used = (now.f_blocks - now.f_bfree) * now.f_frsize
            size = 2**28 if is_there else max(2**25, used + 2**22)
            subprocess.run(["mount", "-o", f"remount,size={size}", place], check=True)

        try:
            factline.root().run(f"CREATE TABLESPACE {name} LOCATION '{place}'")
            factline.root().run(f"CREATE DATABASE {name} TEMPLATE template0 TABLESPACE {name}")
            factline.migrate(name)
            yield Warehouse(name=name), set_room
        finally:
            factline.drop_database(name)
            factline.root().run(f"DROP TABLESPACE IF EXISTS {name}")
            subprocess.run(["umount", "-l", place], check=True)


def can_mount():
    """Mounting is for root, outside of most containers."""
    with tempfile.TemporaryDirectory() as folder:
        tried = subprocess.run(
            ["mount", "-t", "tmpfs", "none", folder], stderr=subprocess.PIPE, check=False
        )
        if tried.returncode == 0:
            subprocess.run(["umount", folder], check=True)
        return tried.returncode == 0


def refused_for_room(run):
    run.ended(75)
    contains(run.error, "SQLSTATE 53100", "the reason")
    TOTAL["steps without room"] += 1


def fill_and_make_room(make):
    with make() as (warehouse, set_room):
        path = warehouse.file(many_forms())
        load = ["load-staging", "form", "--source", path, "--run-key", "k"]
        move = ["transform-fact", "form", "--run-key", "k"]
        set_room(False)
        refused_for_room(warehouse.run(*load, expect=None))
        set_room(True)
        equal(warehouse.sql.number("SELECT count(*) FROM staging.form"), 0, "rows staged")
        warehouse.sql.close()
        equal(warehouse.run(*load)["rows_staged"], 18000, "rows staged with room")
        set_room(False)
        refused_for_room(warehouse.run(*move, expect=None))
        set_room(True)
        equal(warehouse.sql.number("SELECT count(*) FROM warehouse.form_fact"), 0, "facts")
        equal(warehouse.run(*move)["rows_inserted"], 18000, "facts with room")
        warehouse.app_status("form")
        warehouse.run("verify-app-status")
        warehouse.sql.close()


@test
def a_server_that_may_not_write_more_is_full_and_has_room_later():
    fill_and_make_room(limited_files)


@test
def a_full_tablespace_fails_a_step_and_a_larger_one_takes_it():
    if can_mount():
        fill_and_make_room(small_file_system)
    else:
        print("# no file system can be mounted here; the limit to files stands for it")


@after_all
def tell():
    tell_total(TOTAL)


if __name__ == "__main__":
    print(f"# seed {SEED}", flush=True)
    main()
