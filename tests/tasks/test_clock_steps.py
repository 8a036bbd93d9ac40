#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A source whose clock is set back or forward between loads: all that is stamped arrives, and
nothing is read over and over. The clock is that of a running server; the warehouse's is moved in
the ledger.
"""

import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import clock  # noqa: E402
from factline import Session, Warehouse, root, time_of  # noqa: E402
from harness import (  # noqa: E402
    after_each,
    check,
    contains,
    equal,
    for_each,
    lacks,
    main,
    same_rows,
    test,
    wait_until,
)
from server import SCRIPT  # noqa: E402
from source import SourceDatabase  # noqa: E402

NO_OVERLAP = ("--overlap", "0s")
HOUR = 3600


class World:
    """A warehouse, and a source with a clock of its own."""

    def __init__(self):
        self.warehouse, self.source = Warehouse(), SourceDatabase(host=clock.host())
        self.sources = [self.source]
        self.names = []

    def add(self, *names):
        for name in names:
            self.source.add_form(name)
            self.names.append(name)

    def take(self, *options, expect=0):
        """A load, and its transform where there is a batch."""
        run = self.warehouse.load_from("form", self.sources, *options, expect=expect)
        if run.status == 0 and run["status"] == "done":
            self.warehouse.transform("form", run)
        return run

    def staged(self, run):
        return sorted(
            row[0]
            for row in self.warehouse.sql.tuples(
                f"SELECT form_id FROM staging.form WHERE batch_id = {run['batch_id']}"
            )
        )

    def pass_time(self, seconds):
        """Both clocks go on."""
        clock.step(seconds)
        self.set_warehouse(seconds)

    def set_warehouse(self, seconds):
        """As if the warehouse's clock were set: all that it has stamped is that much longer ago."""
        self.warehouse.sql.run(
            f"UPDATE etl.batch SET opened_at = opened_at - interval '{seconds} s'"
        )

    def check_complete(self):
        """All rows of the source are facts, as they are there."""
        columns = "form_id, state, user_id"
        same_rows(
            self.warehouse.sql.tuples(f"SELECT {columns} FROM warehouse.form_fact"),
            self.source.sql.tuples(f"SELECT {columns} FROM form_processor_xforminstancesql"),
            "facts",
        )
        same_rows(
            self.warehouse.sql.tuples("SELECT form_id FROM warehouse.form_fact"),
            [(name,) for name in self.names],
            "forms",
        )

    def seconds(self, later, earlier):
        return float(
            self.warehouse.sql.value(
                f"SELECT extract(epoch FROM timestamptz '{later}' - timestamptz '{earlier}')"
            )
        )


@after_each
def the_clock_is_right_again():
    clock.step(-clock.offset())


def check_quiet(run):
    lacks(run.stderr, "clock_went_back", "standard error")


def check_told(run, seconds, since=True):
    """A warning that tells how far the clock went back, and from where the window is read."""
    contains(run.stderr, "clock_went_back", "standard error")
    told = int(run.stderr.split("behind_seconds=")[1].split()[0])
    check(seconds - 60 <= told <= seconds, f"behind_seconds is {told}, the step was {seconds}")
    if since:
        contains(run.stderr, f"window_begins={run['since']}", "standard error")


@for_each([("--overlap", "0s"), ("--overlap", "1min"), ()], name=lambda case: case[-1:] or "15min")
def what_is_stamped_in_the_repeated_hour_arrives(overlap):
    world = World()
    world.add("old", "changed", "archived")
    first = world.take()
    world.add("unread")  # stamped before the step, later than what the clock will show
    clock.step(-HOUR)
    world.add("new")
    world.source.change_form("changed", user_id="bela")
    run = world.take(*overlap)
    check_told(run, HOUR)
    check(time_of(run["until"]) < time_of(first["until"]), "the end is by the clock as it is")
    check({"new", "changed"} <= set(world.staged(run)), f"staged: {world.staged(run)}")

    # The hour goes by: each window begins where the one before it ended.
    for minute in range(10, 60, 10):
        world.pass_time(600)
        world.add(f"after-{minute}")
        world.source.archive("archived", *((1, "unarchive") if minute == 20 else ()))
        last, run = run, world.take(*overlap)
        check_quiet(run)
        long = {"0s": 0, "1min": 60}.get("".join(overlap[1:]), 900)
        equal(world.seconds(last["until"], run["since"]), long, "the overlap")
        check({f"after-{minute}", "archived"} <= set(world.staged(run)), "what is new")
        lacks(world.staged(run), "new" if minute > 20 else "old", "staged")

    # The clock is past the end that it was set back from.
    world.pass_time(900)
    run = world.take(*overlap)
    check_quiet(run)
    check(time_of(run["until"]) > time_of(first["until"]), "the old end is not reached")
    contains(world.staged(run), "unread", "staged")
    world.check_complete()
    for _ in range(2):
        world.pass_time(HOUR)
        run = world.take(*overlap)
        check_quiet(run)
    equal(world.staged(run), [], "staged when nothing is new")


