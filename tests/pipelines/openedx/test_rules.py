#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Enrollment data beyond the golden scenarios: broken courses, staff, sources, metrics."""

import os
import sys
from itertools import permutations

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "lib"))
from harness import check, contains, equal, for_each, main, test  # noqa: E402
from learning import COURSE, Platform, Site, enrollment, module, structure, usage  # noqa: E402

CARLOS, LYLA, MINA = 101, 102, 103
OTHER = "course-v1:edX+Y+26"


def break_course(site, course, version="V2", published="2026-01-21T00:00:00Z"):
    """Points whose sum no number can hold."""
    site.take("course_block", structure(version, published, course=course, p1=1e308, weight=1e308))


def two_courses():
    site = Site().base()
    site.take("course_block", structure(course=OTHER))
    site.take("enrollment", [enrollment(user, OTHER) for user in (CARLOS, LYLA)])
    return site


def pending(site):
    return [unit for unit, in site.sql.tuples("SELECT unit FROM etl.pending_unit ORDER BY unit")]


@test
def a_course_that_cannot_be_computed_does_not_stop_the_others():
    site = two_courses()
    site.derive()
    before = site.data(CARLOS, OTHER)
    break_course(site, OTHER)
    site.take(
        "student_module",
        [module(CARLOS, "p2", 1e300, 3.0, course=OTHER), module(CARLOS, "p1", 2.0, 3.0)],
    )
    run = site.derive()
    equal(pending(site), [OTHER], "pending units")
    equal(
        (site.data(CARLOS), site.data(CARLOS, OTHER)), ((2, 6, 1, 2, 0.5), before), "both courses"
    )
    equal(len(run["batches"]), 2, "batches are consumed")
    contains(site.run("batch-status").stdout, OTHER, "batch-status")
    site.verify()


@test
def a_broken_course_is_tried_again_by_each_run_and_forgotten_when_it_works():
    site = two_courses()
    break_course(site, OTHER)
    site.take("student_module", [module(CARLOS, "p2", 1e300, 3.0, course=OTHER)])
    site.derive()
    equal((pending(site), site.data(LYLA, OTHER)), ([OTHER], None), "broken at first")
    equal(site.derive()["status"], "done", "a run with nothing but a broken course")
    equal(pending(site), [OTHER], "still broken")
    site.take("course_block", structure("V3", "2026-01-22T00:00:00Z", course=OTHER))
    site.derive()
    equal((pending(site), site.data(LYLA, OTHER) is not None), ([], True), "works again")
    site.verify()


@test
def courses_without_enrollments_have_their_metrics_beside_a_broken_one():
    site = two_courses()
    break_course(site, OTHER)
    lone = "course-v1:edX+Z+26"
    site.take(
        "student_module",
        [module(CARLOS, "p2", 1e300, 3.0, course=OTHER), module(CARLOS, "p1", 1.0, course=lone)],
    )
    site.derive()
    equal(pending(site), [OTHER], "pending units")
    check(site.metric("2026-04-11", "*", lone) is not None, "no metrics after the first run")
    site.sql.run("TRUNCATE warehouse.course_daily_metrics")
    site.derive("--force")
    check(site.metric("2026-04-11", "*", lone) is not None, "no metrics after --force")


@test
def a_repair_leaves_out_a_broken_course():
    site = two_courses()
    break_course(site, OTHER)
    site.take("student_module", [module(CARLOS, "p2", 1e300, 3.0, course=OTHER)])
    site.derive()
    site.sql.run("UPDATE warehouse.enrollment_data SET points_possible = 99")
    equal(site.verify("--repair")["rows_repaired"], 3, "rows_repaired")
    equal(pending(site), [OTHER], "pending units")
    site.verify()


@test
def one_course_alone_is_recomputed_by_its_key():
    site = two_courses()
    site.derive()
    site.sql.run("UPDATE warehouse.enrollment_data SET points_possible = 99")
    run = site.derive("--context", OTHER + "+branch@draft")
    equal((run["keys_touched"], run["rows_updated"], run["batches"]), (2, 2, []), "one course")
    site.verify(expect=65)
    run = site.verify("--repair")
    equal(run["rows_repaired"], 3, "repaired")
    site.verify()
    site.derive("--context", "no course", expect=64)
    site.derive("--context", OTHER, "--run-key", "k")
    site.derive("--context", COURSE, "--run-key", "k", expect=64)
    site.derive("--context", OTHER, "--run-key", "k", as_of="2026-04-13", expect=64)
    run = site.derive("--context", OTHER, "--dry-run")
    contains(run.stderr, "enrollment_data_from_all", "the plan")


