#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""load-staging --reconcile: what a complete list of keys lacks was deleted at the source."""

import os
import signal
import sys
from datetime import datetime, timedelta, timezone

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import documents as doc  # noqa: E402
from factline import Warehouse, wait_for_lock  # noqa: E402
from harness import (
    check,
    contains,
    equal,
    for_each,
    main,
    same_rows,
    test,
    wait_until,
)  # noqa: E402
from learning import COURSE, Platform, Site, enrollment, module, structure, usage  # noqa: E402
from proxy import Gate  # noqa: E402

OLD = "2024-03-01T08:00:00Z"
USERS = ("asha", "bina", "chet")


def commcare():
    warehouse = Warehouse()
    warehouse.take("user", [doc.user(name) for name in USERS])
    return warehouse


def ids(*names):
    return [{"_id": name} for name in names]


def listed(warehouse, feed, records, *options, overlap="0s", **more):
    return warehouse.load(feed, records, "--reconcile", "--overlap", overlap, *options, **more)


def counts(run):
    return tuple(run[f"rows_{name}"] for name in ("read", "staged", "rejected", "skipped"))


def live(warehouse):
    return [
        row[0]
        for row in warehouse.sql.tuples(
            "SELECT user_id FROM warehouse.user_dim WHERE id > 0 AND NOT deleted ORDER BY user_id"
        )
    ]


def learning():
    """Three learners with a module each, derived."""
    site = Site()
    site.take("course_block", structure(published=OLD))
    site.take("enrollment", [enrollment(user, created=OLD) for user in (1, 2, 3)])
    site.take("student_module", [module(user, "p1", 2.0, 4.0, OLD) for user in (1, 2, 3)])
    site.derive()
    return site


def module_key(user, name="p1"):
    return {"student_id": user, "course_id": COURSE, "module_id": usage(name)}


# ---- what is deleted ----


@test
def what_the_list_lacks_is_deleted_and_the_rest_stays():
    warehouse = commcare()
    run = listed(warehouse, "user", ids("asha", "chet", "nobody-yet"))
    equal(counts(run), (1, 1, 0, 3), "read, staged, rejected, skipped")
    equal(live(warehouse), list(USERS), "before the transform")
    equal(warehouse.transform("user", run)["rows_updated"], 1, "rows_updated")
    equal(live(warehouse), ["asha", "chet"], "live users")


@test
def a_list_that_lacks_nothing_has_nothing_to_do():
    warehouse = commcare()
    run = listed(warehouse, "user", ids(*USERS), "--expect-rows", "3")
    equal((run["status"], counts(run)), ("nothing-to-do", (0, 0, 0, 3)), "the load")
    equal(warehouse.batch(run["batch_id"])["state"], "complete", "state")
    equal(warehouse.transform("user", run)["status"], "nothing-to-do", "the transform")
    equal(warehouse.sql.number("SELECT count(*) FROM staging.user"), 3, "rows of the first load")


@test
def a_second_list_changes_nothing_more():
    warehouse = commcare()
    warehouse.transform("user", listed(warehouse, "user", ids("asha")))
    run = listed(warehouse, "user", ids("asha"))
    equal((run["status"], live(warehouse)), ("nothing-to-do", ["asha"]), "the second list")


@for_each(["group", "domain", "application", "location"])
def every_dimension_of_commcare_has_its_key(feed):
    warehouse = Warehouse()
    make, key, table, name = {
        "group": (doc.group, "_id", "group_dim", "group_id"),
        "domain": (doc.domain, "_id", "domain_document", "domain_id"),
        "application": (doc.app, "_id", "application_dim", "application_id"),
        "location": (doc.location, "location_id", "location_dim", "location_id"),
    }[feed]
    records = [make("one"), make("two")]
    warehouse.take(feed, records)
    run = listed(warehouse, feed, [{key: records[0][key]}])
    equal(counts(run), (1, 1, 0, 1), "counts")
    warehouse.transform(feed, run)
    seen = warehouse.sql.tuples(f"SELECT {name} FROM warehouse.{table} WHERE deleted")
    equal(seen, [(records[1][key],)], "deleted")


@test
def members_without_document_are_not_deleted():
    warehouse = commcare()
    warehouse.take("group", [doc.group("g", users=["stranger"])])
    warehouse.transform("user", listed(warehouse, "user", ids(*USERS[:2])))
    check("stranger" in live(warehouse), "the inferred member was deleted")


