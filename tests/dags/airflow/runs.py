# SPDX-License-Identifier: MIT
"""Whole DAG runs by `airflow dags test`: what the tests of both versions share."""
import glob
import os
import shutil
import time

from factline import Session, run_task
from harness import check, contains, equal, fail, lacks, test
from world import DAGS, SECRET, TREE, Airflow, note, print_table

_world = []
_day = [0]


def world():
    return _world[0]


def begin(version):
    """Makes Airflow, installation and warehouse, which all tests of the program share."""
    _world.append(Airflow(version))
    shutil.copy(os.path.join(os.path.dirname(os.path.abspath(__file__)), "give"), world().programs)


def end(title):
    print_table(title)


def new_day():
    _day[0] += 1
    return f"2025-01-{_day[0]:02}"


def without_status(results):
    return {task: {name: value for name, value in result.items() if name != "status"}
            for task, result in results.items()}


def run_all(day):
    """All CommCare DAGs, in an order that their events would give."""
    outputs = {}
    for dag in DAGS:
        outputs[dag] = world().dags_test(dag, day)
    return outputs


@test
def the_dags_are_imported_without_warnings_of_ours():
    for path in sorted(glob.glob(os.path.join(world().dags, "*.py"))):
        said = world().python("-W", "always", path)
        lines = [line for line in said.splitlines() if "/dags/" in line]
        equal(lines, [], f"what importing {os.path.basename(path)} says")
    said = world().airflow("dags", "list-import-errors")
    contains(said, "No data found", "airflow dags list-import-errors")
    listed = world().airflow("dags", "list", "-o", "plain")
    for dag in DAGS:
        contains(listed, dag, "airflow dags list")
    note("DAG files are imported", "no error, no warning of ours", "none")
