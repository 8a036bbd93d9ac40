#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The DAGs against the tree, without Airflow: exit statuses, executables, feeds, files."""

import ast
import glob
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from factline import TREE  # noqa: E402
from harness import check, contains, equal, main, test  # noqa: E402
from launcher import dag_statuses, state_of  # noqa: E402

DAGS = sorted(glob.glob(os.path.join(TREE, "dags", "**", "*.py"), recursive=True))


def read(*path):
    with open(os.path.join(TREE, *path)) as file:
        return file.read()


def enum_in_c():
    text = re.search(r"enum status \{(.*?)\};", read("common", "base", "error.h"), re.S)[1]
    numbers = {name: int(number) for name, number in re.findall(r"STATUS_([A-Z]+) =\s*(\d+)", text)}
    numbers.pop("INTERRUPTED")
    return numbers


@test
def the_statuses_of_the_dags_are_those_of_the_executables():
    equal(dag_statuses()[0], enum_in_c(), "STATUS in factline_dag.py")


@test
def what_a_retry_cannot_mend_is_not_retried():
    equal(dag_statuses()[1], {64, 65, 77, 78}, "PERMANENT in factline_dag.py")
    states = [state_of(status) for status in (0, 64, 69, 70, 75, 79, 99, -15, 143)]
    equal(
        states,
        ["success", "failed"] + ["up_for_retry"] * 4 + ["skipped"] + ["up_for_retry"] * 2,
        "states",
    )


@test
def the_systemd_example_restarts_what_the_dags_retry():
    unit = read("ci", "factline-form.service")
    refused = {int(word) for word in re.search(r"RestartPreventExitStatus=(.*)", unit)[1].split()}
    equal(refused - {70}, dag_statuses()[1], "RestartPreventExitStatus")


@test
def the_upkeep_of_each_pipeline_clears_its_staging_whatever_verify_finds():
    for pipeline in ("commcare", "openedx"):
        alone = '\n    step("clear_staging", "clear-staging")\n'
        contains(read("dags", f"{pipeline}.py"), alone, f"the DAGs of {pipeline}")


@test
def the_dags_name_executables_that_exist():
    there = set(os.listdir(os.path.join(TREE, "tasks")))
    for path in DAGS:
        text = read(path)
        for name in re.findall(
            r"(?<![\w-])((?:load|transform|app-status|enrollment-data|batch|clear|verify"
            r"|migrate)-(?!id)[a-z-]+)\b",
            text,
        ):
            check(name in there, f"{os.path.basename(path)} names {name}, which is no task")


@test
def all_feeds_of_commcare_are_loaded_and_transformed():
    folder = os.path.join(TREE, "common", "pipelines", "commcare")
    text = "".join(read(path) for path in glob.glob(os.path.join(folder, "*.c")))
    feeds = re.findall(r"^const struct feed commcare_(\w+) =", text, re.M)
    check(len(feeds) >= 7, f"only these feeds are found: {feeds}")
    for feed in feeds:
        check(f'"{feed}"' in read("dags", "commcare.py"), f"commcare.py does not load {feed}")


@test
def airflow_finds_the_files_and_python_parses_them():
    for path in DAGS:
        text = read(path)
        ast.parse(text, path, feature_version=(3, 9))
        check(
            "airflow" in text.lower() and "dag" in text.lower(),
            f"{path} lacks one of the words by which Airflow finds DAG files",
        )


if __name__ == "__main__":
    main()
