#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Defects of the original warehouse that must not come back: facts, app status, batches."""

import os
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import documents as doc  # noqa: E402
from factline import Warehouse, time_of, wait_for_lock  # noqa: E402
from harness import check, equal, main, test  # noqa: E402
from source import SourceDatabase  # noqa: E402

NO_OVERLAP = ("--overlap", "0s")


def day(number):
    return f"2024-03-{number:02d}T09:00:00Z"


def at(number):
    return f"2024-03-{number:02d}T09:00:00+00:00"


def status(warehouse):
    """(user, app, newest form, its time, newest sync)"""
    return warehouse.status_rows()


# ---- facts ----


@test
def defect_20_a_form_of_an_unknown_project_was_dropped_silently_for_good():
    warehouse = Warehouse()
    equal(
        warehouse.take("form", [doc.form("f1", domain="unheard-of")])["rows_inserted"],
        1,
        "rows_inserted",
    )
    equal(
        warehouse.sql.tuples("""SELECT d.domain, d.is_inferred FROM warehouse.form_fact AS f
                                    JOIN warehouse.domain_dim AS d ON d.id = f.domain_dim_id"""),
        [("unheard-of", True)],
        "the project",
    )


@test
def defect_21_a_form_of_an_unknown_user_lost_its_raw_user_id():
    warehouse = Warehouse()
    warehouse.take("form", [doc.form("f1", user_id="stranger")])
    equal(warehouse.sql.value("SELECT user_id FROM warehouse.form_fact"), "stranger", "user_id")


@test
def defect_22_four_columns_were_not_updated_and_stayed_stale_after_an_edit():
    warehouse = Warehouse()
    columns = {
        "time_start": day(1),
        "time_end": day(1),
        "commcare_version": "2.1",
        "app_version": 1,
    }
    changed = {
        "time_start": day(2),
        "time_end": day(3),
        "commcare_version": "2.2",
        "app_version": 2,
    }
    warehouse.take("form", [doc.form("f1", day(4), **columns)])
    for name, value in changed.items():
        columns[name] = value
        run = warehouse.take(
            "form",
            [
                doc.form(
                    "f1",
                    day(4),
                    server_modified_on=day(5),
                    edited_on=day(6 + list(changed).index(name)),
                    **columns,
                )
            ],
        )
        equal(run["rows_updated"], 1, f"rows_updated for {name}")
    equal(
        warehouse.sql.tuples(
            "SELECT time_start, time_end, commcare_version, app_version::text"
            " FROM warehouse.form_fact"
        ),
        [(at(2), at(3), "2.2", "2")],
        "the columns",
    )


@test
def defect_23_times_were_shifted_by_the_project_s_utc_offset():
    warehouse, source = Warehouse(), SourceDatabase()
    warehouse.take("domain", [doc.domain(default_timezone="Asia/Kolkata")])
    warehouse.sql.run(f"ALTER DATABASE {warehouse.name} SET timezone = 'Asia/Kolkata'")
    source.sql.run(f"ALTER DATABASE {source.name} SET timezone = 'America/New_York'")
    source.add_form("server", day(1), edited_on=day(2))
    env = {"PGTZ": "Asia/Kathmandu", "TZ": "Asia/Kathmandu"}
    warehouse.transform("form", warehouse.load_from("form", [source], env=env), env=env)
    warehouse.take(
        "form", [doc.form("file", "2024-03-01T09:00:00", edited_on="2024-03-02 09:00:00")], env=env
    )
    equal(
        warehouse.sql.tuples(
            "SELECT form_id, received_on, edited_on FROM warehouse.form_fact" " ORDER BY 1"
        ),
        [("file", at(1), at(2)), ("server", at(1), at(2))],
        "times",
    )


@test
def defect_24_the_reload_of_a_stored_form_raised_duplicate_key_across_partitions():
    warehouse = Warehouse()
    times = (
        "2024-01-31T23:59:59Z",
        "2024-02-01T00:00:00Z",
        "2024-01-31T23:59:59Z",
        "2023-12-01T00:00:00Z",
    )
    for number, received in enumerate(times, 1):
        warehouse.take("form", [doc.form("f1", received, edited_on=day(number))])
        equal(
            warehouse.sql.number(
                "SELECT count(*) FROM warehouse.form_fact" " WHERE form_id = 'f1'"
            ),
            1,
            "rows",
        )


