#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# time-limit: 600
"""Each task with each pair of the options that its --help names and with more of them, with values
that are right, borderline and wrong, on a warehouse whose batches are in every state. Whatever the
command line, the task ends as documented and says so; a dry run and a wrong command line change
nothing; and what is derived stays as defined.

    test_options.py [--seed N|random] [--schedules N] [--seconds N] [--steps N] [--tell]

Schedules of seeds that follow each other share the pairs out: first all pairs with one argument of
the task each, then with the others. One run in some is under valgrind.
"""

import csv
import gzip
import io
import itertools
import json
import os
import random
import re
import shutil
import subprocess
import sys
from collections import Counter

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import campaign  # noqa: E402
import factline  # noqa: E402
import fault  # noqa: E402
import learning  # noqa: E402
from factline import RESULT_COUNTS, Warehouse, backends, check_result  # noqa: E402
from factline import ndjson, run_task  # noqa: E402
from harness import check, equal, lacks, wait_until  # noqa: E402
from records import FEEDS, RECORDS, transform_of  # noqa: E402
from source import SourceDatabase  # noqa: E402

WORKFLOWS = FEEDS + ["app_status_form", "app_status_synclog", "enrollment_data"]
SECONDS = 60  # that a run may take
VALGRIND = ["valgrind", "-q", "--error-exitcode=9", "--leak-check=full"]
VALGRIND_SHARE = 0.008
VARIANT = os.environ.get("FACTLINE_VARIANT", "release")  # others have checks of their own

# ---- the tasks ----


class Task:
    """What an executable says of itself."""

    def __init__(self, name):
        text = run_task(name, "--help").stdout
        self.name = name
        found = re.findall(r"^  --(\S+)(?: (\S+))?(?:  .*)?$", text, re.MULTILINE)
        self.options = {name: kind for name, kind in found if name not in ("help", "version")}
        self.statuses = set(map(int, re.findall(r"^ +(\d+) [A-Z]", text, re.MULTILINE))) - {70}
        argument = re.match(r"Usage: \S+ \[?([^] ]*)", text).group(1)
        own = [feed for feed in FEEDS if transform_of(feed) == name]
        known = {
            "FEED": own or FEEDS,
            "WORKFLOW": WORKFLOWS,
            "OPTIONS": [""],
        }
        self.arguments = known.get(argument) or argument.split("|")

    def workflow(self, argument):
        prefix = "app_status_" if self.name.startswith("app-status") else ""
        return prefix + argument if argument else "enrollment_data"


def all_cases():
    """(task, argument, pair of options), all pairs with some argument first."""
    rng, cases = random.Random(0), []
    for task in map(Task, sorted(os.listdir(factline.BIN))):
        for pair in itertools.combinations(sorted(task.options), 2):
            arguments = rng.sample(task.arguments, len(task.arguments))
            cases += [(n, rng.random(), task, each, pair) for n, each in enumerate(arguments)]
    return [case[2:] for case in sorted(cases, key=lambda case: case[:2])]


# ---- values ----

TIMES = "2024-03-01 2024-03-02T09:00:00Z 2026-03-01T00:00:00+05:30 9999-12-31T23:59:59.9Z".split()
BEGINS = ("since", "from-date")
VALUES = {
    "TIME": TIMES,
    "TIME of a beginning": TIMES[:2],
    "DATE": TIMES,
    "DURATION": ["0", "0s", "0.001s", "1s", "5", "15min", "20d"],
    "N": ["0", "1", "2", "8", "64", "65", "1000", "9223372036854775807"],
    "N|P%": ["0", "5", "0%", "0.5%", "100%", "9223372036854775807"],
    "SIZE": ["1", "100", "1KiB", "16MiB", "255MiB", "256MiB"],
    "LIST": ["problem", "problem,video", "edX-downloader", ",", "a,,b", "a" * 5000],
    "FORMAT": ["ndjson", "csv", "tsv"],
    "PHASE": ["slow"],
}
WRONG = """- -1 0 x None 9223372036854775808 \u00e9 %s%n ' 1.0 101% 1GiB 1y 99999999d 2026-02-30
           0001-01-01 now null folder"""
ODD = ["", " ", "a\nb", "a" * 300, *WRONG.split()]
FIGURES = f"""user_id,course_id,date_for,date_enrolled,is_enrolled,is_completed,progress_percent,\
points_possible,points_earned,sections_possible,sections_worked
101,{learning.COURSE},2026-04-12,2026-02-01,1,0,0.5,7.0,2.0,2,1
"""


