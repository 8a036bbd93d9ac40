#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Defects of the original warehouse that must not come back: sources, staging, dimensions."""

import os
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import documents as doc  # noqa: E402
from factline import Warehouse, backends  # noqa: E402
from harness import check, contains, equal, main, test, wait_until  # noqa: E402
from source import SourceDatabase  # noqa: E402

MARCH, APRIL, MAY = "2024-03-10T00:00:00Z", "2024-04-10T00:00:00Z", "2024-05-10T00:00:00Z"
NO_OVERLAP = ("--overlap", "0s")


def states(warehouse):
    return dict(warehouse.sql.tuples("SELECT form_id, state FROM warehouse.form_fact"))


@test
def defect_1_archiving_and_undeleting_moved_no_window_column_and_facts_stayed_wrong_for_good():
    warehouse, source = Warehouse(), SourceDatabase()
    source.add_form("archived", MARCH)
    source.add_form("undeleted", MARCH, deleted_on=APRIL)
    source.add_form("unarchived", MARCH, state=2)
    warehouse.take_from("form", [source])
    source.archive("archived")
    source.change_form("undeleted", deleted_on=None)
    source.unarchive("unarchived")
    warehouse.take_from("form", [source], *NO_OVERLAP)
    equal(states(warehouse), {"archived": 2, "undeleted": 1, "unarchived": 1}, "states")
    equal(
        warehouse.sql.number(
            "SELECT count(*) FROM warehouse.form_fact WHERE deleted_on IS NOT" " NULL"
        ),
        0,
        "deleted",
    )


@test
def defect_2_the_state_was_not_copied_and_all_staged_forms_said_normal():
    warehouse, source = Warehouse(), SourceDatabase()
    for state in (1, 2, 4, 8, 16, 32, 65):
        source.add_form(f"s{state}", MARCH, state=state)
    warehouse.take_from("form", [source])
    warehouse.take(
        "form", [doc.form(f"file{state}", MARCH, state=state) for state in (1, 2, 4, 8, 16, 32, 65)]
    )
    equal(
        states(warehouse),
        {f"{name}{state}": state for state in (1, 2, 4, 8, 16, 32, 65) for name in ("s", "file")},
        "states",
    )


@test
def defect_3_a_deprecated_copy_shares_user_app_and_time_and_an_arbitrary_one_won():
    warehouse, source = Warehouse(), SourceDatabase()
    source.add_form("a-live", MARCH, build_id="new-build")
    source.add_form("z-copy", MARCH, state=4, orig_id="a-live", build_id="old-build")
    warehouse.take_from("form", [source])
    warehouse.app_status()
    equal([row[2] for row in warehouse.status_rows()], ["a-live"], "the form of the row")


@test
def defect_4_stamps_precede_their_commit_and_late_commits_were_lost():
    warehouse, source = Warehouse(), SourceDatabase()
    writer = source.session()
    writer.run("BEGIN")
    source.add_form("late", session=writer)
    warehouse.take_from("form", [source])
    writer.run("COMMIT")
    warehouse.take_from("form", [source], *NO_OVERLAP)
    equal(states(warehouse), {"late": 1}, "facts")


@test
def defect_5_an_absent_property_became_null_and_one_breach_failed_the_whole_chunk():
    warehouse = Warehouse()
    bare = {"_id": "bare", "_rev": "1", "doc_type": "Group", "domain": "river", "name": "Bare"}
    run = warehouse.load("group", [bare, {"_id": "", "doc_type": "Group"}, doc.group("whole")])
    equal((run["rows_staged"], run["rows_rejected"]), (2, 1), "counts")
    warehouse.transform("group", run)
    equal(
        warehouse.sql.tuples(
            "SELECT user_ids, removed_user_ids, reporting, case_sharing FROM"
            " warehouse.group_dim"
            " WHERE group_id = 'bare'"
        ),
        [([], [], True, False)],
        "defaults of the model",
    )
    warehouse.take("domain", [{"_id": "d", "doc_type": "Domain", "name": "river"}])
    equal(
        warehouse.sql.tuples("""SELECT is_test, default_timezone, is_active, commtrack_enabled
                                    FROM warehouse.domain_dim WHERE id > 0"""),
        [(False, "UTC", False, False)],
        "defaults of a project",
    )


@test
def defect_6_documents_without_last_modified_were_never_loaded():
    warehouse = Warehouse()
    run = warehouse.take("user", [doc.user("timeless", ...), doc.user("null-time", None)])
    equal(run["rows_inserted"], 2, "rows_inserted")
    equal(
        warehouse.sql.tuples("SELECT DISTINCT version_time FROM warehouse.user_dim WHERE id > 0"),
        [("-infinity",)],
        "the beginning of time",
    )
    warehouse.take("user", [doc.user("timeless", ..., first_name="Later")])
    equal(
        warehouse.sql.value(
            "SELECT first_name FROM warehouse.user_dim WHERE user_id =" " 'timeless'"
        ),
        "Later",
        "the later read wins",
    )


