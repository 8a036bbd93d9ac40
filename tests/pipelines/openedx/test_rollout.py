#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Old and new side by side: verify-enrollment-data --against an export of Figures."""

import csv
import os
import re
import stat
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "lib"))
from harness import check, contains, equal, lacks, main, test  # noqa: E402
from learning import COURSE, Site, enrollment, module, structure  # noqa: E402

DAY, LATER = "2026-04-12", "2026-04-14T08:00:00Z"
EXPORTED = """id created modified course_id date_for date_enrolled is_enrolled is_completed
    progress_percent points_possible points_earned sections_worked sections_possible site_id
    user_id""".split()


def figures_row(user, course=COURSE, earned=0.0, worked=0, **other):
    """A row of figures_enrollmentdata: of the base course, by day DAY."""
    row = {
        "course_id": course,
        "date_for": DAY,
        "date_enrolled": "2026-02-01",
        "is_enrolled": 1,
        "is_completed": 0,
        "progress_percent": worked / 2,
        "points_possible": 7.0,
        "points_earned": earned,
        "sections_worked": worked,
        "sections_possible": 2,
        "site_id": 1,
        "user_id": user,
    }
    return {**row, **other}


def export(site, rows, name="figures.csv", columns=tuple(EXPORTED)):
    path = os.path.join(site.folder, name)
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, delimiter="\t" if name.endswith("tsv") else ",")
        writer.writeheader()
        for number, row in enumerate(rows, 1):
            stamps = {"id": number, "created": DAY, "modified": DAY}
            writer.writerow({**stamps, **row})
    return path


def compare(site, rows, *options, expect=0, **more):
    path = export(site, rows, **more)
    return site.run("verify-enrollment-data", "--against", path, *options, expect=expect)


def table(run):
    """The lines of the table: how many rows, their difference, in what, why."""
    found = re.findall(r"^ *(\d+)  (\w+) +(\w+) +(.+)$", run.stderr, re.MULTILINE)
    return {(difference, what, why): int(rows) for rows, difference, what, why in found}


def learned(users=(101,), *more):
    """The base course; these users have 2/4 of p1, before DAY's end."""
    site = Site().base()
    site.take("student_module", [module(user, "p1", 2.0, 4.0) for user in users] + list(more))
    site.derive()
    return site


@test
def where_both_say_the_same_nothing_differs():
    site = learned((101, 102, 103))
    rows = [figures_row(user, earned=2.0, worked=1) for user in (101, 102, 103)]
    for name in ("figures.csv", "figures.tsv"):
        run = compare(site, rows, name=name)
        counts = [run[f"rows_{each}"] for each in ("checked", "missing", "extra", "different")]
        equal(counts, [3, 0, 0, 0], name)
        equal(table(run), {}, "the table")
    equal(site.sql.number("SELECT count(*) FROM staging.figures_enrollment_data"), 0, "rows kept")


@test
def what_figures_never_had_a_row_for_is_told_by_why():
    site = learned((101,))
    other = "course-v1:edX+Y+26"
    site.take(
        "enrollment", [enrollment(104, created="2026-04-13T09:00:00Z"), enrollment(101, other)]
    )
    site.take("student_module", [module(104, "p1", 1.0, 4.0, "2026-04-13T10:00:00Z")])
    site.take("student_module", [module(101, "x", 1.0, 4.0, course=other)])
    site.take("student_module", [module(102, "p1", 1.0, 4.0, "2026-04-13T00:00:00Z")])
    site.derive()
    run = compare(site, [figures_row(101, earned=2.0, worked=1)])
    equal(
        table(run),
        {
            ("extra", "row", "the learner never opened anything: Figures makes no row"): 1,
            ("extra", "row", "it began after the newest day of its course in the file"): 2,
            (
                "extra",
                "row",
                "no row of the course is in the file: its runs failed, or another site's",
            ): 1,
        },
        "the table",
    )
    equal((run["rows_extra"], run["rows_explained"]), (4, 4), "extra, explained")