def table(records, dialect):
    text = io.StringIO()
    names = list(dict.fromkeys(name for record in records for name in record))
    writer = csv.DictWriter(text, names, dialect=dialect, lineterminator="\n")
    writer.writeheader()
    writer.writerows(records)
    return text.getvalue().encode()


def zstd(data):
    return subprocess.run(["zstd", "-qc"], input=data, stdout=subprocess.PIPE, check=True).stdout


def records_of(feed):
    return fault.NEXT.get(feed, lambda: [RECORDS[feed]])()


def make_files():
    """What a run may read: each feed's records in all formats, and what nobody can read."""
    files = {
        "empty.ndjson": b"",
        "cut.ndjson": b'{"form_id": "f1", "dom',
        "cut.gz": gzip.compress(b"x" * 9999)[:-9],
        "wrong.csv": b"a,b\n1,2\n1\n",
        "folder/file.ndjson": b"{}\n",
        "figures.csv": FIGURES.encode(),
    }
    for feed in FEEDS:
        lines = ndjson(records_of(feed))
        flat = [record for record in records_of(feed) if isinstance(record, dict)]
        files |= {
            f"{feed}.ndjson": lines,
            f"{feed}.csv": table(flat, "excel"),
            f"{feed}.tsv": table(flat, "excel-tab"),
            f"{feed}.gz": gzip.compress(lines),
            f"{feed}.zst": zstd(lines),
        }
    return files


FILES = make_files()


def seen_files():
    """Of the working directory, in which all is run; "null" is a link to a device."""
    paths = (os.path.join(folder, name) for folder, _, names in os.walk(".") for name in names)
    found = {}
    for path in map(os.path.normpath, paths):
        if not os.path.islink(path):
            with open(path, "rb") as file:
                found[path] = file.read()
    return found


def restore_files(seen):
    for name in seen.keys() - FILES.keys():
        os.unlink(name)
    if not os.path.lexists("null"):
        os.symlink("/dev/null", "null")
    for name in (name for name, data in FILES.items() if seen.get(name) != data):
        os.makedirs(os.path.dirname(name) or ".", exist_ok=True)
        with open(name, "wb") as file:
            file.write(FILES[name])


# ---- what is there ----


def fill(name):
    """Both pipelines with some history, and for each feed a batch in each state."""
    fault.fill_commcare(name)
    fault.fill_openedx(name)
    warehouse = Warehouse(name=name)
    for feed in FEEDS:
        load = ["load-staging", feed, "--run-key"]
        warehouse.run(*load, "staged", "--source", f"{feed}.ndjson")
        warehouse.run(*load, "open", "--open-window")
        warehouse.run(*load, "keys", "--open-window", "--reconcile", expect=(0, 64))
        broken = ["--source", "cut.ndjson", "--max-rejects", "0"]
        warehouse.run(*load, "failed", *broken, expect=65)
    for key in ("staged", "open"):
        warehouse.run("load-staging", "form", "--run-key", key, "--force", "--open-window")


def digest(session):
    """Of all rows of the three schemas."""
    return session.value(
        "SELECT md5(string_agg(q::text, '' ORDER BY q::text))"
        f" FROM ({' UNION ALL '.join(session.run(fault.TABLES))}) AS q"
    )


def fill_platform(platform):
    platform.sql.run(f"""
        INSERT INTO auth_user (id, username, date_joined) VALUES (101, 'carlos', '2026-01-15Z');
        INSERT INTO student_courseenrollment (course_id, created, is_active, mode, user_id)
            VALUES ('{learning.COURSE}', '2026-02-01Z', true, 'audit', 101), ('broken',
            '2026-02-01Z', true, 'x', 101);
        INSERT INTO courseware_studentmodule (id, module_type, module_id, student_id, grade,
            created, modified, max_grade, course_id)
            VALUES (5, 'problem', '{learning.usage('p1')}', 101, 2, '2026-03-01Z', '2026-03-02Z', 3,
            '{learning.COURSE}')""")


# ---- a schedule ----