@test
def defect_7_a_commcare_version_of_more_than_eight_letters_failed_the_task():
    warehouse, version = Warehouse(), "2.53.0-beta.20240310.very.long.indeed"
    warehouse.take("form", [doc.form("f1", commcare_version=version)])
    warehouse.app_status()
    equal(
        warehouse.sql.value("SELECT last_form_commcare_version FROM warehouse.app_status_fact"),
        version,
        "version",
    )


@test
def defect_8_a_crash_left_partial_staging_that_later_steps_read():
    warehouse, source = Warehouse(), SourceDatabase()
    source.sql.run("""INSERT INTO form_processor_xforminstancesql (form_id, domain, xmlns,
                        received_on)
                      SELECT 'f' || n, 'river', 'x', '2024-03-01Z' FROM generate_series(1,
                        50000) AS n""")
    process = warehouse.start("load-staging", "form", "--source", source.spec, "--run-key", "k")
    wait_until(
        lambda: backends(source.name, "load-staging%") > 0 or process.process.poll() is not None,
        "the copy",
    )
    process.signal(signal.SIGKILL)
    process.wait()
    wait_until(lambda: backends(warehouse.name) == 0, "the killed load's session to end")
    check(
        warehouse.sql.number("SELECT count(*) FROM staging.form") in (0, 50000),
        "partial staging is visible",
    )
    if warehouse.sql.number("SELECT count(*) FROM staging.form") == 0 and warehouse.sql.number(
        "SELECT count(*) FROM etl.batch"
    ):
        warehouse.run("transform-fact", "form", "--run-key", "k", expect=65)
    equal(warehouse.load_from("form", [source], key="k")["rows_staged"], 50000, "the retry")


@test
def defect_9_transforms_read_all_of_staging_and_foreign_rows_got_the_running_batch():
    warehouse = Warehouse()
    one, two = warehouse.load("user", [doc.user("one")]), warehouse.load("user", [doc.user("two")])
    warehouse.transform("user", two)
    equal(
        warehouse.sql.tuples("SELECT user_id, batch_id FROM warehouse.user_dim WHERE id > 0"),
        [("two", int(two["batch_id"]))],
        "users",
    )
    warehouse.transform("user", one)
    equal(
        warehouse.sql.value("SELECT batch_id FROM warehouse.user_dim WHERE user_id = 'one'"),
        one["batch_id"],
        "batch",
    )


@test
def defect_10_sync_logs_expire_and_an_outage_beyond_that_lost_syncs_unseen():
    warehouse, source = Warehouse(), SourceDatabase()
    source.add_synclog(1)
    first = warehouse.load_from("synclog", [source])
    warehouse.transform("synclog", first)
    warehouse.run("batch-status", "synclog", "--max-lag", "1h")
    warehouse.sql.run(
        "UPDATE etl.batch_source SET until = until - interval '70 days';"
        "UPDATE etl.batch SET until = until - interval '70 days'"
    )
    warehouse.run("batch-status", "synclog", "--max-lag", "30d", expect=79)
    run = warehouse.load_from("synclog", [source], *NO_OVERLAP)
    equal(
        warehouse.sql.value(
            f"SELECT timestamptz '{run['until']}' - timestamptz '{run['since']}'"
            f" > interval '69 d'"
        ),
        "t",
        "the window covers the outage",
    )


@test
def defect_11_other_spellings_of_the_same_time_reloaded_or_slipped():
    warehouse = Warehouse()
    spellings = [
        "2024-03-01T12:00:00Z",
        "2024-03-01T12:00:00.000000Z",
        "2024-03-01T12:00:00",
        "2024-03-01 12:00:00",
        "2024-03-01T17:30:00+05:30",
        "2024-03-01T12:00:00.0+00:00",
        "2024-03-01T07:00:00-0500",
    ]
    users = [doc.user(f"u{number}", text) for number, text in enumerate(spellings)]
    run = warehouse.load("user", users, "--since", spellings[0], "--until", "2024-03-02")
    equal(run["rows_staged"], 0, "rows of a window that starts there")
    run = warehouse.load("user", users, "--since", "2024-02-28", "--until", spellings[4])
    equal(run["rows_staged"], len(spellings), "rows of a window that ends there")
    equal(
        warehouse.sql.tuples("SELECT DISTINCT version_time FROM staging.user"),
        [("2024-03-01T12:00:00+00:00",)],
        "times",
    )


@test
def defect_12_values_were_spliced_into_sql_text():
    warehouse = Warehouse()
    evil = "'; DROP TABLE warehouse.form_fact; -- $1 %s {0} \\"
    warehouse.take(
        "form", [doc.form(evil, user_id=evil, app_id=evil, build_id=evil, domain=evil, xmlns=evil)]
    )
    warehouse.take(
        "user",
        [doc.user(evil, username=evil, domain=evil, assigned_location_ids=[evil, '{"a",b}'])],
    )
    warehouse.take("group", [doc.group(evil, [evil])])
    warehouse.app_status()
    equal(
        warehouse.sql.tuples("SELECT form_id, user_id FROM warehouse.form_fact"),
        [(evil, evil)],
        "facts",
    )
    equal(warehouse.report("user_id, username, application_id"), [(evil, evil, evil)], "report")
    for option in ("--run-key", "--batch-id", "--source"):
        warehouse.run("load-staging", "form", option, evil + "=", expect=64)


