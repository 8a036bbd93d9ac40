#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A small installation on two days: input/DAY/FEED.{ndjson,sql} through all workflows must give
expected/DAY/STEM.tsv for each query/STEM.sql. The expected tables are checked by hand.

With --show the tables are printed instead of compared.
"""

import glob
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "lib"))
import factline  # noqa: E402
from factline import Warehouse  # noqa: E402
from harness import check, equal, main, test  # noqa: E402
from source import SourceDatabase  # noqa: E402

FEEDS = ("user", "group", "domain", "application", "location", "form", "synclog")
QUERIES = sorted(glob.glob(os.path.join(HERE, "query", "*.sql")))


def table(warehouse, query):
    """The lines that a query gives, with tabs; NULL is \\N."""
    done = subprocess.run(
        ["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-F", "\t", "-P", "null=\\N", "-f", query],
        check=True,
        env=factline.environment(warehouse.name, PGTZ="UTC"),
        capture_output=True,
        text=True,
    )
    return done.stdout


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def compare(warehouse, day):
    wrong = []
    for query in QUERIES:
        stem = os.path.splitext(os.path.basename(query))[0]
        seen = table(warehouse, query)
        if "--show" in sys.argv:
            print(f"==> expected/{day}/{stem}.tsv\n{seen}", end="")
            continue
        expected = read(os.path.join(HERE, "expected", day, f"{stem}.tsv"))
        if seen != expected:
            lines = [f"- {line}" for line in expected.splitlines() if line not in seen.splitlines()]
            lines += [
                f"+ {line}" for line in seen.splitlines() if line not in expected.splitlines()
            ]
            wrong.append(
                f"expected/{day}/{stem}.tsv:\n      " + "\n      ".join(lines or ["another order"])
            )
    check(not wrong, "\n    ".join([f"tables of {day} differ"] + wrong))


def run_day(warehouse, source, day):
    """All workflows; dimensions after facts on the first day, so that members are inferred."""
    folder = os.path.join(HERE, "input", day)
    for feed in reversed(FEEDS) if day == "day1" else FEEDS:
        path = os.path.join(folder, f"{feed}.ndjson")
        spec = path if os.path.exists(path) else source.spec
        if not os.path.exists(path) and os.path.exists(os.path.join(folder, f"{feed}.sql")):
            source.sql.run(read(os.path.join(folder, f"{feed}.sql")))
        elif not os.path.exists(path):
            continue
        loaded = warehouse.run(
            "load-staging", feed, "--source", spec, "--run-key", day, "--overlap", "0s"
        )
        warehouse.transform(feed, loaded)
    warehouse.app_status()
    warehouse.run("verify-app-status")


@test
def two_days_of_a_small_installation_give_the_tables_that_were_checked_by_hand():
    warehouse, source = Warehouse(), SourceDatabase()
    run_day(warehouse, source, "day1")
    compare(warehouse, "day1")
    run_day(warehouse, source, "day2")
    compare(warehouse, "day2")


@test
def each_expected_table_has_its_query_and_each_query_its_table():
    stems = sorted(os.path.splitext(os.path.basename(query))[0] for query in QUERIES)
    for day in ("day1", "day2"):
        equal(
            sorted(
                os.path.splitext(name)[0]
                for name in os.listdir(os.path.join(HERE, "expected", day))
            ),
            stems,
            f"tables of {day}",
        )


if __name__ == "__main__":
    main()