@test
def modules_that_are_gone_leave_the_enrollment_data():
    site = learning()
    run = listed(site, "student_module", [module_key(1), module_key(3)])
    equal(counts(run), (1, 1, 0, 2), "counts")
    site.transform("student_module", run)
    equal(site.derive()["keys_touched"], 1, "keys_touched")
    equal([site.data(user)[0] for user in (1, 2, 3)], [2, 0, 2], "points")
    site.verify()
    source = "SELECT count(DISTINCT source_id) FROM warehouse.student_module_fact"
    equal(site.sql.number(source), 3, "the history still finds its module")


@test
def enrollments_that_are_gone_leave_their_table_and_the_metrics():
    site = learning()
    keys = [{"user_id": user, "course_id": COURSE} for user in (2, 3)]
    site.transform("enrollment", listed(site, "enrollment", keys))
    site.derive()
    equal([site.data(user) is None for user in (1, 2, 3)], [True, False, False], "gone")
    event = (
        "SELECT is_active FROM warehouse.enrollment_event_fact WHERE user_id = 1 ORDER BY event_on"
    )
    equal(site.sql.tuples(event), [(True,), (False,)], "events")
    site.verify()


@test
def a_role_that_is_gone_makes_a_learner_of_its_owner():
    site = learning()
    roles = [
        {"user_id": 1, "org": "edX", "course_id": "", "role": "staff"},
        {"user_id": 2, "org": "edX", "course_id": COURSE, "role": "staff"},
    ]
    site.take("course_access_role", roles)
    site.derive()
    staff = "SELECT user_id FROM warehouse.enrollment_fact WHERE is_course_staff ORDER BY user_id"
    equal(site.sql.tuples(staff), [(1,), (2,)], "staff")
    run = listed(site, "course_access_role", [{**roles[0], "course_id": None}])
    equal(counts(run), (1, 1, 0, 1), "counts")
    site.transform("course_access_role", run)
    equal(site.sql.tuples(staff), [(1,)], "staff after the list")
    equal(site.derive()["keys_touched"], 1, "keys_touched")
    site.take("course_access_role", roles)
    equal(site.sql.tuples(staff), [(1,), (2,)], "staff when a later file shows the role again")


@test
def a_role_that_was_read_after_the_list_was_taken_stays():
    site = learning()
    role = {"user_id": 1, "org": "edX", "course_id": COURSE, "role": "staff"}
    opened = site.run("load-staging", "course_access_role", "--open-window", "--reconcile")
    site.take("course_access_role", [role])
    path = site.file([{**role, "user_id": 2}])
    command = ("load-staging", "course_access_role", "--reconcile", "--source", path)
    run = site.run(*command, "--overlap", "0s", "--batch-id", opened["batch_id"])
    equal((run["batch_id"], counts(run)), (opened["batch_id"], (0, 0, 0, 1)), "the list")


@test
def the_last_role_goes_when_the_table_of_a_server_becomes_empty():
    site, source = Site(), Platform()
    source.sql.run(
        "INSERT INTO student_courseaccessrole (user_id, org, course_id, role)"
        f" VALUES (1, 'edX', '{COURSE}', 'staff'), (2, 'edX', '', 'staff')"
    )
    site.take_from("course_access_role", [source])
    source.sql.run("DELETE FROM student_courseaccessrole")
    run = site.load_from("course_access_role", [source])
    equal(counts(run), (2, 2, 0, 0), "counts")
    site.transform("course_access_role", run)
    gone = "SELECT deleted FROM warehouse.course_access_role_dim"
    equal(site.sql.tuples(gone), [(True,), (True,)], "deleted")
    equal(site.load_from("course_access_role", [source])["status"], "nothing-to-do", "once more")
    source.sql.run(
        "INSERT INTO student_courseaccessrole (user_id, org, course_id, role)"
        " VALUES (2, 'edX', '', 'staff')"
    )
    site.take_from("course_access_role", [source])
    equal(site.sql.number(f"SELECT count(*) FROM ({gone}) AS q WHERE NOT deleted"), 1, "live")


# ---- the list ----


