#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The figures of Open edX's pipeline: a day's changes over a short and over a long history.

The old way is that of Figures' daily job: each enrollment by itself, its newest student module, and
where that is newer than what was computed last, its grade. Nothing here passes or fails.
"""

import argparse
import json
import os
import statistics
import tempfile
from datetime import date, timedelta

from measure import TREE, drop, head, shell, show, show_memory, sql, task
from factline import Warehouse

SECTIONS, PROBLEMS = 10, 7
BLOCKS = SECTIONS * (PROBLEMS + 1)
LEARNERS = 500  # of a course
CHANGED = 4  # student modules of an enrollment, on a day
FIRST = date(2026, 10, 1)
STEPS = ("load-staging", "transform-fact", "enrollment-data-from-fact")


def course(number):
    return f"course-v1:edX+C{number}+26"


def usage(number, kind, name):
    return f"block-v1:edX+C{number}+26+type@{kind}+block@{name}"


def write_structure(path, courses):
    with open(path, "w") as file:
        for number in range(courses):

            def write(kind, name, parent, ordinal, number=number, **more):
                block = {
                    "course_id": course(number),
                    "course_version": "V1",
                    "published_at": "2025-01-01T00:00:00Z",
                    "usage_key": usage(number, kind, name),
                    "block_type": kind,
                    "parent": parent and usage(number, "sequential", parent),
                    "ordinal": ordinal,
                    "has_score": False,
                }
                file.write(json.dumps({**block, **more}) + "\n")

            for place in range(SECTIONS):
                write("sequential", f"s{place}", None, place)
                for problem in range(PROBLEMS):
                    ordinal = SECTIONS + place * PROBLEMS + problem
                    write("problem", f"p{ordinal}", f"s{place}", ordinal, has_score=True,
                          max_score=4.0)  # fmt: skip


def write_enrollments(path, enrollments):
    with open(path, "w") as file:
        file.write("id\tuser_id\tcourse_id\tcreated\tis_active\tmode\n")
        for number in range(enrollments):
            file.write(f"{number}\t{number}\t{course(number // LEARNERS)}\t2025-09-01\t1\taudit\n")


# As transform-fact would have written them: a learner came on ten days, a week apart.
FILL = (
    f"""INSERT INTO warehouse.student_module_fact (
           learner_id, context_id, block_id, user_id, course_id, module_id, source_id, module_type,
           grade, max_grade, state_kind, position, attempts, created_on, modified_on, content_hash,
           version_time, read_number, batch_id)
    SELECT e.learner_id, e.context_id, b.id, e.user_id, e.course_id, b.usage_key,
           e.user_id * {BLOCKS} + b.ordinal, b.block_type,
           CASE WHEN b.has_score THEN (e.user_id + b.ordinal) % 4 END,
           CASE WHEN b.has_score THEN 4 END, 'object', CASE WHEN NOT b.has_score THEN 1 END,
           CASE WHEN b.has_score THEN 1 END, at.seen, at.seen,
           e.user_id * {BLOCKS} + b.ordinal, at.seen, 1, e.batch_id
      FROM warehouse.enrollment_fact AS e
      JOIN warehouse.block_dim AS b ON b.context_id = e.context_id
     CROSS JOIN LATERAL (SELECT timestamptz '2025-09-02 10:00Z' + (e.user_id % 300
                              + b.ordinal % 10 * 7) * interval '1 day' AS seen) AS at
     ORDER BY e.learner_id, e.context_id, b.id""",
    """INSERT INTO warehouse.learner_activity_fact (
           learner_id, context_id, activity_date, user_id, batch_id)
    SELECT e.learner_id, e.context_id, date '2025-09-02' + (e.user_id % 300)::int + week * 7,
           e.user_id, e.batch_id
      FROM warehouse.enrollment_fact AS e
     CROSS JOIN generate_series(0, 9) AS week
     ORDER BY 2, 3, 1""",
)


def fill(warehouse, folder, modules):
    """A warehouse with so many student modules, and all derived from them."""
    enrollments = modules // BLOCKS
    structure = os.path.join(folder, "course_block.ndjson")
    enrolled = os.path.join(folder, "enrollment.tsv")
    write_structure(structure, -(-enrollments // LEARNERS))
    write_enrollments(enrolled, enrollments)
    for feed, path, step in (
        ("course_block", structure, "transform-dim"),
        ("enrollment", enrolled, "transform-fact"),
    ):
        task(warehouse, "load-staging", feed, "--source", path, "--run-key", "first")
        task(warehouse, step, feed, "--run-key", "first")
    for statement in FILL:
        warehouse.sql.run(statement)
    warehouse.sql.run("VACUUM ANALYZE")
    task(warehouse, "clear-staging")
    begin = task(warehouse, "enrollment-data-from-fact", "--run-key", "first",
                 "--as-of", str(FIRST))  # fmt: skip
    warehouse.sql.run("VACUUM ANALYZE")
    # what the old way knows of the last time
    warehouse.sql.run("""CREATE TABLE public.computed AS
        SELECT learner_id, context_id, last_activity_on, points_earned, sections_worked
          FROM warehouse.enrollment_data;
        CREATE INDEX ON public.computed (learner_id, context_id, last_activity_on)""")
    return enrollments, begin


def write_day(warehouse, path, number, enrollments, changed):
    """The extract of a day: of enrollments all over the site, other ones each day."""
    every = enrollments * CHANGED // changed
    day = FIRST + timedelta(number)
    rows = warehouse.sql.tuples(f"""
        SELECT source_id, module_type, module_id, user_id, course_id, created_on
          FROM warehouse.student_module_fact
         WHERE user_id % {every} = {number}
           AND source_id % {BLOCKS} >= {BLOCKS - CHANGED}""")
    with open(path, "w") as file:
        file.write("id\tmodule_type\tmodule_id\tstudent_id\tcourse_id\tcreated\tstate\tgrade\t")
        file.write("max_grade\tmodified\n")
        for row in rows:
            more = ('{"attempts": 2}', "4", "4", f"{day} 12:00:00")
            file.write("\t".join(map(str, (*row, *more))) + "\n")


def run_day(warehouse, folder, number, enrollments, changed):
    path = os.path.join(folder, "day.tsv")
    write_day(warehouse, path, number, enrollments, changed)
    key = ("--run-key", f"day{number}")
    return (
        task(warehouse, "load-staging", "student_module", "--source", path, *key),
        task(warehouse, "transform-fact", "student_module", *key),
        task(
            warehouse, "enrollment-data-from-fact", "--as-of", str(FIRST + timedelta(number)), *key
        ),
    )


# In the server, without the round trips of the job, by an index that the platform lacks, and with
# a grade that takes one short statement.
OLD_WAY = """DO $$
DECLARE
    enrollment record;
    newest timestamptz;
    known timestamptz;