@test
def a_step_is_noticed_a_day_later():
    world = World()
    world.add("old")
    first = world.take()
    clock.step(-HOUR)
    world.add("new")
    world.pass_time(24 * HOUR)
    world.add("newest")
    run = world.take()
    check(time_of(run["until"]) > time_of(first["until"]), "the clock is past the end")
    check_told(run, HOUR)
    world.check_complete()
    check_quiet(world.take())


@test
def a_step_while_loads_fail_is_noticed_by_the_first_that_succeeds():
    world = World()
    world.add("old")
    world.take()
    clock.step(-HOUR)
    world.add("new")
    world.source.sql.run("ALTER TABLE form_processor_xforminstancesql RENAME TO away")
    check_told(world.take(expect=78), HOUR, since=False)
    world.pass_time(600)
    world.take(expect=78)
    world.source.sql.run("ALTER TABLE away RENAME TO form_processor_xforminstancesql")
    check_told(world.take(), HOUR)
    world.check_complete()


@test
def two_steps_back_add_up():
    world = World()
    world.add("old")
    world.take(*NO_OVERLAP)
    clock.step(-HOUR)
    world.add("after the first")
    clock.step(-HOUR)
    world.add("after the second")
    check_told(world.take(*NO_OVERLAP), 2 * HOUR)
    clock.step(-HOUR)
    world.add("after the third")
    check_told(world.take(*NO_OVERLAP), HOUR)
    world.pass_time(4 * HOUR)
    check_quiet(world.take(*NO_OVERLAP))
    world.check_complete()


@test
def a_clock_set_forward_and_back_loses_nothing():
    world = World()
    world.add("old")
    world.take(*NO_OVERLAP)
    clock.step(HOUR)
    world.add("ahead")
    run = world.take(*NO_OVERLAP)
    check_quiet(run)
    equal(world.staged(run), ["ahead"], "staged after the step forward")
    clock.step(-HOUR)
    world.add("right")
    run = world.take(*NO_OVERLAP)
    check_told(run, HOUR)
    equal(world.staged(run), ["right"], "staged after the step back")
    world.check_complete()


@test
def a_clock_set_forward_and_back_between_two_loads_changes_nothing():
    world = World()
    world.add("old")
    first = world.take(*NO_OVERLAP)
    clock.step(HOUR)
    world.add("ahead")
    clock.step(-HOUR)
    world.add("right")
    run = world.take(*NO_OVERLAP)
    check_quiet(run)
    equal((run["since"], world.staged(run)), (first["until"], ["right"]), "window")
    world.pass_time(HOUR + 60)
    equal(world.staged(world.take(*NO_OVERLAP)), ["ahead"], "staged when its time has come")
    world.check_complete()


@test
def a_clock_set_back_and_forward_again_with_a_load_between_loses_nothing():
    world = World()
    world.add("old")
    first = world.take(*NO_OVERLAP)
    clock.step(-HOUR)
    world.add("behind")
    last = world.take(*NO_OVERLAP)
    clock.step(HOUR)
    world.add("right")
    run = world.take(*NO_OVERLAP)
    check_quiet(run)
    equal(run["since"], last["until"], "since")
    check(time_of(run["until"]) > time_of(first["until"]), "until")
    world.check_complete()


@test
def what_the_overlap_absorbs_is_not_told():
    world = World()
    world.add("old")
    first = world.take()
    clock.step(-0.5)
    world.add("half a second")
    world.pass_time(60)
    run = world.take()
    check_quiet(run)
    equal(world.seconds(first["until"], run["since"]), 900, "the overlap")
    clock.step(-600)
    world.add("ten minutes")
    # What bears a time of its own, somewhat before the server's, has the whole overlap still.
    early = world.source.sql.value("SELECT clock_timestamp() - interval '14 min'")
    world.source.add_form("early", early)
    world.names.append("early")
    check_quiet(world.take())
    world.check_complete()


@test
def a_drift_of_less_than_a_second_leaves_windows_without_overlap_side_by_side():
    world = World()
    world.add("old")
    last = world.take(*NO_OVERLAP)
    for _ in range(3):
        world.pass_time(HOUR)
        clock.step(-0.4)
        run = world.take(*NO_OVERLAP)
        equal(run["since"], last["until"], "since")
        last = run
    check_quiet(last)