@test
def defect_13_replaying_an_old_batch_rewound_dimensions():
    warehouse = Warehouse()
    old = warehouse.load("user", [doc.user("asha", MARCH, first_name="Old")])
    warehouse.take("user", [doc.user("asha", APRIL, first_name="New")])
    equal(warehouse.transform("user", old)["rows_older"], 1, "rows_older")
    warehouse.take("user", [doc.user("asha", MARCH, first_name="Old")])
    equal(
        warehouse.sql.value("SELECT first_name FROM warehouse.user_dim WHERE id > 0"),
        "New",
        "first_name",
    )


@test
def defect_14_a_project_made_again_under_its_name_broke_the_form_facts():
    warehouse = Warehouse()
    warehouse.take(
        "domain",
        [
            doc.domain("dom1", "river", MARCH, doc_type="Domain-Deleted"),
            doc.domain("dom2", "river", APRIL),
        ],
    )
    equal(
        warehouse.take("form", [doc.form("f1"), doc.form("f2")])["rows_inserted"],
        2,
        "rows_inserted",
    )


@test
def defect_15_an_unexpected_type_gave_null_and_the_whole_load_failed():
    warehouse = Warehouse()
    run = warehouse.load(
        "user",
        [
            doc.user("good"),
            doc.user("odd", doc_type="SomethingNew"),
            doc.user("odder", base_doc="CouchUser-Undead"),
            doc.user("oddest", doc_type=None),
        ],
    )
    equal((run["rows_staged"], run["rows_skipped"] + run["rows_rejected"]), (1, 3), "counts")
    equal(
        warehouse.load("domain", [doc.domain(is_test="sometimes"), doc.domain("d2", "hill")])[
            "rows_staged"
        ],
        1,
        "projects",
    )


@test
def defect_16_a_moved_parent_left_descendants_stale_and_a_circle_never_ended():
    warehouse, source = Warehouse(), SourceDatabase()
    source.add_location("state", 1)
    source.add_location("other", 2)
    source.add_location("village", 3, 1)
    source.add_location("house", 4, 3)
    warehouse.take_from("location", [source])
    source.sql.run("""UPDATE locations_sqllocation SET parent_id = 2,
                        last_modified = clock_timestamp()
                       WHERE location_id = 'village'""")
    warehouse.take_from("location", [source], *NO_OVERLAP)
    root = """SELECT p.location_id FROM warehouse.location_dim AS l
                JOIN warehouse.location_dim AS p ON p.id = l.location_level_2
                  WHERE l.location_id = 'house'"""
    equal(warehouse.sql.value(root), "other", "the house's grandparent")
    source.sql.run("""UPDATE locations_sqllocation SET parent_id = 4,
                        last_modified = clock_timestamp()
                       WHERE location_id = 'other'""")
    warehouse.take_from("location", [source], *NO_OVERLAP)


@test
def defect_17_a_member_or_place_unknown_to_its_dimension_failed_the_task():
    warehouse = Warehouse()
    warehouse.take("group", [doc.group("north", ["nobody-yet"])])
    run = warehouse.take("user", [doc.user("asha", assigned_location_ids=["nowhere-yet"])])
    equal(run["members_inferred"] >= 1, True, "members_inferred")
    equal(
        warehouse.sql.tuples(
            "SELECT location_id, is_inferred FROM warehouse.location_dim WHERE" " id > 0"
        ),
        [("nowhere-yet", True)],
        "places",
    )


@test
def defect_18_a_group_or_place_without_its_time_failed():
    warehouse = Warehouse()
    equal(
        warehouse.take("group", [doc.group("north", last_modified=...)])["rows_inserted"],
        1,
        "groups",
    )
    place = doc.location(last_modified=..., location_type_last_modified=...)
    equal(warehouse.take("location", [place])["rows_inserted"], 1, "places")
    equal(
        warehouse.take("application", [doc.app(last_modified=None)])["rows_inserted"],
        1,
        "applications",
    )


@test
def defect_19_membership_tables_needed_this_batch_s_staging_still_in_place():
    warehouse = Warehouse()
    loaded = warehouse.load(
        "group", [doc.group("north", ["asha", "ben"]), doc.group("south", ["asha"])]
    )
    warehouse.sql.run("DELETE FROM staging.group WHERE group_id = 'south'")
    contains(
        warehouse.transform("group", loaded, expect=65).error, "load-staging again", "the remedy"
    )
    equal(warehouse.sql.number("SELECT count(*) FROM warehouse.user_group_dim"), 0, "memberships")


if __name__ == "__main__":
    main()
