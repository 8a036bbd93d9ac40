#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The golden scenarios of enrollment data, by their numbers. With --show each compared value is
printed,
expected and seen."""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "lib"))
import harness  # noqa: E402
from harness import contains, main, test  # noqa: E402
from learning import COURSE, Site, enrollment, module, structure, usage  # noqa: E402

CARLOS, LYLA, MINA = 101, 102, 103
UNTOUCHED = (0, 7, 0, 2, 0)
P1_DONE = (2, 6, 1, 2, 0.5)  # 2/3 of p1, 0/3 of p2


def equal(seen, expected, what):
    if "--show" in sys.argv:
        print(f"    {what}: expected {expected!r}, seen {seen!r}")
    harness.equal(seen, expected, what)


def both_scored(site):
    site.take("student_module", [module(CARLOS, "p1", 2.0, 3.0), module(LYLA, "p1", 3.0, 4.0)])


@test
def scenario_1_those_without_a_score_see_the_published_maximum():
    site = Site().base()
    both_scored(site)
    site.derive()
    equal(
        [site.data(user) for user in (CARLOS, LYLA, MINA)],
        [P1_DONE, (3, 7, 1, 2, 0.5), UNTOUCHED],
        "1 V1",
    )
    equal(
        site.metric(
            "2026-04-12",
            "average_progress_active, progress_active_n, round(average_progress_all, 6),"
            " progress_all_n",
        ),
        (0.5, 2, 0.333333, 3),
        "1 averages",
    )
    site.take("course_block", structure("V2", "2026-04-12T01:00:00Z", p1=5.0))
    run = site.derive()
    equal(
        (run["keys_touched"], run["rows_updated"], run["rows_unchanged"]),
        (3, 1, 2),
        "1 V2 touched, changed, same",
    )
    equal(
        [site.data(user) for user in (CARLOS, LYLA, MINA)],
        [P1_DONE, (3, 7, 1, 2, 0.5), (0, 8, 0, 2, 0)],
        "1 V2",
    )
    site.take("course_block", structure("V3", "2026-04-12T02:00:00Z", p1=5.0, p1_name="renamed"))
    run = site.derive()
    equal(run["keys_touched"], 0, "1 V3 recomputed")
    site.verify()


@test
def scenario_2_a_grade_without_maximum_is_no_score():
    site = Site().base()
    site.take("student_module", [module(CARLOS, "p1", 1.0, None)])
    site.derive()
    equal(site.data(CARLOS), UNTOUCHED, "2")
    equal(site.metric("2026-04-11", "active_learners"), (1,), "2 active")


@test
def scenario_3_a_maximum_without_grade_is_zero_earned():
    site = Site().base()
    site.take("student_module", [module(CARLOS, "p2", None, 3.0)])
    site.derive()
    equal(site.data(CARLOS), UNTOUCHED, "3")


@test
def scenario_4_a_weight_scales_both_points_unless_nothing_is_possible():
    site = Site()
    site.base()
    site.take("course_block", structure("V2", "2026-01-21T00:00:00Z", weight=10.0))
    site.take("student_module", [module(CARLOS, "p2", 1.0, 4.0)])
    site.derive()
    equal(site.data(CARLOS), (2.5, 14, 1, 2, 0.5), "4a")
    site = Site()
    site.base()
    site.take("course_block", structure("V2", "2026-01-21T00:00:00Z", p2=0.0, weight=5.0))
    site.take("student_module", [module(CARLOS, "p2", 0.0, 0.0)])
    site.derive()
    equal(site.data(CARLOS), (0, 4, 0, 1, 0), "4b")


@test
def scenario_5_nothing_earned_is_nothing_completed():
    site = Site()
    site.base()
    site.take("course_block", structure("V2", "2026-01-21T00:00:00Z", without=("s2", "p2")))
    site.take("student_module", [module(CARLOS, "p1", 0.0, 4.0)])
    site.derive()
    equal(site.data(CARLOS), (0, 4, 0, 1, 0), "5")
    equal(site.value_of(CARLOS, "is_completed"), False, "5 completed")


@test
def scenario_6_leaving_a_course_keeps_its_points():
    site = Site().base()
    both_scored(site)
    site.derive()
    site.take("enrollment", [enrollment(CARLOS, is_active=0, history_date="2026-05-01T09:00:00Z")])
    run = site.derive(as_of="2026-05-02")
    equal(run["keys_touched"], 1, "6 touched")
    equal(
        (site.value_of(CARLOS, "is_enrolled"), site.data(CARLOS)),
        (False, P1_DONE),
        "6 enrolled, points",
    )
    equal(
        [site.metric(date, "enrollment_count") for date in ("2026-04-30", "2026-05-01")],
        [(3,), (2,)],
        "6 counts",
    )


@test
def scenario_7_a_batch_is_consumed_once_and_whole():
    site = Site().base()
    records = [module(CARLOS, "p1", 2.0, 3.0)]
    site.take("student_module", records)
    site.derive()
    site.take("student_module", records)
    run = site.derive(expect=0)
    equal((run["keys_touched"], len(run["batches"])), (0, 1), "7a touched, batches")
    ledger = """SELECT count(*) AS rows, count(DISTINCT source_batch_id) AS batches
        FROM etl.batch_consumption"""
    equal(site.sql.tuples(ledger), [(4, 4)], "7a ledger rows")
    equal(site.derive()["status"], "nothing-to-do", "7b")


@test
def scenario_7c_killed_before_the_end_it_leaves_nothing():
    site, clean = Site().base(), Site().base()
    for each in (site, clean):
        both_scored(each)
    clean.derive()
    holder = site.session()
    holder.run("BEGIN; LOCK TABLE warehouse.course_daily_metrics")
    process = site.start(
        "enrollment-data-from-fact", "--as-of", "2026-04-12", "--run-key", "killed"
    )
    harness.wait_until(
        lambda: site.sql.number(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE wait_event_type = 'Lock' AND datname = current_database()"
        ),
        "the step at the metrics",
    )
    process.signal(9)
    process.wait()
    holder.run("ROLLBACK")
    harness.wait_until(
        lambda: not site.sql.number(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'enrollment-data%'"
            " AND datname = current_database()"
        ),
        "the end of its session",
    )
    left = (
        "SELECT (SELECT count(*) FROM etl.batch_consumption) AS ledger,"
        " (SELECT count(*) FROM warehouse.enrollment_data) AS rows"
    )
    equal(site.sql.tuples(left), [(0, 0)], "7c ledger and rows after the kill")
    site.derive("--run-key", "killed")
    rows = """SELECT user_id, points_earned, points_possible, sections_worked, sections_possible,
    is_completed
                FROM warehouse.enrollment_data ORDER BY user_id"""
    equal(site.sql.tuples(rows), clean.sql.tuples(rows), "7c rerun and clean run")


@test
def scenario_8_a_batch_that_completes_late_is_consumed_late():
    site = Site().base()
    site.derive()
    seventh = site.load("student_module", [module(CARLOS, "p1", 2.0, 3.0)])
    eighth = site.load("student_module", [module(LYLA, "p1", 3.0, 4.0)])
    site.transform("student_module", eighth)
    equal(site.derive()["batches"], [eighth["batch_id"]], "8 first run consumes")
    site.transform("student_module", seventh)
    equal(site.derive()["batches"], [seventh["batch_id"]], "8 next run consumes")
    equal(site.data(CARLOS), P1_DONE, "8 Carlos")


@test
def scenario_9_the_greater_version_wins_then_the_later_line():
    site = Site().base()
    site.take("student_module", [module(CARLOS, "p1", 2.0, 4.0, "2026-04-11T12:00:00Z")])
    run = site.take("student_module", [module(CARLOS, "p1", 1.0, 4.0, "2026-04-11T11:59:59Z")])
    equal(run["rows_older"], 1, "9a rows_older")
    later = [module(CARLOS, "p1", 3.0, 4.0, "2026-04-11T12:00:00Z")]
    run = site.take("student_module", later)
    equal(run["rows_updated"], 1, "9b rows_updated")
    batch = run["batch_id"]
    run = site.take("student_module", later)
    equal(run["rows_unchanged"], 1, "9c rows_unchanged")
    equal(
        site.sql.tuples("SELECT grade, batch_id::text FROM warehouse.student_module_fact"),
        [(3, batch)],
        "9c grade, batch",
    )


@test
def scenario_10_keys_are_parsed_and_libraries_kept_apart():
    site = Site().base()
    site.derive()
    demo = "course-v1:edX+DemoX+R"
    too_long = "course-v1:a+b+" + "x" * 242
    loaded = site.load(
        "student_module",
        [
            module(
                CARLOS,
                "",
                1.0,
                1.0,
                module_id="lib-block-v1:U+P+type@problem+block@q",
                course="library-v1:U+P",
            ),
            module(CARLOS, "", 1.0, 1.0, module_id="lb:M:b:problem:q", course="lib:M:b"),
            module(CARLOS, "", 1.0, 1.0, module_id="block-v1:edX+DemoX+R", course=demo),
            module(CARLOS, "", 1.0, 1.0, module_id="block-v1:edX+DemoX+R+block@abc", course=demo),
            module(CARLOS, "", 1.0, 1.0, module_id=usage("p", course=demo), course=too_long),
            module(CARLOS, "p", 1.0, 1.0, course=demo, module_id=usage("p", course=demo) + "\n"),
        ],
    )
    equal((loaded["rows_staged"], loaded["rows_rejected"]), (3, 3), "10 staged, rejected")
    contains(loaded.stderr, "key_trimmed", "10f the log")
    equal(
        site.sql.tuples("SELECT reason FROM etl.rejected_row ORDER BY position"),
        [("invalid_usage_key",), ("usage_key_missing_type",), ("key_too_long",)],
        "10 reasons",
    )
    run = site.transform("student_module", loaded)
    contains(run.stderr, "library_row=2", "10ab the log")
    equal(run["rows_inserted"], 3, "10 fact rows")
    run = site.derive()
    equal(
        site.sql.number("SELECT count(*) FROM warehouse.enrollment_data"), 3, "10 enrollment data"
    )


@test
def scenario_11_the_same_old_key_in_two_runs_is_two_blocks():
    site = Site()
    site.take(
        "student_module",
        [
            module(
                CARLOS,
                "",
                1.0,
                2.0,
                module_id="i4x://edX/DemoX/problem/abc",
                course=f"edX/DemoX/{year}",
            )
            for year in (2013, 2014)
        ],
    )
    equal(
        site.sql.tuples(
            "SELECT (SELECT count(*) FROM warehouse.block_dim WHERE id > 0) AS blocks,"
            " (SELECT count(*) FROM warehouse.student_module_fact) AS rows"
        ),
        [(2, 2)],
        "11 blocks, rows",
    )


@test
def scenario_12_crawlers_are_skipped_by_trimmed_prefix():
    site = Site()
    agents = ["edX-downloader/0.01", "bot/1", "edx-downloader/1", "Mozilla/5.0", None]
    loaded = site.load(
        "student_module",
        [
            {**module(200 + number, "p1", 1.0, 4.0), **({"user_agent": agent} if agent else {})}
            for number, agent in enumerate(agents)
        ],
        "--crawler-agents",
        "edX-downloader, bot,",
    )
    equal((loaded["rows_skipped"], loaded["rows_staged"]), (2, 3), "12 skipped, staged")


@test
def scenario_13_yesterdays_activity_outlives_todays():
    site = Site().base()
    for time in ("2026-04-11T23:50:00Z", "2026-04-12T00:30:00Z"):
        site.take(
            "student_module", [module(CARLOS, "p1", 1.0, 4.0, time, created="2026-04-11T23:50:00Z")]
        )
    site.derive(as_of="2026-04-13")
    equal(
        site.sql.number("SELECT count(*) FROM warehouse.learner_activity_fact"),
        2,
        "13 activity rows",
    )
    equal(
        [site.metric(day, "active_learners, mau_to_date") for day in ("2026-04-11", "2026-04-12")],
        [(1, 1), (1, 1)],
        "13 DAU, MAU",
    )
    equal(
        site.sql.tuples("SELECT active_learners FROM warehouse.site_monthly_metrics"),
        [(1,)],
        "13 April MAU",
    )


@test
def scenario_13_one_extraction_shows_one_day_unless_history_tells():
    site = Site().base()
    late = module(CARLOS, "p1", 1.0, 4.0, "2026-04-12T00:30:00Z", created="2026-03-01T00:00:00Z")
    april = """SELECT activity_date FROM warehouse.learner_activity_fact
        WHERE activity_date > '2026-04-01' ORDER BY 1"""
    site.take("student_module", [late])
    equal(site.sql.tuples(april), [("2026-04-12",)], "13 one extraction")
    site.take(
        "student_module_history",
        [
            {
                "id": 7001,
                "student_module_id": late["id"],
                "created": "2026-04-11T23:50:00Z",
                "state": '{"attempts": 1}',
                "grade": 1.0,
                "max_grade": 4.0,
                "source_table": "csmhe",
            }
        ],
    )
    equal(site.sql.tuples(april), [("2026-04-11",), ("2026-04-12",)], "13 with history")


def randomised(site):
    library = usage("lc", "library_content")
    children = [
        (
            (f"c{number}", "problem", "lc", 10 + number),
            {"parent_kind": "library_content", "has_score": True, "max_score": 1.0},
        )
        for number in range(1, 7)
    ]
    site.base()
    site.take(
        "course_block",
        structure(
            "V2",
            "2026-01-21T00:00:00Z",
            without=("p2",),
            extra=[(("lc", "library_content", "s2", 9), {"extra": {"max_count": 2}})] + children,
        ),
    )
    return library


@test
def scenario_14_of_randomised_content_what_the_learner_was_shown_counts():
    site = Site()
    library = randomised(site)
    site.take(
        "student_module",
        [
            module(CARLOS, "c2", 1.0, 1.0),
            module(CARLOS, "c5", 0.0, 1.0),
            module(
                CARLOS,
                "lc",
                kind="library_content",
                module_id=library,
                state='{"selected": [["problem", "c2"], ["problem", "c5"]]}',
            ),
            module(LYLA, "c5", 0.0, 1.0),
        ],
    )
    site.derive()
    estimated = [site.value_of(user, "is_estimated") for user in (CARLOS, LYLA, MINA)]
    equal(
        [site.data(user) for user in (CARLOS, LYLA, MINA)],
        [(1, 6, 1, 2, 0.5), (0, 6, 0, 2, 0), (0, 6, 0, 2, 0)],
        "14 a b c",
    )
    equal(estimated, [False, True, True], "14 estimated")
    site.verify()


@test
def scenario_15_a_deleted_student_module_takes_its_points_along():
    site = Site().base()
    both_scored(site)
    site.derive()
    site.take(
        "student_module",
        [
            {
                "id": 96120,
                "deleted": True,
                "module_id": usage("p1"),
                "student_id": CARLOS,
                "course_id": COURSE,
                "modified": "2026-04-12T00:00:00Z",
            }
        ],
    )
    site.derive()
    equal(site.data(CARLOS), UNTOUCHED, "15")
    equal(
        site.sql.tuples(
            f"SELECT deleted_on FROM warehouse.student_module_fact WHERE user_id = {CARLOS}"
        ),
        [("2026-04-12T00:00:00+00:00",)],
        "15 deleted_on",
    )
    equal(site.metric("2026-04-11", "active_learners"), (2,), "15 activity stays")


@test
def scenario_16_history_is_upserted_and_attempts_are_distinct():
    site = Site().base()
    own = module(CARLOS, "p1", 1.0, 4.0)
    site.take("student_module", [own])

    def row(number, attempts, second, grade):
        return {
            "id": number,
            "student_module_id": own["id"],
            "created": f"2026-04-11T10:00:0{second}Z",
            "state": f'{{"attempts": {attempts}}}',
            "grade": grade,
            "max_grade": 4.0,
        }

    site.take(
        "student_module_history", [row(1, 1, "0", 1.0), row(2, 1, "0.2", 1.0), row(3, 2, "5", 2.0)]
    )
    counted = """SELECT count(*) AS rows, count(DISTINCT attempts) AS attempts, max(grade) FILTER
    (WHERE history_source_id = 3)
                   FROM warehouse.student_module_history_fact"""
    equal(site.sql.tuples(counted), [(3, 2, 2)], "16 rows, attempts, last grade")
    site.take("student_module_history", [row(3, 2, "5", 3.0)])
    equal(site.sql.tuples(counted), [(3, 2, 3)], "16 again")
    equal(
        site.sql.tuples("SELECT history_source_id FROM warehouse.student_module_score_history"),
        [(3,), (2,), (1,)],
        "16 newest first",
    )


if __name__ == "__main__":
    main()
