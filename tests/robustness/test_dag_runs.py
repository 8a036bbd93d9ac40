#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# time-limit: 1200
"""Whole DAG runs under a launcher that ends tasks at random moments, in all its ways, and retries.

    test_dag_runs.py [--seed N|random] [--kills N] [--seconds N]

After at least so many kills (500), or when the time is up: no drift, no session, no lock, no batch
that is not complete, none unconsumed, and each record of the source is there once.
"""

import argparse
import json
import os
import random
import signal
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import factline  # noqa: E402
import launcher  # noqa: E402
from campaign import seed_of, tell_total  # noqa: E402
from factline import Warehouse, backends  # noqa: E402
from harness import check, equal, fail, wait_until  # noqa: E402
from launcher import context  # noqa: E402
from source import SourceDatabase  # noqa: E402

AGAIN = (
    69,
    74,
    75,
    -signal.SIGKILL,
    -signal.SIGTERM,
    -signal.SIGINT,
    -signal.SIGPIPE,
    130,
    137,
    143,
)
COUNTED = "SELECT count(*) AS rows, count(DISTINCT {0}) AS keys FROM {1}"


class Runs:
    def __init__(self, seed):
        self.rng = random.Random(seed)
        self.warehouse, self.source = Warehouse(), SourceDatabase()
        self.forms = self.kills = self.runs = self.tries = 0
        self.took = []  # seconds of tries that nobody ended: the range of the moments of kills
        self.ways = {}

    # ---- the source ----

    def live(self):
        count = self.rng.choice([1, 3, 20, 100])
        first, self.forms = self.forms + 1, self.forms + count
        self.source.sql.run(f"""
            INSERT INTO form_processor_xforminstancesql
                (form_id, domain, xmlns, received_on, server_modified_on, user_id, app_id)
            SELECT 'f' || n, 'river', 'x', now(), now(), 'u' || n % 17, 'a' || n % 3
              FROM generate_series({first}, {self.forms}) AS n;
            INSERT INTO phone_synclogsql (synclog_id, domain, user_id, date)
            SELECT md5(n::text)::uuid, 'river', 'u' || n % 23, now()
              FROM generate_series({first}, {self.forms}) AS n;
            UPDATE form_processor_xforminstancesql SET user_id = 'u' || id % 19,
                server_modified_on = now(),
                   state = CASE WHEN id % 5 = 0 THEN 4 ELSE 1 END
             WHERE id % 7 = {self.rng.randrange(7)} AND id > {self.forms - 200}""")

    # ---- a task, until it has succeeded ----

    def end(self, guest):
        """One of Airflow's ways to end a task, at a moment of its life."""
        usual = sorted(self.took[-50:])[len(self.took[-50:]) // 2] if self.took else 0.05
        guest.read_for(self.rng.uniform(0, 1.2) * usual)
        if guest.process.poll() is not None:
            return
        way = self.rng.choice(
            ["TERM", "TERM and pipe closed", "KILL", "pipe closed", "TERM twice", "INT"]
        )
        if way == "KILL":
            guest.signal(signal.SIGKILL)
        elif way != "pipe closed":
            guest.signal_group(signal.SIGINT if way == "INT" else signal.SIGTERM)
        if way == "TERM twice":
            guest.signal_group()
        if way.endswith("pipe closed"):
            guest.close_pipe()
        self.ways[way] = self.ways.get(way, 0) + 1
        self.kills += 1

    def task(self, dag, run, task, *arguments, may_end=True):
        for try_number in range(1, 40):
            self.tries += 1
            copies = [
                launcher.start(
                    task,
                    *arguments,
                    "--lock-timeout",
                    "20s",
                    database=self.warehouse.name,
                    ctx=context(run, dag, task, try_number),
                )
                for _ in range(2 if may_end and self.rng.random() < 0.1 else 1)
            ]
            is_ended = may_end and self.rng.random() < 0.6
            if is_ended:
                self.end(copies[0])
            ended = [copy.wait(60) for copy in copies]
            for each in ended:
                each.ended(0, 99, *AGAIN)
            if not is_ended:
                self.took.append(ended[0].seconds)
            for each in ended:
                if each.status == 99:
                    return None
                if each.status == 0 and each.result:
                    return each.result
        fail(f"{task} does not succeed in {try_number} tries")

    def chain(self, feed, run, may_end=True):
        dag = f"commcare_{feed}"
        loaded = self.task(
            dag,
            run,
            "load-staging",
            feed,
            "--source",
            self.source.spec,
            "--overlap",
            "1min",
            "--skip-if-empty",
            may_end=may_end,
        )
        if loaded:
            self.task(
                dag, run, "transform-fact", feed, "--batch-id", loaded["batch_id"], may_end=may_end
            )
        self.task(f"commcare_app_status_{feed}", run, "app-status-from-fact", feed, may_end=may_end)

    def run(self, may_end=True):
        self.runs += 1
        self.live()
        for feed in self.rng.sample(["form", "synclog"], 2):
            self.chain(feed, f"scheduled__{self.runs}", may_end)

    # ---- what must hold ----

    def check_all(self):
        self.run(may_end=False)
        name, sql = self.warehouse.name, self.warehouse.sql
        wait_until(lambda: backends(name) == 0, "all sessions to be gone", 10)
        equal(
            sql.number(
                """SELECT count(*) FROM pg_locks AS l JOIN pg_database AS d ON d.oid = l.database
             WHERE d.datname = current_database() AND l.pid <> pg_backend_pid()"""
            ),
            0,
            "locks",
        )
        equal(
            sql.tuples(
                "SELECT state, count(*) AS n FROM etl.batch WHERE state <> 'complete' GROUP BY 1"
            ),
            [],
            "batches that are not complete",
        )
        document = json.loads(self.warehouse.run("batch-status", "--json").stdout)
        waiting = {
            each["workflow"]: each["unconsumed"]
            for each in document["workflows"]
            if each["unconsumed"]
        }
        equal(waiting, {}, "unconsumed batches")
        drift = self.warehouse.run("verify-app-status")
        equal(
            [
                drift[name]
                for name in ("rows_missing", "rows_extra", "rows_different", "rows_pending")
            ],
            [0, 0, 0, 0],
            "drift",
        )
        for table, key in (("form_fact", "form_id"), ("synclog_fact", "synclog_id")):
            equal(
                sql.tuples(COUNTED.format(key, "warehouse." + table)),
                [(self.forms, self.forms)],
                table,
            )
        differ = {
            row for row in sql.tuples("SELECT form_id, user_id, state FROM warehouse.form_fact")
        } ^ {
            row
            for row in self.source.sql.tuples(
                "SELECT form_id, user_id, state FROM form_processor_xforminstancesql"
            )
        }
        equal(differ, set(), "forms that differ from the source")
        check(drift["rows_checked"] > 0, "the table is empty")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--seed", help='a number (1), or "random"')
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--seconds", type=float, help="instead of a number of kills")
    options = parser.parse_args()
    seed = seed_of(options.seed)
    runs, begin = Runs(seed), time.monotonic()
    try:
        while (
            time.monotonic() - begin < options.seconds
            if options.seconds
            else runs.kills < options.kills
        ):
            runs.run()
        runs.check_all()
    except Exception as problem:
        print(
            f"not ok seed {seed}: after {runs.kills} kills in {runs.runs} runs: {problem}",
            flush=True,
        )
        raise
    finally:
        launcher.end_all()
        factline.drop_what_the_test_made()
    ended = {f"DAG tasks ended: {way}": count for way, count in runs.ways.items()}
    tell_total({"DAG runs": 4 * runs.runs, **ended})
    ways = ", ".join(f"{count} {way}" for way, count in sorted(runs.ways.items()))
    print(
        f"ok seed {seed}: {runs.kills} kills ({ways}) in {runs.runs} runs of four DAGs, "
        f"{runs.tries} tries, "
        f"{runs.forms} forms: no drift ({time.monotonic() - begin:.0f} s)"
    )


if __name__ == "__main__":
    main()