@for_each(["csv", "tsv"])
def a_list_may_be_a_table_of_its_key_columns_alone(kind):
    site = learning()
    comma = {"csv": ",", "tsv": "\t"}[kind]
    lines = [("course_id", "ignored", "module_id", "student_id")]
    lines += [(COURSE, "NULL", usage("p1"), str(user)) for user in (1, 2)]
    text = "".join(comma.join(line) + "\n" for line in lines)
    command = ("load-staging", "student_module", "--reconcile", "--source", "-", "--format", kind)
    run = site.run(*command, "--overlap", "0s", stdin=text)
    equal(counts(run), (1, 1, 0, 2), "counts")
    site.transform("student_module", run)
    site.derive()
    equal(site.data(3)[0], 0, "points of the third")


@test
def a_key_names_all_of_its_parts():
    site = learning()
    header = "user_id\trole\torg\n1\tstaff\tedX\n"
    command = ("load-staging", "course_access_role", "--reconcile", "--source", "-")
    run = site.run(*command, "--format", "tsv", stdin=header, expect=65)
    contains(run.error, "course_id", "error line of the table")
    record = {"user_id": 1, "role": "staff", "org": "edX"}
    listed(site, "course_access_role", [record], expect=65)
    equal(site.rejects(), [("missing_field", "course_id")], "reject of the document")


@test
def other_fields_of_a_record_are_not_read():
    site = learning()
    records = [{**module(user, "p1", None, None, "yesterday"), "state": "{"} for user in (1, 2)]
    equal(counts(listed(site, "student_module", records)), (1, 1, 0, 2), "counts")


@test
def several_files_are_one_list():
    warehouse = commcare()
    paths = [warehouse.file(ids(name)) for name in ("asha", "chet")]
    sources = [word for path in paths for word in ("--source", path)]
    run = warehouse.run("load-staging", "user", "--reconcile", "--overlap", "0s", *sources)
    equal(counts(run), (1, 1, 0, 2), "counts")


@test
def a_key_that_cannot_be_read_deletes_nothing():
    warehouse = commcare()
    run = listed(warehouse, "user", [*ids("asha", "bina"), '{"_id": "ch'], expect=65)
    contains(run.error, "1 of 3 keys", "error line")
    equal(warehouse.rejects(), [("bad_json", "")], "rejects")
    equal(warehouse.batch(2)["state"], "failed", "state")
    replay = warehouse.run("load-staging", "user", "--replay-rejects", "--run-key", "again")
    equal(replay["rows_read"], 0, "a key is no record: read again")
    equal(live(warehouse), list(USERS), "live users")


@test
def an_empty_list_is_refused_unless_it_is_expected():
    warehouse = commcare()
    run = listed(warehouse, "user", [], expect=65)
    contains(run.error, "--expect-rows 0", "error line")
    run = listed(warehouse, "user", [], "--expect-rows", "0")
    warehouse.transform("user", run)
    equal(live(warehouse), [], "live users")


@test
def a_list_that_was_cut_is_refused():
    warehouse = commcare()
    listed(warehouse, "user", ids("asha"), "--expect-rows", "2", expect=65)
    equal(warehouse.sql.number("SELECT count(*) FROM staging.user WHERE is_tombstone"), 0, "staged")


@for_each(["form", "synclog", "learner", "course_block", "certificate", "student_module_history"])
def other_feeds_cannot_be_reconciled(feed):
    run = Warehouse().run("load-staging", feed, "--reconcile", "--source", "-", expect=64)
    contains(run.error, "cannot be reconciled", "error line")


@for_each(
    [
        ["--since", "2026-01-01", "--until", "2026-02-01"],
        ["--replay-rejects"],
        ["--max-rejects", "5"],
        ["--source", "host=h dbname=d"],
    ],
    name=lambda options: options[0].strip("-"),
)
def a_list_is_neither_a_window_nor_a_server(options):
    source = [] if options[0] in ("--source", "--replay-rejects") else ["--source", "-"]
    Warehouse().run("load-staging", "user", "--reconcile", *source, *options, expect=64)


# ---- time and order ----


@test
def what_changed_within_the_overlap_of_the_list_stays():
    warehouse = commcare()
    moment = datetime.now(timezone.utc) - timedelta(minutes=5)
    warehouse.take("user", [doc.user("dev", moment.strftime("%FT%TZ"))])
    run = listed(warehouse, "user", ids(*USERS), overlap="15min")
    equal(counts(run)[1], 0, "with an overlap that covers it")
    run = listed(warehouse, "user", ids(*USERS), overlap="1min")
    equal(counts(run)[1], 1, "with a shorter one")