@test
def defect_25_one_sync_row_per_user_without_app_or_history_could_not_be_recomputed():
    warehouse = Warehouse()
    warehouse.take(
        "synclog",
        [
            doc.synclog(n, day(n), app_id="anc" if n > 1 else None, build_id="anc-18")
            for n in (1, 2, 3)
        ],
    )
    equal(
        warehouse.sql.tuples(
            "SELECT sync_date, app_id, build_id FROM warehouse.synclog_fact" " ORDER BY 1"
        ),
        [(at(1), None, "anc-18"), (at(2), "anc", "anc-18"), (at(3), "anc", "anc-18")],
        "one row per sync log",
    )


# ---- app status ----


@test
def defect_26_late_data_rewound_rows_without_app_and_blanked_their_versions():
    warehouse = Warehouse()
    warehouse.take("form", [doc.form("new", day(5), app_id=None, build_id="b", app_version=5)])
    warehouse.app_status("form")
    warehouse.take(
        "form",
        [
            doc.form(
                "old", day(1), app_id=None, build_id=None, app_version=None, commcare_version=None
            )
        ],
    )
    warehouse.app_status("form")
    equal(
        warehouse.sql.tuples("""SELECT last_form_id, last_form_app_version::text,
                                    last_form_commcare_version
                                    FROM warehouse.app_status_fact"""),
        [("new", "5", "2.47.1")],
        "the row",
    )


@test
def defect_27_an_older_sync_overwrote_a_newer_one():
    warehouse = Warehouse()
    warehouse.take("form", [doc.form("f1", day(1)), doc.form("f2", day(1), app_id=None)])
    for number in (5, 3, 4):
        warehouse.take("synclog", [doc.synclog(number, day(number))])
        warehouse.app_status()
    equal([row[4] for row in status(warehouse)], [at(5)] * 2, "last sync of both rows")


@test
def defect_28_a_sync_without_form_left_a_ghost_row_that_kept_receiving_syncs():
    warehouse = Warehouse()
    warehouse.take("synclog", [doc.synclog(1, day(1))])
    warehouse.app_status()
    warehouse.take("form", [doc.form("f1", day(2))])
    warehouse.app_status()
    warehouse.take("synclog", [doc.synclog(3, day(3))])
    warehouse.app_status()
    equal(status(warehouse), [("asha", "anc", "f1", at(2), at(3))], "the one row")


@test
def defect_29_the_sync_step_overwrote_the_project_on_all_rows_of_the_user():
    warehouse = Warehouse()
    warehouse.take(
        "form",
        [doc.form("f1", day(1), domain="river"), doc.form("f2", day(1), app_id="x", domain="hill")],
    )
    warehouse.take("synclog", [doc.synclog(1, day(2), domain="sea")])
    warehouse.app_status("form", "synclog")
    equal(
        sorted(warehouse.sql.run("SELECT domain FROM warehouse.app_status_fact")),
        ["hill", "river"],
        "domains",
    )


@test
def defect_30_a_sync_log_without_project_failed_the_whole_load():
    warehouse = Warehouse()
    warehouse.take("user", [doc.user(domain="home")])
    equal(
        warehouse.take("synclog", [doc.synclog(1, day(1), domain=None)])["rows_inserted"],
        1,
        "rows_inserted",
    )
    warehouse.app_status()
    equal(warehouse.report("domain, last_sync"), [("home", at(1))], "report")


@test
def defect_31_a_sync_log_of_an_unknown_user_failed_the_whole_load():
    warehouse = Warehouse()
    equal(
        warehouse.take("synclog", [doc.synclog(1, day(1), user_id="stranger")])["members_inferred"]
        >= 1,
        True,
        "members_inferred",
    )
    warehouse.app_status()
    equal(status(warehouse), [("stranger", None, None, None, at(1))], "app status")


