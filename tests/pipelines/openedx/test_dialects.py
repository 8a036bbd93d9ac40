#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Each feed says the same in every dialect: NDJSON, TSV of mysql --batch, a file of an edX data
package, CSV; plain and packed."""

import csv
import gzip
import io
import json
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "lib"))
from harness import equal, for_each, main  # noqa: E402
from learning import COURSE, Site, enrollment, learner, module, structure  # noqa: E402

EARLY, LATE = "2014-03-04 14:28:28", "2026-04-11 18:47:43.120000"
STATE = json.dumps({"attempts": 2, "student_answers": {"p1": 'x\ny\t"z"\\'}, "other": None})
FEEDS = {
    "learner": [{**learner(101, "Égalité"), "date_joined": EARLY}, learner(102, "b\tc\\n,\"d'")],
    "enrollment": [
        enrollment(101, created=EARLY, history_date=None),
        enrollment(102, created=EARLY, is_active=0, mode=None, history_date=LATE),
    ],
    "student_module": [
        module(101, "p1", 2.0, 3.0, LATE, created=EARLY, state=STATE),
        module(102, "s1", None, None, EARLY, kind="sequential", state='{"position": 1}'),
        module(103, "p1", 0.0, None, LATE, created=EARLY, state=None),
    ],
    "student_module_history": [
        {"id": 1, "student_module_id": 7, "version": None, "created": LATE, "state": STATE,
         "grade": 1.5, "max_grade": None, "source_table": "csmh"}
    ],
    "certificate": [
        {"user_id": 101, "course_id": COURSE, "status": "downloadable", "created_date": LATE},
        {"user_id": 102, "course_id": COURSE, "status": "notpassing", "created_date": None},
    ],
    "course_access_role": [{"user_id": 900, "org": "edX", "course_id": COURSE, "role": "staff"}],
    "course_block": structure(),
}  # fmt: skip


def plain(value):
    if isinstance(value, bool):
        return "1" if value else "0"
    return f"{value:g}" if isinstance(value, float) else str(value)


def mysql_cell(value):
    if value is None:
        return "NULL"
    text = plain(value).replace("\\", "\\\\").replace("\t", "\\t")
    return text.replace("\n", "\\n")


def package_cell(value):
    """Without trailing zeros in times, and a CR escaped, too."""
    return mysql_cell(value).replace("\r", "\\r").replace(".120000", ".12")


def separated(cell):
    def write(records):
        lines = ["\t".join(records[0])]
        lines += ["\t".join(cell(value) for value in record.values()) for record in records]
        return "\n".join(lines) + "\n"

    return write


def commas(records):
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_MINIMAL)
    writer.writerow(records[0])
    writer.writerows(
        [None if value is None else plain(value) for value in record.values()] for record in records
    )
    return text.getvalue()


DIALECTS = [
    ("modules.tsv", (), separated(mysql_cell)),
    ("modules.tsv.gz", (), separated(mysql_cell)),
    ("edX-X-26-prod-analytics.sql", ("--format", "tsv"), separated(package_cell)),
    ("edX-X-26-prod-analytics.sql.gz", ("--format", "tsv"), separated(package_cell)),
    ("export.csv", (), commas),
    ("export.csv.gz", (), commas),
]


def staged(site, feed, *arguments):
    run = site.run("load-staging", feed, *arguments, "--run-key", site.key())
    equal(run["rows_rejected"], 0, f"rejects of {arguments}")
    return site.sql.tuples(f"""
        SELECT to_jsonb(line) - 'batch_id' - 'read_number' FROM staging.{feed} AS line
         WHERE line.batch_id = {run["batch_id"]} ORDER BY line.line_no""")


@for_each(sorted(FEEDS))
def all_dialects_say_the_same(feed):
    site, records = Site(), FEEDS[feed]
    expected = staged(site, feed, "--source", site.file(records))
    for name, options, write in DIALECTS:
        path = os.path.join(site.folder, name)
        text = write(records).encode()
        with open(path, "wb") as file:
            file.write(gzip.compress(text) if name.endswith(".gz") else text)
        equal(staged(site, feed, "--source", path, *options), expected, f"{feed} as {name}")


if __name__ == "__main__":
    main()