@test
def force_recomputes_all_and_changes_nothing_that_is_right():
    site = two_courses()
    site.derive()
    run = site.derive("--force")
    equal((run["keys_touched"], run["rows_unchanged"]), (5, 5), "all")


@test
def a_coached_course_is_measured_by_the_structure_of_its_course():
    site, ccx = Site().base(), "ccx-v1:edX+X+26+ccx@7"
    site.take("enrollment", [enrollment(CARLOS, ccx)])
    site.take(
        "student_module",
        [
            module(
                CARLOS,
                "",
                2.0,
                3.0,
                course=ccx,
                module_id="ccx-block-v1:edX+X+26+ccx@7+type@problem+block@p1",
            )
        ],
    )
    site.derive()
    equal(site.data(CARLOS, ccx), (2, 6, 1, 2, 0.5), "ccx")
    site.take("course_block", structure("V2", "2026-04-12T01:00:00Z", p2=5.0))
    equal(site.derive()["keys_touched"], 4, "the course's structure touches the ccx")
    equal(site.data(CARLOS, ccx), (2, 8, 1, 2, 0.5), "ccx by the new structure")
    site.verify()


@test
def a_coached_course_may_leave_the_structure_of_its_course_for_one_without_points():
    site, ccx = Site().base(), "ccx-v1:edX+X+26+ccx@7"
    site.take("enrollment", [enrollment(CARLOS, ccx)])
    site.derive()
    equal(site.data(CARLOS, ccx), (0, 7, 0, 2, 0), "by the structure of the course")
    own = structure("C1", "2026-04-01T00:00:00Z")[0]
    key = "ccx-block-v1:edX+X+26+ccx@7+type@course+block@course"
    site.take("course_block", [{**own, "course_id": ccx, "usage_key": key}])
    site.derive()
    equal(site.data(CARLOS, ccx), (0, 0, 0, 0, 0), "by its own")
    site.verify()


@test
def a_block_of_the_old_spelling_counts_only_where_the_structure_has_it():
    site = Site().base()
    old = module(CARLOS, "", 1.0, 3.0, module_id="i4x://edX/X/problem/p1")
    site.take("student_module", [module(CARLOS, "p1", 2.0, 3.0), old, {**old, "student_id": LYLA}])
    site.derive()
    equal((site.data(CARLOS), site.data(LYLA)), ((2, 6, 1, 2, 0.5), (0, 7, 0, 2, 0)), "points")
    equal(site.value_of(LYLA, "last_activity_on"), "2026-04-11T12:00:00+00:00", "activity")
    site.verify()


@test
def an_enrollment_without_structure_has_no_points_and_no_error():
    site = Site()
    site.take("enrollment", [enrollment(CARLOS)])
    site.derive()
    equal(site.data(CARLOS), (0, 0, 0, 0, 0), "no structure")


@test
def an_enrollment_that_is_deleted_loses_its_row():
    site = Site().base()
    site.derive()
    site.take(
        "enrollment",
        [
            {
                "user_id": CARLOS,
                "course_id": COURSE,
                "deleted": True,
                "history_date": "2026-04-12T10:00:00Z",
            }
        ],
    )
    equal(site.derive()["rows_deleted"], 1, "rows_deleted")
    equal((site.data(CARLOS), site.metric("2026-04-12", "enrollment_count")), (None, (2,)), "gone")
    site.verify()


@test
def activity_before_its_enrollment_is_counted_when_that_arrives():
    site = Site()
    site.take("student_module", [module(CARLOS, "p1", 2.0, 3.0)])
    site.derive()
    equal(site.data(CARLOS), None, "no enrollment yet")
    site.base()
    site.derive()
    equal(site.data(CARLOS), (2, 6, 1, 2, 0.5), "with enrollment")