@test
def a_list_in_a_file_is_as_old_as_the_file():
    warehouse = commcare()
    path = warehouse.file(ids(*USERS))
    moment = datetime.now(timezone.utc)
    warehouse.take("user", [doc.user("dev", (moment - timedelta(hours=1)).strftime("%FT%TZ"))])
    for age, deleted in ((7200, 0), (1800, 1)):
        then = moment.timestamp() - age
        os.utime(path, (then, then))
        key = warehouse.key()
        command = ("load-staging", "user", "--reconcile", "--source", path, "--run-key", key)
        run = warehouse.run(*command, "--overlap", "0s")
        equal(counts(run)[1], deleted, f"deleted by a list of {age} s ago")


@test
def a_list_for_an_open_window_speaks_up_to_its_end():
    warehouse = commcare()
    opened = warehouse.run("load-staging", "user", "--open-window", "--reconcile")
    warehouse.take("user", [doc.user("dev", opened["until"].replace("Z", "+00:00"))])
    after = datetime.fromisoformat(opened["until"].replace("Z", "+00:00"))
    later = (after + timedelta(microseconds=1)).isoformat()
    warehouse.take("user", [doc.user("eli", later)])
    path = warehouse.file(ids("asha"))
    command = ("load-staging", "user", "--source", path, "--batch-id", opened["batch_id"])
    contains(warehouse.run(*command, expect=64).error, "add --reconcile", "as records")
    run = warehouse.run(*command, "--reconcile", "--overlap", "0s")
    equal((run["until"], counts(run)), (opened["until"], (3, 3, 0, 1)), "the list")
    warehouse.transform("user", run)
    equal(live(warehouse), ["asha", "eli"], "live users")


@test
def a_window_of_records_takes_no_list_and_a_list_moves_no_watermark():
    warehouse = commcare()
    opened = warehouse.run("load-staging", "user", "--open-window", "--run-key", "records")
    path = warehouse.file(ids(*USERS))
    command = ("load-staging", "user", "--reconcile", "--source", path)
    run = warehouse.run(*command, "--batch-id", opened["batch_id"], expect=64)
    contains(run.error, "leave out --reconcile", "error line")
    keys = warehouse.run("load-staging", "user", "--open-window", "--reconcile", "--run-key", "k")
    warehouse.run(*command, "--batch-id", keys["batch_id"])
    equal(warehouse.batch(keys["batch_id"])["kind"], "backfill", "kind")
    following = warehouse.run("load-staging", "user", "--open-window", "--run-key", "next")
    equal(following["since"], None, "the next window's start")


@test
def an_earlier_read_is_transformed_first():
    warehouse = commcare()
    waiting = warehouse.load("user", [doc.user("dev")])
    run = listed(warehouse, "user", ids(*USERS), key="list", expect=75)
    contains(run.error, f'batch "{waiting["batch_id"]}"', "error line")
    warehouse.transform("user", waiting)
    run = listed(warehouse, "user", ids(*USERS), key="again")
    warehouse.transform("user", run)
    equal(live(warehouse), list(USERS), "live users")


@test
def an_earlier_read_that_is_under_way_is_waited_for():
    warehouse = commcare()
    reader, writer = os.pipe()
    loading = warehouse.start("load-staging", "user", "--source", "-", stdin=reader)
    os.close(reader)
    wait_until(
        lambda: warehouse.sql.number("SELECT max(read_number) FROM etl.batch") == 2, "the read"
    )
    run = listed(warehouse, "user", ids(*USERS), expect=75)
    contains(run.error, "transform it first", "error line")
    loading.signal(signal.SIGKILL)
    loading.wait()
    os.close(writer)
    wait_until(lambda: listed(warehouse, "user", ids(*USERS), expect=None).status == 0, "a list")


@test
def later_reads_win_or_lose_by_their_version_whatever_comes_first():
    for is_late in (False, True):
        warehouse = commcare()
        run = listed(warehouse, "user", ids("asha"))
        future = (datetime.now(timezone.utc) + timedelta(hours=1)).strftime("%FT%TZ")
        stale = warehouse.load(
            "user", [doc.user("bina", OLD, first_name="x"), doc.user("chet", future)]
        )
        for batch in [stale, run] if is_late else [run, stale]:
            warehouse.transform("user", batch)
        equal(live(warehouse), ["asha", "chet"], f"live users, late: {is_late}")