@test
def the_longest_window_is_counted_from_where_it_begins():
    world = World()
    world.add("old")
    world.take(*NO_OVERLAP)
    clock.step(-2 * HOUR)
    world.add("new")
    world.pass_time(HOUR)
    run = world.take("--max-window", "10min", *NO_OVERLAP)
    check_told(run, 2 * HOUR)
    equal((world.seconds(run["until"], run["since"]), world.staged(run)), (600, ["new"]), "window")
    last = world.take("--max-window", "10min", *NO_OVERLAP)
    check_quiet(last)
    equal(last["since"], run["until"], "since")


@test
def settled_windows_follow_the_clock():
    world = World()
    world.add("old")
    world.pass_time(600)
    world.take("--settle", "5min", *NO_OVERLAP)
    world.add("unsettled")
    clock.step(-HOUR)
    world.add("new")
    world.pass_time(600)
    run = world.take("--settle", "5min", *NO_OVERLAP)
    check_told(run, HOUR - 300)
    equal(world.staged(run), ["new"], "staged")
    world.pass_time(HOUR)
    check_quiet(world.take("--settle", "5min", *NO_OVERLAP))
    world.check_complete()


@test
def a_transaction_that_is_open_over_the_step_loses_no_row():
    world = World()
    world.add("old")
    writer = world.source.session()
    writer.run("BEGIN; SELECT 1")
    world.source.add_form("before", session=writer)
    world.take(*NO_OVERLAP)
    clock.step(-HOUR)
    world.add("new")
    check_told(world.take(*NO_OVERLAP), HOUR)
    world.pass_time(HOUR + 60)
    run = world.take(*NO_OVERLAP)  # held back: the clock is past the start of the transaction
    lacks(world.staged(run), "before", "staged")
    writer.run("COMMIT")
    world.names.append("before")
    run = world.take(*NO_OVERLAP)
    check_quiet(run)
    world.check_complete()


@test
def a_transaction_from_before_the_step_that_writes_after_it_is_covered_by_the_overlap():
    world = World()
    world.add("old")
    world.take()
    writer = world.source.session()
    writer.run("BEGIN; SELECT 1")
    clock.step(-HOUR)
    world.source.add_form("late", session=writer)
    world.take()
    world.pass_time(600)
    writer.run("COMMIT")
    world.names.append("late")
    world.take()
    world.check_complete()


@test
def a_batch_that_was_opened_before_the_step_completes_after_it():
    world = World()
    world.add("old")
    world.take(*NO_OVERLAP)
    world.add("waits")
    waiting = world.warehouse.load_from("form", world.sources, *NO_OVERLAP, key="waits")
    clock.step(-HOUR)
    world.add("new")
    run = world.take(*NO_OVERLAP)
    check_told(run, HOUR)
    again = world.warehouse.load_from("form", world.sources, *NO_OVERLAP, key="waits")
    equal((again["since"], again["until"]), (waiting["since"], waiting["until"]), "the window")
    world.warehouse.transform("form", again)
    world.check_complete()
    world.pass_time(60)
    world.add("newest")
    last = world.take(*NO_OVERLAP)
    check_quiet(last)
    equal((last["since"], world.staged(last)), (run["until"], ["newest"]), "the next window")


@test
def shards_with_clocks_of_their_own_lose_nothing():
    world, steady = World(), SourceDatabase()
    world.sources.append(steady)

    def add(name):
        world.add(name)
        steady.add_form(f"{name} too")

    clock.step(-300)
    add("old")
    world.take(*NO_OVERLAP)
    clock.step(-HOUR)
    add("new")
    run = world.take(*NO_OVERLAP)
    check_told(run, HOUR, since=False)
    equal(world.staged(run), ["new"], "staged, as the steady shard is far ahead of the common end")
    clock.step(HOUR + 300)
    add("right")
    check_quiet(world.take(*NO_OVERLAP))
    same_rows(
        world.warehouse.sql.tuples("SELECT form_id FROM warehouse.form_fact"),
        [(name + more,) for name in world.names for more in ("", " too")],
        "facts",
    )