@test
def what_happened_after_date_for_explains_a_stale_row():
    site = learned((101, 102, 103))
    site.take("enrollment", [enrollment(102, is_active=0, history_date="2026-04-13T00:00:00Z")])
    site.take("student_module", [module(101, "p1", 3.0, 4.0, "2026-04-13T00:00:00Z")])
    site.take(
        "student_module",
        [{**module(103, "p1", modified="2026-04-13T00:00:00Z"), "deleted": True}],
    )
    site.derive()
    old = [figures_row(user, earned=2.0, worked=1) for user in (101, 102, 103)]
    late = "activity after date_for, which Figures has not read yet"
    gone = "state was deleted after date_for: only activity renews a row"
    left = "left or came back after date_for: only activity renews a row"
    run = compare(site, old)
    equal(
        table(run),
        {
            ("different", "points", late): 1,
            ("different", "is_enrolled", left): 1,
            ("different", "points", gone): 1,
            ("different", "sections", gone): 1,
        },
        "the table",
    )
    equal((run["rows_different"], run["rows_explained"]), (3, 3), "different, explained")
    newer = [{**row, "date_for": "2026-04-13"} for row in old]
    run = compare(site, newer, expect=65)
    equal({why for _, _, why in table(run)}, {"UNEXPLAINED"}, "once Figures has read that day")
    contains(run.error, "3 rows differ and nothing known explains it", "the error")


@test
def a_publication_after_date_for_explains_points_that_nobody_renewed():
    site = learned((101, 102, 103))
    site.take("course_block", structure("V2", LATER, p2=5.0))
    site.derive()
    published = "the course was published after date_for: only activity renews a row"
    run = compare(site, [figures_row(user, earned=2.0, worked=1) for user in (101, 102, 103)])
    equal(table(run), {("different", "points", published): 3}, "the table")


@test
def what_neither_side_can_know_is_named():
    site = Site().base()
    bank = [(("lc", "library_content", "s2", 9), {"extra": {"max_count": 1}})] + [
        (
            (f"c{number}", "problem", "lc", 10 + number),
            {"parent_kind": "library_content", "has_score": True, "max_score": float(number)},
        )
        for number in (1, 2)
    ]
    other = "course-v1:edX+Y+26"
    essay = (("o1", "openassessment", "s3", 9), {"has_score": True, "max_score": 5.0})
    site.take("course_block", structure("V2", "2026-01-21T00:00:00Z", extra=bank))
    site.take("course_block", structure(course=other, extra=[essay]))
    site.take("enrollment", [enrollment(101, other)])
    opened = [module(user, "p1", 2.0, 4.0) for user in (101, 102, 103)]
    site.take("student_module", opened + [module(101, "p1", 2.0, 4.0, course=other)])
    site.derive()
    drawn = figures_row(101, earned=2.0, worked=1, points_possible=9.0)
    assessed = figures_row(101, other, 6.0, 2, points_possible=12.0, sections_possible=3)
    same = figures_row(102, earned=2.0, worked=1, points_possible=8.0)
    again = {**same, "site_id": 2, "points_earned": 9.0, "date_for": "2026-04-01"}
    dated = {**same, "user_id": 103, "date_enrolled": "2026-01-31"}
    run = compare(site, [drawn, assessed, same, again, dated])
    equal(
        table(run),
        {
            (
                "different",
                "points",
                "randomised content, of which the learner's share is not known here",
            ): 1,
            (
                "different",
                "points",
                "open response assessments, whose scores are not in student modules",
            ): 1,
            (
                "different",
                "sections",
                "open response assessments, whose scores are not in student modules",
            ): 1,
            (
                "different",
                "date_enrolled",
                "a day apart: Figures takes the day of the platform's time zone",
            ): 1,
            ("repeated", "row", "the same enrollment of another site; the newest day counts"): 1,
        },
        "the table",
    )
    equal((run["rows_checked"], run["rows_different"]), (4, 3), "checked, different")