@test
def a_list_that_is_loaded_late_does_not_undo_what_was_written_since():
    warehouse = commcare()
    opened = warehouse.run("load-staging", "user", "--open-window", "--reconcile")
    now = datetime.now(timezone.utc) + timedelta(seconds=1)
    warehouse.take("user", [doc.user("bina", now.strftime("%FT%TZ"))])
    path = warehouse.file(ids("asha"))
    command = ("load-staging", "user", "--reconcile", "--overlap", "0s", "--source", path)
    run = warehouse.run(*command, "--batch-id", opened["batch_id"])
    warehouse.transform("user", run)
    equal(live(warehouse), ["asha", "bina"], "live users")


# ---- faults ----


@test
def a_second_run_answers_and_lost_staging_is_staged_again():
    warehouse = commcare()
    path = warehouse.file(ids("asha"))
    command = ("load-staging", "user", "--reconcile", "--source", path, "--run-key", "k")
    first = warehouse.run(*command, "--overlap", "0s")
    again = warehouse.run(*command, "--overlap", "0s")
    equal((again["status"], counts(again)), ("already-done", counts(first)), "the second run")
    warehouse.sql.run("TRUNCATE staging.user")
    warehouse.transform("user", first, expect=65)
    equal(counts(warehouse.run(*command, "--overlap", "0s")), counts(first), "staged again")
    warehouse.transform("user", first)
    equal(live(warehouse), ["asha"], "live users")


@test
def twins_delete_once():
    warehouse = commcare()
    path = warehouse.file(ids("asha"))
    holder = warehouse.session()
    holder.run("BEGIN; LOCK TABLE staging.user IN ACCESS EXCLUSIVE MODE")
    command = ("load-staging", "user", "--reconcile", "--overlap", "0s", "--source", path)
    twins = [warehouse.start(*command, "--run-key", "k") for _ in range(2)]
    wait_for_lock(warehouse.name, "load-staging%")
    holder.run("COMMIT")
    runs = [twin.wait().ended(0) for twin in twins]
    same_rows([run["status"] for run in runs], ["done", "already-done"], "twins")
    equal(warehouse.transform("user", runs[0])["rows_updated"], 2, "rows_updated")


@for_each(["before", "during"])
def a_kill_at_any_message_leaves_all_or_nothing(when):
    warehouse = commcare()
    staged = "SELECT count(*) FROM staging.user WHERE batch_id > 1"
    number, was_reached = 0, True
    while was_reached:
        number += 1
        path, key = warehouse.file(ids("asha", "bina")), f"k{number}"
        command = ("load-staging", "user", "--reconcile", "--source", path, "--run-key", key)
        before = warehouse.sql.number(staged)
        with Gate(number, when) as gate:
            run = warehouse.run(*command, "--overlap", "0s", env=gate.environment, expect=None)
            was_reached = gate.was_reached
        wait_until(lambda: is_alone(warehouse), "the cut session's end")
        left = warehouse.sql.number(staged) - before
        check(left in (0, 1), f"message {number}: {left} rows in staging")
        check(run.status == 0 or was_reached, f"message {number}: {run.error}")
        run = warehouse.run(*command, "--overlap", "0s")
        equal(counts(run), (1, 1, 0, 2), f"after message {number}")
        equal(warehouse.sql.number(staged) - before, 1, f"staged after message {number}")
        warehouse.transform("user", run)
        revive(warehouse)
    check(number > 15, f"only {number} messages")
    equal(live(warehouse), list(USERS), "live users")


def is_alone(warehouse):
    return not warehouse.sql.number(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        " AND application_name <> 'psql'"
    )


def revive(warehouse):
    """Undoes the list, so that the next round's has the same to do."""
    warehouse.sql.run(
        "UPDATE warehouse.user_dim SET deleted = false, gone_version_time = NULL,"
        " gone_read_number = NULL WHERE user_id = 'chet'"
    )


@test
def a_dry_run_shows_the_comparison_and_writes_nothing():
    warehouse = commcare()
    path = warehouse.file(ids("asha"))
    run = warehouse.run("load-staging", "user", "--reconcile", "--source", path, "--dry-run")
    contains(run.stderr, "INSERT INTO staging.user", "standard error")
    equal(warehouse.sql.number("SELECT count(*) FROM etl.batch"), 1, "batches")


if __name__ == "__main__":
    main()