class Standby:
    """A standby of the server whose clock is set; its own is right."""

    def __init__(self):
        owner = os.stat(os.path.join(clock.host(), "data"))
        self.folder = os.path.join(clock.host(), "standby")
        os.mkdir(self.folder, 0o700)
        # Else the primary takes a step of its clock for the standby's silence, and hangs up.
        root(clock.host()).run("ALTER SYSTEM SET wal_sender_timeout = 0")
        root(clock.host()).run("SELECT pg_reload_conf()")
        os.chown(self.folder, owner.st_uid, owner.st_gid)
        bindir = subprocess.run(["pg_config", "--bindir"], capture_output=True, check=True)
        subprocess.run(
            [os.path.join(bindir.stdout.decode().strip(), "pg_basebackup"), "--no-sync"]
            + ["--write-recovery-conf", "--checkpoint=fast", "--username=postgres"]
            + ["--host", clock.host(), "--pgdata", os.path.join(self.folder, "data")],
            user=owner.st_uid,
            group=owner.st_gid,
            cwd="/",
            check=True,
        )

    def __enter__(self):
        subprocess.run([SCRIPT, "start", self.folder], check=True)
        return self

    def __exit__(self, *_):
        subprocess.run([SCRIPT, "stop", self.folder], check=True)

    def follow(self, source):
        """Waits until it shows what its primary has."""
        end = source.sql.value("SELECT pg_current_wal_lsn()")
        here = Session("postgres", host=self.folder)
        wait_until(
            lambda: here.value(f"SELECT pg_last_wal_replay_lsn() >= '{end}'") == "t", "the standby"
        )
        here.close()


@test
def the_clock_of_a_standby_is_that_of_its_primary():
    with Standby() as standby:
        world = World()
        world.sources = [world.source.spec_of(host=standby.folder)]

        def take():
            standby.follow(world.source)
            return world.take(*NO_OVERLAP)

        world.add("old")
        equal(world.staged(take()), ["old"], "staged")
        clock.step(-HOUR)
        world.add("new")
        run = take()
        check_told(run, HOUR)
        equal(world.staged(run), ["new"], "staged")
        world.pass_time(600)
        world.add("newest")
        last = take()
        check_quiet(last)
        equal((last["since"], world.staged(last)), (run["until"], ["newest"]), "the next window")
        equal(take()["status"], "nothing-to-do", "status when nothing was replayed since")
        world.pass_time(24 * HOUR)
        clock.step(-HOUR)
        world.add("after a day")
        check_told(take(), HOUR)
        world.check_complete()


@test
def a_warehouse_whose_clock_is_set_forward_reads_more_once():
    world = World()
    world.add("old")
    world.take(*NO_OVERLAP)
    world.set_warehouse(HOUR)
    world.add("new")
    run = world.take(*NO_OVERLAP)
    equal(world.staged(run), ["new", "old"], "staged")
    check_quiet(world.take(*NO_OVERLAP))
    world.check_complete()


@test
def a_warehouse_whose_clock_is_set_back_reads_on_where_it_was():
    world = World()
    world.add("old")
    first = world.take(*NO_OVERLAP)
    world.set_warehouse(-HOUR)
    world.add("new")
    run = world.take(*NO_OVERLAP)
    check_quiet(run)
    equal((run["since"], world.staged(run)), (first["until"], ["new"]), "window")


@test
def both_clocks_set_back_are_told_with_what_to_do():
    world = World()
    world.add("old")
    world.take()
    world.set_warehouse(-HOUR)
    clock.step(-HOUR)
    world.add("new")
    run = world.take()
    check_told(run, HOUR)
    contains(run.stderr, "remedy=", "standard error")
    world.pass_time(600)
    world.add("newest")
    check_quiet(world.take())
    world.check_complete()


@test
def the_lag_is_that_of_the_newest_batch():
    world = World()
    world.add("old")
    clock.step(HOUR)
    world.take()
    world.warehouse.app_status("form")
    clock.step(-HOUR)
    world.add("new")
    world.take()
    world.warehouse.app_status("form")
    run = world.warehouse.run("batch-status", "--json")
    for workflow in run.result["workflows"]:
        if workflow["last_until"]:
            name, lag = workflow["workflow"], workflow["lag_seconds"]
            check(0 <= lag < 120, f"{name} has a lag of {lag} s")
        equal(workflow["gaps"], 0, "gaps")


@test
def an_extract_s_window_begins_again_where_the_warehouse_s_clock_was_set_back():
    warehouse = Warehouse()

    def window():
        return warehouse.run("load-staging", "form", "--open-window", "--run-key", warehouse.key())

    first = window()
    warehouse.load("form", [], "--batch-id", first["batch_id"], key="given")
    warehouse.sql.run("""UPDATE etl.batch SET opened_at = opened_at + interval '1 hour';
        UPDATE etl.batch_source SET until = until + interval '1 hour'""")
    run = window()
    check_told(run, HOUR)
    contains(run.stderr, "remedy=", "standard error")


if __name__ == "__main__":
    clock.begin()
    main()