@test
def a_run_as_of_an_earlier_day_repairs_the_later_days_that_have_their_rows():
    site = Site().base()
    site.derive(as_of="2026-04-12")
    site.take("enrollment", [enrollment(CARLOS, is_active=0, history_date="2026-04-01T00:00:00Z")])
    site.derive(as_of="2026-04-05")
    equal(site.metric("2026-04-12", "enrollment_count"), (2,), "a day after the run's")
    site.take("enrollment", [enrollment(LYLA, is_active=0, history_date="2026-04-10T00:00:00Z")])
    site.derive(as_of="2026-04-12")
    equal(site.metric("2026-04-09", "enrollment_count"), (2,), "a day before both")
    equal(site.metric("2026-04-12", "enrollment_count"), (1,), "both have left")


@test
def staff_of_a_course_do_not_count_as_its_learners():
    site = Site().base()
    site.derive()
    site.take(
        "course_access_role",
        [
            {"user_id": CARLOS, "org": "edX", "course_id": "", "role": "staff"},
            {"user_id": LYLA, "org": "edX", "course_id": COURSE, "role": "beta_testers"},
        ],
    )
    equal(site.derive()["keys_touched"], 1, "whose mark changed")
    equal(site.metric("2026-04-12", "enrollment_count"), (2,), "enrollments")


@test
def a_day_of_a_year_that_is_far_ahead_is_refused_before_anything_is_written():
    site = Site().base()
    before = site.sql.number("SELECT count(*) FROM etl.batch")
    run = site.derive(as_of="2626-04-12", expect=64)
    contains(run.error, "more than a year ahead", "the error")
    equal(site.sql.number("SELECT count(*) FROM etl.batch"), before, "batches")


@test
def completion_keeps_its_first_date_and_counts_days():
    site = Site().base()
    site.take(
        "student_module",
        [
            module(CARLOS, "p1", 4.0, 4.0, "2026-02-10T08:00:00Z"),
            module(CARLOS, "p2", 3.0, 3.0, "2026-02-11T08:00:00Z"),
        ],
    )
    site.derive(as_of="2026-02-12")
    equal(
        (site.value_of(CARLOS, "is_completed"), site.value_of(CARLOS, "first_completed_on")),
        (True, "2026-02-11"),
        "completed",
    )
    equal(
        [site.metric(day, "completions, days_to_complete") for day in ("2026-02-10", "2026-02-11")],
        [(0, None), (1, 10)],
        "completions",
    )
    site.take(
        "course_block",
        structure(
            "V2",
            "2026-04-01T00:00:00Z",
            extra=[(("p9", "problem", "s3", 9), {"has_score": True, "max_score": 2.0})],
        ),
    )
    site.derive(as_of="2026-04-02")
    equal(
        (site.value_of(CARLOS, "is_completed"), site.value_of(CARLOS, "first_completed_on")),
        (False, "2026-02-11"),
        "new content un-completes, and the date stays",
    )


@test
def only_certificates_that_were_awarded_count():
    site = Site().base()
    site.take(
        "certificate",
        [
            {
                "user_id": CARLOS,
                "course_id": COURSE,
                "status": "downloadable",
                "created_date": "2026-03-01T10:00:00Z",
            },
            {
                "user_id": LYLA,
                "course_id": COURSE,
                "status": "notpassing",
                "created_date": "2026-03-01T10:00:00Z",
            },
        ],
    )
    site.derive()
    equal(
        [site.metric(day, "certificates") for day in ("2026-02-28", "2026-03-01")],
        [(0,), (1,)],
        "certificates",
    )
    site.take(
        "certificate",
        [
            {
                "user_id": CARLOS,
                "course_id": COURSE,
                "status": "unavailable",
                "created_date": "2026-03-01T10:00:00Z",
            }
        ],
    )
    site.derive()
    equal(site.metric("2026-03-01", "certificates"), (0,), "revoked")


@test
def containers_are_activity_unless_they_are_left_out():
    site = Site().base()
    loaded = site.load(
        "student_module",
        [
            module(CARLOS, "s1", kind="sequential", state='{"position": 2}'),
            module(LYLA, "p1", 1.0, 4.0),
        ],
    )
    site.transform("student_module", loaded, "--activity-types", "problem, video")
    equal(
        site.sql.tuples("SELECT user_id FROM warehouse.learner_activity_fact"), [(LYLA,)], "active"
    )
    equal(
        site.sql.tuples(
            "SELECT position, attempts FROM warehouse.student_module_fact ORDER BY user_id"
        ),
        [(2, None), (None, 1)],
        "what is taken from the state",
    )