BEGIN
    FOR enrollment IN SELECT learner_id, context_id FROM warehouse.enrollment_fact LOOP
        SELECT module.modified_on INTO newest
          FROM warehouse.student_module_fact AS module
         WHERE module.learner_id = enrollment.learner_id
           AND module.context_id = enrollment.context_id
         ORDER BY module.modified_on DESC
         LIMIT 1;
        SELECT max(computed.last_activity_on) INTO known
          FROM public.computed AS computed
         WHERE computed.learner_id = enrollment.learner_id
           AND computed.context_id = enrollment.context_id;
        IF newest > known THEN
            INSERT INTO public.computed
            SELECT enrollment.learner_id, enrollment.context_id, newest, sum(module.grade),
                   count(DISTINCT block.subsection_block_id) FILTER (WHERE module.grade > 0)
              FROM warehouse.student_module_fact AS module
              JOIN warehouse.block_dim AS block ON block.id = module.block_id
             WHERE module.learner_id = enrollment.learner_id
               AND module.context_id = enrollment.context_id;
        END IF;
    END LOOP;
END $$"""


def bench_day(folder, modules, changed):
    warehouse = Warehouse()
    enrollments, first = fill(warehouse, folder, modules)
    print(
        f"  {modules:,} student modules of {enrollments:,} enrollments in "
        f"{-(-enrollments // LEARNERS):,} courses; all of them derived in {first:.1f} s", flush=True
    )  # fmt: skip
    days = [run_day(warehouse, folder, number, enrollments, changed) for number in (1, 2, 3)]
    touched = warehouse.sql.number("""SELECT count(*) FROM warehouse.learning_change_log
        WHERE metric_date IS NULL AND batch_id = (SELECT max(id) FROM etl.batch
                                                   WHERE workflow = 'student_module')""")
    task(warehouse, "verify-enrollment-data")
    old = sql(warehouse, OLD_WAY)
    drop(warehouse)
    return [statistics.median(times) for times in zip(*days)], old, touched


def bench_history(folder, few, many):
    changed = min(10000, few // BLOCKS)  # a quarter of the enrollments of the short history
    print(f"\n{changed:,} changed student modules, the median of three days")
    short, _, _ = bench_day(folder, few, changed)
    long, old, touched = bench_day(folder, many, changed)
    head()
    for name, ours, yardstick in zip(STEPS, long, short):
        show(f"{name}, long history of short", "<= 1.2", ours / yardstick, ours, yardstick)
    day = sum(long)
    show(f"the day, {touched:,} enrollments touched, of old way", "", old / day, day, old)


def bench_file(folder, rows):
    warehouse = Warehouse()
    path = os.path.join(folder, "modules.tsv")
    shell(f"{TREE}/tests/sample/openedx/generate.py modules {rows} {path}")
    warehouse.sql.run("""CREATE UNLOGGED TABLE public.copied (
        id bigint, module_type text, module_id text, student_id bigint, state text,
        grade double precision, created timestamptz, modified timestamptz,
        max_grade double precision, done text, course_id text)""")
    yardstick = shell(f"""tail -n +2 {path} | psql -Xqc \\
        "COPY public.copied FROM STDIN (NULL 'NULL')" {warehouse.name}""")
    ours = task(warehouse, "load-staging", "student_module", "--source", path, "--run-key", "file")
    print(f"\n{rows:,} rows as mysql --batch prints them: {rows / ours:,.0f} a second, "
          f"{rows / yardstick:,.0f} by a bare COPY")  # fmt: skip
    head()
    show("TSV to staging, of a bare COPY of the file", "", yardstick / ours, ours, yardstick)
    drop(warehouse)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--scale", type=float, default=1, help="millions of rows, shorter history")
    parser.add_argument("--history", type=float, default=20, help="millions of the longer; 0: none")
    options = parser.parse_args()
    few, many = int(options.scale * 1000000), int(options.history * 1000000)
    with tempfile.TemporaryDirectory() as folder:
        bench_file(folder, few)
        if many:
            bench_history(folder, few, many)
    show_memory()


main()