class Schedule:
    cases = []

    @staticmethod
    def add_options(parser):
        pass

    def __init__(self, seed, options):
        self.rng = random.Random(seed)
        self.told, self.faults = [], Counter()
        Schedule.cases = Schedule.cases or all_cases()
        first = (seed - 1) * options.steps
        self.mine = [self.cases[n % len(self.cases)] for n in range(first, first + options.steps)]
        restore_files(seen_files())
        self.warehouse = Warehouse(make=fill)
        for feed in self.rng.sample(FEEDS, len(FEEDS) // 2):  # else none can be reconciled
            self.transform(feed, "--run-key", "staged")
        shards = [SourceDatabase(), SourceDatabase()]
        for number, shard in enumerate(shards):
            shard.add_form(f"s{number}", "2024-04-01T00:00:00Z")
            shard.add_synclog(number, "2024-04-01T00:00:00Z")
        platform = learning.Platform()
        fill_platform(platform)
        self.servers = [*(shard.spec for shard in shards), platform.spec]
        self.digest = digest(self.warehouse.sql)

    def transform(self, feed, *batch):
        self.warehouse.run(transform_of(feed), feed, *batch, expect=(0, 64, 65))

    def summary(self):
        return f"{len(self.mine)} pairs, {len(self.told)} runs"

    def run(self):
        for task, argument, pair in self.mine:
            self.step(task, argument, pair)
        wait_until(lambda: backends(self.warehouse.name) == 0, "sessions of tasks to end")
        self.warehouse.run("verify-app-status")
        self.warehouse.run("verify-enrollment-data")

    # ---- the command line ----

    def step(self, task, argument, pair):
        """A command line; where it is refused, others as its message advises."""
        chosen, self.odd = self.choose(task, pair), 0.05
        for _ in range(4):
            run = self.try_options(task, argument, chosen)
            if run.status != 64:
                break
            advised = re.findall(r"--([a-z-]+)", run.error)
            if "leave out" in run.error:
                chosen = [name for name in chosen if name in pair or name not in advised]
            else:
                chosen += [name for name in advised if name in task.options]
            chosen, self.odd = list(dict.fromkeys(chosen)), 0

    def try_options(self, task, argument, chosen):
        rng = self.rng
        batches = self.warehouse.sql.rows("SELECT id, workflow, run_key FROM etl.batch")
        own = [batch for batch in batches if batch["workflow"] == task.workflow(argument)]
        self.batches = own if own and rng.random() < 0.9 else batches
        words = [word for name in chosen for word in self.spell(name, task.options[name], argument)]
        given = [argument] if argument else []
        if rng.random() < self.odd:
            given = rng.choice([[], ["nobody"], [""], given + ["more"], ["user", "form"]])
        place = rng.choice([0, len(words)])
        run, words = self.execute(task, words[:place] + given + words[place:], argument)
        self.judge(task, argument, run, words)
        return run

    def choose(self, task, pair):
        """The pair, what most command lines have, and sometimes more; in any order."""
        rng, chosen = self.rng, list(pair)
        for name, share in (("source", 0.8), ("run-key", 0.5), ("batch-id", 0.2)):
            if name in task.options and name not in chosen and rng.random() < share:
                chosen.append(name)
        others = [name for name in task.options if name not in chosen]
        chosen += rng.sample(others, min(len(others), rng.choice([0, 0, 0, 0, 1, 2, 5])))
        if rng.random() < 0.1:
            chosen.append(rng.choice(["source"] if "source" in chosen else chosen))
        return rng.sample(chosen, len(chosen))

    def spell(self, name, kind, feed):
        if not kind:
            return [f"--{name}"]
        value = self.value("TIME of a beginning" if name in BEGINS else kind, feed)
        return [f"--{name}={value}"] if self.rng.random() < 0.3 else [f"--{name}", value]

    def value(self, kind, feed):
        rng = self.rng
        if rng.random() < self.odd:
            return rng.choice(ODD)
        if kind in VALUES:
            return rng.choice(VALUES[kind])
        if kind in ("ID", "KEY"):
            known = str(rng.choice(self.batches)["id" if kind == "ID" else "run_key"])
            new = [f"new{len(self.told)}", learning.COURSE]
            return rng.choice([known] * 4 + (["-", "999999"] if kind == "ID" else new * 2))
        return self.place(feed) if kind != "SPEC" or rng.random() < 0.6 else self.server(feed)

    def server(self, feed):
        hq, other = self.servers[:2], self.servers[2]
        usual = hq if feed in ("form", "synclog", "location") else [other]
        odd = [other, "dbname=nobody", "host=h dbname=d password=p", "postgres://", "a=b", "="]
        return self.rng.choice(usual if self.rng.random() < 0.8 else odd)

    def place(self, feed):
        rng = self.rng
        own = [name for name in FILES if name.startswith(f"{feed}.")]
        new = ["new.json", "new.csv", "new.tsv", "missing/new.json", "folder", "figures.csv"]
        return rng.choice(rng.choice([own or new] * 3 + [new, [*FILES], ["null", "-"]]))

    # ---- the run ----

    def execute(self, task, words, feed):
        rng = self.rng
        lines = FILES.get(f"{feed}.ndjson", b"")
        number = rng.choice(self.batches)["id"] if self.batches else 0
        result = json.dumps({"workflow": feed, "batch_id": str(number), "status": "done"}) + "\n"
        stdin = rng.choice([b"", lines, lines[: len(lines) // 2], result, "closed"])
        env = rng.choice([{}, {}, {}, {"AIRFLOW_CTX_DAG_ID": "d", "AIRFLOW_CTX_DAG_RUN_ID": "r"}])
        if rng.random() < 0.2:
            pairs = (word.split("=", 1) for word in self.server(feed).split() if "=" in word)
            env = {f"SOURCE_PG{name.upper().replace('DBNAME', 'DATABASE')}": v for name, v in pairs}
        if "lock-timeout" not in " ".join(words):
            words = ["--lock-timeout", "2s", *words]
        command = [os.path.join(factline.BIN, task.name), *words]
        before = []
        if rng.random() < VALGRIND_SHARE and VARIANT == "release":
            before = [shutil.which(VALGRIND[0]), *VALGRIND[1:]]
            self.faults["command lines under valgrind"] += 1
        if stdin == "closed":
            before, stdin = ["/bin/sh", "-c", 'exec "$@" <&-', "sh", *before], None
        database = self.warehouse.name if rng.random() < 0.98 else "nobody"
        more = {"database": database, "stdin": stdin, "env": env, "seconds": SECONDS}
        run = run_task(*before, *command, **more)
        run.command = command
        self.told.append(f"{run} -> {run.status} {run.stdout.strip()[:150]} env {env}")
        self.faults[f"command lines with status {run.status}"] += 1
        return run, words

    def judge(self, task, argument, run, words):
        run.ended(*task.statuses)
        self.check_streams(task, run)
        self.check_files(run, words)
        now = digest(self.warehouse.sql)
        if "--dry-run" in words or run.status == 64:
            equal(now, self.digest, f"{run}: tables after a dry run or a wrong command line")
        self.digest = now
        if task.name == "load-staging" and run.status == 0 and self.rng.random() < 0.5:
            self.transform(argument, "--batch-id", run["batch_id"])
            self.digest = digest(self.warehouse.sql)

    @staticmethod
    def check_streams(task, run):
        if run.status == 0 and task.name in RESULT_COUNTS:
            check(run["status"] in ("done", "already-done", "nothing-to-do"), f"{run}: status")
            check_result(run, task.name, run["status"])
        elif run.status in (0, 79) and "--json" in run.command:
            json.loads(run.stdout)
        lines = run.stderr.splitlines()
        shape = rf"\d{{4}}-\d\d-\d\dT[\d:.]+Z [a-z]+ {task.name} \S+ \S+ \w+( .+)?"
        if "--against" in " ".join(run.command):
            shape += "| *[0-9]+  [a-z]+ +[a-z_]+ .*"
        if "--dry-run" in run.command:  # which shows statements, too
            lines = lines[:0]
        for line in lines if run.status == 0 else lines[:-1]:
            check(re.fullmatch(shape, line), f"{run}: no line of a log: {line!r}")
        for sign in ("(null)", "ERROR:", "FATAL:", "DETAIL:", "LINE 1", "=="):
            lacks(run.output, sign, f"{run}: output")

    @staticmethod
    def check_files(run, words):
        """A result is whole or not there; nothing else is left or touched."""
        seen = seen_files()
        named = [os.path.normpath(word.rpartition("=")[2]) for word in words]
        changed = {name for name in seen | FILES if seen.get(name) != FILES.get(name)}
        check(changed <= set(named), f"{run}: files {changed - set(named)}")
        pairs = zip(words, words[1:] + [""])
        results = [
            os.path.normpath(word.partition("=")[2] or after)
            for word, after in pairs
            if word.partition("=")[0] == "--result-file"
        ]
        if len(results) == 1 and run.status in (0, 79):
            equal(seen.get(results[0]), run.stdout.encode(), f"{run}: the result file")
        elif len(results) == named.count(results[0] if results else None) == 1:
            equal(seen.get(results[0]), FILES.get(results[0]), f"{run}: the result file")
        check(os.path.islink("null"), f"{run}: a device was replaced")
        if "--dry-run" in words:
            check(changed <= set(results), f"{run}: files {changed} of a dry run")
        restore_files(seen)


if __name__ == "__main__":
    os.chdir(factline.new_folder())
    campaign.main(Schedule, seconds=75)