@test
def defect_32_two_unknown_apps_gave_two_rows_without_app_and_a_second_time_error():
    warehouse = Warehouse()
    warehouse.take(
        "form",
        [
            doc.form("f1", day(1), app_id="unknown-1"),
            doc.form("f2", day(2), app_id="unknown-2"),
            doc.form("f3", day(3), app_id=None),
            doc.form("f4", day(4), app_id=""),
        ],
    )
    warehouse.app_status()
    equal(
        [row[1:3] for row in status(warehouse)],
        [(None, "f4"), ("unknown-1", "f1"), ("unknown-2", "f2")],
        "rows",
    )


@test
def defect_33_the_app_s_current_version_and_a_wrong_alias_gave_blank_versions():
    warehouse = Warehouse()
    warehouse.take("user", [doc.user()])
    warehouse.take("application", [doc.app("anc", version=99), doc.build("anc-18", version=18)])
    warehouse.take("form", [doc.form("f1", day(1), app_version=7)])
    warehouse.app_status()
    equal(
        warehouse.report("application_name, application_version"),
        [("Antenatal care", "18")],
        "report",
    )


@test
def defect_34_a_build_that_was_not_known_yet_gave_a_version_that_was_never_repaired():
    warehouse = Warehouse()
    warehouse.take("user", [doc.user()])
    warehouse.take("form", [doc.form("f1", day(1), app_version=7)])
    warehouse.app_status()
    equal(warehouse.report("application_version"), [("7",)], "until the build is known")
    warehouse.take("application", [doc.build("anc-18", version=None)])
    equal(warehouse.report("application_version"), [("7",)], "a build without a version")
    warehouse.take("application", [doc.build("anc-18", version=18, last_modified=day(20))])
    equal(warehouse.report("application_version"), [("18",)], "with the build")


@test
def defect_35_a_new_app_row_had_no_sync_until_the_user_s_next_sync():
    warehouse = Warehouse()
    warehouse.take("synclog", [doc.synclog(1, day(1))])
    warehouse.app_status()
    warehouse.take("form", [doc.form("f1", day(2)), doc.form("f2", day(2), app_id="pnc")])
    warehouse.app_status("form")
    equal([row[4] for row in status(warehouse)], [at(1), at(1)], "last sync")


@test
def defect_36_deletions_and_archives_never_lowered_a_date_and_no_row_ever_left():
    warehouse, source = Warehouse(), SourceDatabase()
    source.add_form("f1", day(1))
    source.add_form("f2", day(2))
    warehouse.take_from("form", [source])
    warehouse.app_status()
    source.change_form("f2", deleted_on=source.now())
    warehouse.take_from("form", [source], *NO_OVERLAP)
    warehouse.app_status()
    equal([row[2] for row in status(warehouse)], ["f1"], "after the deletion")
    source.archive("f1")
    warehouse.take_from("form", [source], *NO_OVERLAP)
    warehouse.app_status()
    equal(status(warehouse), [], "after the archiving")


@test
def defect_37_the_version_is_by_definition_the_form_s_and_not_that_of_a_sync():
    warehouse = Warehouse()
    warehouse.take("user", [doc.user()])
    warehouse.take(
        "application", [doc.build("anc-18", version=18), doc.build("anc-19", version=19)]
    )
    warehouse.take("form", [doc.form("f1", day(1), build_id="anc-18")])
    warehouse.take("synclog", [doc.synclog(1, day(2), build_id="anc-19", app_id="anc")])
    warehouse.app_status()
    equal(warehouse.report("application_version"), [("18",)], "version")


@test
def defect_38_staging_reloaded_before_app_status_succeeded_and_data_never_arrived():
    warehouse = Warehouse()
    for number in (1, 2, 3):
        warehouse.take("form", [doc.form(f"f{number}", day(number), user_id=f"u{number}")])
        warehouse.run("clear-staging")
        warehouse.sql.run("TRUNCATE staging.form")
    warehouse.app_status("form")
    equal([row[0] for row in status(warehouse)], ["u1", "u2", "u3"], "users")


@test
def defect_39_ties_and_missing_times_were_undefined():
    for order in (["fa", "fb"], ["fb", "fa"]):
        warehouse = Warehouse()
        for name in order:
            warehouse.take("form", [doc.form(name, day(1), build_id=f"build-of-{name}")])
            warehouse.app_status()
        equal([row[2] for row in status(warehouse)], ["fb"], f"the order {order}")