@test
def a_row_that_only_figures_has_is_a_deleted_enrollment_or_a_fault():
    site = learned((101, 102, 103))
    site.take("enrollment", [{**enrollment(102, history_date=LATER), "deleted": True}])
    site.derive()
    rows = [figures_row(user, earned=2.0, worked=1) for user in (101, 102, 103)]
    run = compare(site, rows)
    deleted = ("missing", "row", "the enrollment was deleted, and Figures deletes no row")
    equal(table(run), {deleted: 1}, "deleted at the source")
    run = compare(site, rows + [figures_row(105)], expect=65)
    equal(table(run), {deleted: 1, ("missing", "row", "UNEXPLAINED"): 1}, "never heard of")


@test
def what_nothing_explains_is_a_failure_and_its_keys_are_in_the_file_alone():
    site = learned((101, 102, 103))
    rows = [figures_row(user, earned=2.0, worked=1) for user in (101, 102, 103)]
    rows[0] = {**rows[0], "points_earned": 3.5, "is_completed": 1, "is_enrolled": 0}
    rows[1] = {**rows[1], "date_enrolled": "2025-12-01", "sections_worked": 2}
    keys = os.path.join(site.folder, "differences.csv")
    run = compare(site, rows, "--differences", keys, expect=65)
    contains(run.error, "2 rows differ and nothing known explains it", "the error")
    lacks(run.stderr, COURSE, "standard error")
    equal(set(table(run).values()), {1}, "rows of each kind")
    with open(keys, encoding="utf-8") as file:
        seen = [tuple(row.values()) for row in csv.DictReader(file)]
    equal(
        seen,
        [
            (user, COURSE, DAY, "different", what, "")
            for user, what in (
                ("101", "is_completed"),
                ("101", "is_enrolled"),
                ("101", "points"),
                ("102", "date_enrolled"),
                ("102", "sections"),
            )
        ],
        "the file",
    )
    equal(stat.S_IMODE(os.stat(keys).st_mode), 0o600, "mode of the file")
    equal(os.listdir(site.folder).count("differences.csv"), 1, "files")
    os.unlink(keys)
    compare(site, rows, "--differences", keys, "--dry-run", expect=65)
    check(not os.path.exists(keys), "a dry run wrote the file")


@test
def what_is_still_to_be_derived_is_pending():
    site = learned((101, 102, 103))
    rows = [figures_row(user, earned=2.0, worked=1) for user in (101, 102, 103)]
    site.take("student_module", [module(101, "p1", 3.0, 4.0)])
    run = compare(site, [{**rows[0], "points_earned": 3.0}] + rows[1:])
    equal((run["rows_pending"], run["rows_different"]), (1, 0), "pending, different")
    site.take("course_block", structure("V2", LATER, p2=5.0))
    run = compare(site, [{**row, "points_possible": 9.0} for row in rows])
    equal((run["rows_pending"], run["rows_different"]), (3, 0), "of a whole course")


@test
def a_file_that_cannot_be_read_is_told_by_line_and_column():
    site = learned((101,))
    good = figures_row(101, earned=2.0, worked=1)
    marked = figures_row(102, "Tell-Tale-0451")
    run = compare(site, [good, marked, {**good, "points_earned": "Tell-Tale"}], expect=65)
    contains(run.error, "2 of 3 rows of the file cannot be read", "the error")
    contains(run.stderr, "line=3 column=course_id reason=invalid_context_key", "the log")
    contains(run.stderr, "line=4 column=points_earned reason=", "the log")
    lacks(run.output, "Tell-Tale", "all output")
    few = [name for name in EXPORTED if name != "is_completed"]
    run = site.run(
        "verify-enrollment-data",
        "--against",
        export(site, [{name: good.get(name) for name in few}], columns=few),
        expect=65,
    )
    contains(run.error, 'no column "is_completed"', "the error")
    site.run("verify-enrollment-data", "--against", os.path.join(site.folder, "none"), expect=74)


@test
def options_that_contradict_each_other_are_refused():
    site = Site()
    path = export(site, [])
    site.run("verify-enrollment-data", "--against", path, "--repair", expect=64)
    site.run("verify-enrollment-data", "--differences", path, expect=64)
    nowhere = os.path.join(site.folder, "no-folder", "keys.csv")
    run = compare(site, [], "--differences", nowhere, expect=74)
    contains(run.error, "could not write file", "the error")


if __name__ == "__main__":
    main()