@test
def no_state_an_empty_state_and_a_state_are_told_apart():
    site = Site()
    site.take(
        "student_module",
        [
            module(CARLOS, "p1", state=None),
            module(LYLA, "p1", state="{ }"),
            module(MINA, "p1", state={"seed": 1}),
        ],
    )
    equal(
        site.sql.tuples(
            "SELECT state_kind, has_state FROM warehouse.student_module_state ORDER BY user_id"
        ),
        [("null", False), ("empty", False), ("object", True)],
        "states",
    )
    loaded = site.load(
        "student_module",
        [
            module(CARLOS, "p1", state="[1]"),
            module(LYLA, "p1", state='{"a": NaN}'),
            module(MINA, "p1", state=7),
        ],
    )
    equal(
        site.sql.tuples("SELECT reason, column_name FROM etl.rejected_row"),
        [("state_not_json", "state")] * 3,
        "rejects",
    )
    equal(loaded["rows_rejected"], 3, "rows_rejected")


@test
def nothing_zero_and_an_empty_state_are_three_changes():
    # PostgreSQL hashes a float's zero and an empty jsonb to the seed, and NULL to zero
    site = Site()
    for grade, max_grade, state in ((None, None, None), (0.0, 0.0, None), (0.0, 0.0, "{}")):
        loaded = site.load("student_module", [module(CARLOS, "p1", grade, max_grade, state=state)])
        site.transform("student_module", loaded)
        equal(
            site.sql.tuples("""
                SELECT grade, max_grade, state_kind, batch_id
                  FROM warehouse.student_module_fact"""),
            [(grade, max_grade, "empty" if state else "null", int(loaded["batch_id"]))],
            "the fact after a later read of the same modification time",
        )


TSV = """id\tmodule_type\tmodule_id\tstudent_id\tstate\tgrade\tcreated\tmodified\tmax_grade\tdone\t\
course_id
96116\tproblem\tblock-v1:edX+X+26+type@problem+block@p1\t101\t\
{"attempts": 1, "student_answers": {"p1_2_1": "x\\\\ny"}}\
\t2\t2026-03-04 14:28:34.000000\t2026-04-11 18:47:43.120000\t3\tna\tcourse-v1:edX+X+26
96117\tsequential\ti4x://edX/E929/sequential/intro\t101\t{"position": 1}\tNULL\t\
2014-03-04 14:28:28\t2014-03-04 14:28:28\tNULL\tna\tedX/E929/2014_T1
"""


@test
def what_mysql_prints_is_taken_as_it_is():
    site = Site().base()
    path = os.path.join(site.folder, "modules.tsv")
    with open(path, "w", encoding="utf-8") as file:
        file.write(TSV)
    loaded = site.run("load-staging", "student_module", "--source", path)
    equal((loaded["rows_staged"], loaded["rows_rejected"]), (2, 0), "TSV")
    site.transform("student_module", loaded)
    equal(
        site.sql.tuples(
            "SELECT grade, max_grade, attempts, position, modified_on"
            " FROM warehouse.student_module_fact ORDER BY source_id"
        ),
        [
            (2, 3, 1, None, "2026-04-11T18:47:43.12+00:00"),
            (None, None, None, 1, "2014-03-04T14:28:28+00:00"),
        ],
        "facts",
    )