@test
def defect_40_web_users_who_sync_got_rows_in_the_report_and_deleted_users_kept_theirs():
    warehouse = Warehouse()
    warehouse.take(
        "user",
        [doc.web_user("maria"), doc.user("gone", base_doc="CouchUser-Deleted"), doc.user("asha")],
    )
    warehouse.take(
        "synclog",
        [
            doc.synclog(n, day(n), user_id=name)
            for n, name in enumerate(("maria", "gone", "asha", "stranger"), 1)
        ],
    )
    warehouse.app_status()
    equal(len(status(warehouse)), 4, "rows for every user")
    equal(warehouse.report("user_id"), [("asha",)], "one filter, in the report")


# ---- batches and tasks ----


@test
def defect_41_windows_grew_after_each_failure():
    warehouse, source = Warehouse(), SourceDatabase()
    source.add_form("f1", "2024-03-01T12:00:00Z")
    command = ("--start", "2024-03-01", "--max-window", "1d")
    first = warehouse.load_from("form", [source], *command, key="k")
    again = warehouse.load_from("form", [source], *command, key="k")
    equal(
        (again["since"], again["until"]),
        (first["since"], first["until"]),
        "the retry keeps its window",
    )
    other = warehouse.load_from("form", [source], *command, key="another")
    equal((other["since"], other["until"]), (first["since"], first["until"]), "the next is bounded")


@test
def defect_42_a_killed_task_left_no_trace():
    warehouse = Warehouse()
    loaded = warehouse.load("form", [doc.form("f1")])
    holder = warehouse.session()
    holder.run("BEGIN; LOCK TABLE warehouse.form_key IN ACCESS EXCLUSIVE MODE")
    process = warehouse.start("transform-fact", "form", "--batch-id", loaded["batch_id"])
    wait_for_lock(warehouse.name, "transform-fact%")
    process.signal(signal.SIGKILL)
    process.wait()
    equal(
        warehouse.sql.tuples(
            "SELECT started_at IS NOT NULL, ended_at FROM etl.batch_step"
            " WHERE step = 'transform-fact'"
        ),
        [(True, None)],
        "the trace",
    )
    holder.run("ROLLBACK")


@test
def defect_43_windows_open_batches_and_row_counts_were_not_checked():
    warehouse = Warehouse()
    path = warehouse.file([doc.form("f1")])
    warehouse.run(
        "load-staging", "form", "--source", path, "--since", day(2), "--until", day(1), expect=64
    )
    loaded = warehouse.load("form", [doc.form("f1")])
    warehouse.sql.run("INSERT INTO staging.form SELECT * FROM staging.form")
    warehouse.transform("form", loaded, expect=65)


@test
def defect_44_completing_twice_was_an_error_and_a_retry_failed_for_good():
    warehouse = Warehouse()
    loaded = warehouse.load("form", [doc.form("f1")])
    lines = [warehouse.transform("form", loaded).stdout for _ in range(3)]
    equal(lines[1:], [lines[0].replace('"done"', '"already-done"')] * 2, "lines")


@test
def defect_45_any_output_after_the_batch_id_broke_the_run():
    warehouse = Warehouse()
    run = warehouse.load("form", [doc.form("f1")], "--verbose")
    equal(
        (run.stdout.count("\n"), run.stdout[0], run.stdout[-2:]), (1, "{", "}\n"), "standard output"
    )


@test
def defect_46_running_an_old_date_again_made_an_empty_batch_that_could_be_completed():
    warehouse, source = Warehouse(), SourceDatabase()
    source.add_form("f1", day(1))
    first = warehouse.load_from("form", [source])
    warehouse.transform("form", first)
    again = warehouse.load_from("form", [source], "--since", "2024-02-28", "--until", "2024-03-02")
    equal(again["rows_staged"], 1, "the backfill reads its window")
    warehouse.transform("form", again)
    source.add_form("f2")
    following = warehouse.load_from("form", [source], *NO_OVERLAP)
    equal(time_of(following["since"]), time_of(first["until"]), "a backfill moves no watermark")
    check(following["rows_staged"] == 1, "the next window")


if __name__ == "__main__":
    main()