@test
def a_platform_on_postgresql_is_read_by_its_own_tables():
    site, source = Site(), Platform()
    source.sql.run(f"""
        INSERT INTO auth_user (id, username, date_joined) VALUES (101, 'carlos', '2026-01-15Z');
        INSERT INTO student_courseenrollment (id, course_id, created, is_active, mode, user_id)
            VALUES (1, '{COURSE}', '2026-02-01 09:00Z', true, 'audit', 101), (2, 'broken',
            '2026-02-01Z', true, 'x', 101);
        INSERT INTO student_courseaccessrole (org, course_id, role, user_id) VALUES ('edX', '',
        'staff', 900), ('edX', '', 'staff', 901);
        INSERT INTO certificates_generatedcertificate (course_id, status, created_date, user_id)
            VALUES ('{COURSE}', 'downloadable', '2026-03-01Z', 101);
        INSERT INTO courseware_studentmodule (id, module_type, module_id, student_id, state, grade,
        created, modified,
            max_grade, course_id) VALUES (5, 'problem', '{usage('p1')}', 101, E'{{"attempts": 2,
            "a": "x\\\\\\\\ny\\\\"z"}}', 2,
            '2026-03-01Z', '2026-03-02Z', 3, '{COURSE}');
        INSERT INTO coursewarehistoryextended_studentmodulehistoryextended (id, created, state,
        grade, max_grade,
            student_module_id) VALUES (9, '2026-03-01Z', '{{"attempts": 1}}', 1, 3, 5)""")
    site.take("course_block", structure())
    seen = {}
    for feed in (
        "learner",
        "course_access_role",
        "enrollment",
        "certificate",
        "student_module",
        "student_module_history",
    ):
        loaded = site.load_from(feed, [source])
        seen[feed] = (loaded["rows_staged"], loaded["rows_rejected"])
        site.transform(feed, loaded)
    equal(
        seen,
        {
            "learner": (1, 0),
            "course_access_role": (2, 0),
            "enrollment": (1, 1),
            "certificate": (1, 0),
            "student_module": (1, 0),
            "student_module_history": (1, 0),
        },
        "staged, rejected",
    )
    site.derive()
    equal(site.data(CARLOS), (2, 6, 1, 2, 0.5), "Carlos")
    equal(site.sql.tuples("SELECT attempts FROM warehouse.student_module_fact"), [(2,)], "attempts")
    source.sql.run(
        "DELETE FROM student_courseaccessrole WHERE user_id = 900;"
        " UPDATE student_courseenrollment SET is_active = false;"
        " UPDATE courseware_studentmodule SET grade = 3, modified = now()"
    )
    for feed in ("course_access_role", "enrollment", "student_module"):
        site.take_from(feed, [source])
    equal(
        site.sql.tuples("SELECT deleted FROM warehouse.course_access_role_dim ORDER BY user_id"),
        [(True,), (False,)],
        "role is gone",
    )
    equal(site.sql.number("SELECT count(*) FROM warehouse.enrollment_event_fact"), 2, "events")
    site.derive(as_of=None)
    equal(
        (site.value_of(CARLOS, "is_enrolled"), site.data(CARLOS)),
        (False, (3, 6, 1, 2, 0.5)),
        "after the change",
    )
    check(
        site.run("load-staging", "course_block", "--source", source.spec, expect=64).error,
        "no course_block there",
    )


@for_each(list(permutations(range(3))))
def snapshots_tell_the_same_in_whatever_order_they_are_transformed(order):
    site, source = Site(), Platform()
    source.sql.run(f"""
        INSERT INTO student_courseenrollment (id, course_id, created, is_active, mode, user_id)
            VALUES (1, '{COURSE}', '2026-02-01 09:00Z', true, 'audit', 101)""")
    loaded = []
    for is_active in (True, False, True):
        source.sql.run(f"UPDATE student_courseenrollment SET is_active = {is_active}")
        loaded.append(site.load_from("enrollment", [source]))
    for place in order:
        site.transform("enrollment", loaded[place])
    equal(
        site.sql.tuples("SELECT is_active FROM warehouse.enrollment_event_fact ORDER BY event_on"),
        [(True,), (False,), (True,)],
        "events",
    )
    first, *later = site.sql.tuples(
        "SELECT event_on, version_time FROM warehouse.enrollment_event_fact ORDER BY event_on"
    )
    equal(first[0], "2026-02-01T09:00:00+00:00", "the first tells of the enrollment itself")
    check(all(on == read for on, read in later), f"the others are of their reads: {later}")
    site.derive(as_of=None)
    today = site.sql.tuples(
        "SELECT enrollment_count FROM warehouse.course_daily_metrics"
        " ORDER BY metric_date DESC LIMIT 1"
    )
    equal((site.value_of(CARLOS, "is_enrolled"), today), (True, [(1,)]), "now")


if __name__ == "__main__":
    main()
