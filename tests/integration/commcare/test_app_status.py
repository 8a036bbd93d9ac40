#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The app status equals its definition over the facts after every derived step, whatever the order
of batches, archiving, edits, deletions and moves; compare, repair and the report."""

import os
import random

from statements import Warehouse, main
from test_form_fact import form, sync

STATUS = (
    "SELECT u.user_id, a.application_id, to_char(s.last_form_submission_date, 'MM-DD'),"
    " s.last_form_id, b.application_id, s.last_form_app_version,"
    " s.last_form_commcare_version, to_char(s.last_sync_log_date, 'MM-DD'), s.domain"
    " FROM warehouse.app_status_fact AS s"
    " JOIN warehouse.user_dim AS u ON u.id = s.user_dim_id"
    " JOIN warehouse.application_dim AS a ON a.id = s.app_dim_id"
    " JOIN warehouse.application_dim AS b ON b.id = s.last_form_build_dim_id ORDER BY 1, 2"
)


def status(warehouse):
    return warehouse.sql(STATUS)


def at(day, month=3):
    return "2026-%02d-%02dT00:00:00Z" % (month, day)


def a_form_makes_a_row_and_a_sync_of_the_user_is_on_it(warehouse):
    warehouse.load("synclog", [sync(sync_date=at(2))])
    warehouse.load("form", [form(received_on=at(1))])
    assert warehouse.derive("form")["rows_inserted"] == 1
    assert status(warehouse) == [
        ("u1", "a1", "03-01", "f1", "b1", "18", "2.47.1", "03-02", "river")
    ]
    assert warehouse.derive("synclog") == {
        "keys_touched": 1,
        "rows_inserted": 0,
        "rows_updated": 0,
        "rows_deleted": 0,
        "rows_unchanged": 1,
    }


def a_sync_without_form_stands_only_while_the_user_has_no_counted_form(warehouse):
    warehouse.load("synclog", [sync(sync_date=at(2))])
    warehouse.derive("synclog")
    assert status(warehouse) == [("u1", "", "", "", "", "", "", "03-02", "river")]
    warehouse.load("form", [form()])
    counts = warehouse.derive("form")
    assert (counts["rows_inserted"], counts["rows_deleted"]) == (1, 1), counts
    assert [row[1] for row in status(warehouse)] == ["a1"]
    warehouse.load("form", [form(state=2, version_time=at(9))])
    warehouse.derive("form")
    assert status(warehouse) == [("u1", "", "", "", "", "", "", "03-02", "river")]


def archiving_falls_back_to_the_form_before_and_unarchiving_returns(warehouse):
    warehouse.load("form", [form("f1", received_on=at(1, 1)), form("f2", received_on=at(5))])
    warehouse.derive("form")
    for day, state, wanted in ((6, 2, "f1"), (7, 1, "f2")):
        warehouse.load("form", [form("f2", received_on=at(5), state=state, version_time=at(day))])
        warehouse.derive("form")
        assert [row[3] for row in status(warehouse)] == [wanted]


def deleting_the_only_form_removes_the_row(warehouse):
    warehouse.load("form", [form()])
    warehouse.derive("form")
    warehouse.load("form", [form(deleted_on=at(6), version_time=at(6))])
    assert warehouse.derive("form")["rows_deleted"] == 1
    assert status(warehouse) == []


def forms_in_error_duplicate_deprecated_or_deleted_do_not_count(warehouse):
    warehouse.load(
        "form",
        [form("f%d" % state, state=state) for state in (2, 4, 8, 16, 32, 65)]
        + [form("gone", deleted_on=at(3))],
    )
    warehouse.derive("form")
    assert status(warehouse) == []


def a_deprecated_copy_with_the_same_received_on_never_wins(warehouse):
    warehouse.load("form", [form("f1"), form("zz", state=4)])
    warehouse.derive("form")
    assert [row[3] for row in status(warehouse)] == ["f1"]


def at_equal_times_the_greater_form_id_wins_byte_by_byte(warehouse):
    warehouse.load("form", [form("B"), form("a"), form("A")])
    warehouse.derive("form")
    assert [row[3] for row in status(warehouse)] == ["a"]


def a_form_that_moves_to_another_user_or_app_corrects_both_rows(warehouse):
    warehouse.load("form", [form(), form("f0", received_on=at(1, 2))])
    warehouse.derive("form")
    warehouse.load("form", [form(user_id="u2", app_id="a2", version_time=at(7))])
    warehouse.derive("form")
    assert [row[:4] for row in status(warehouse)] == [
        ("u1", "a1", "02-01", "f0"),
        ("u2", "a2", "03-01", "f1"),
    ]


def two_unknown_apps_are_two_rows_and_none_is_the_unknown_member(warehouse):
    warehouse.load(
        "form", [form("f1", app_id="x"), form("f2", app_id="y"), form("f3", app_id=None)]
    )
    warehouse.derive("form")
    assert [row[1] for row in status(warehouse)] == ["", "x", "y"]


def an_older_sync_never_overwrites_a_newer_one_and_leaves_the_domain(warehouse):
    warehouse.load(
        "form", [form("f1", app_id="x", domain="river"), form("f2", app_id="y", domain="hill")]
    )
    warehouse.load("synclog", [sync("s1", sync_date=at(9), domain="lake")])
    warehouse.derive("form")
    warehouse.load("synclog", [sync("s2", sync_date=at(5), domain="sea")])
    warehouse.derive("synclog")
    assert [(row[7], row[8]) for row in status(warehouse)] == [
        ("03-09", "river"),
        ("03-09", "hill"),
    ]


def users_without_name_have_no_row(warehouse):
    warehouse.load("form", [form(user_id="")])
    warehouse.load("synclog", [sync(user_id="")])
    warehouse.derive("form")
    warehouse.derive("synclog")
    assert status(warehouse) == []


def a_batch_that_completes_late_is_consumed_late(warehouse):
    slow = warehouse.stage("form", [form("f1", received_on=at(1))])
    warehouse.load("form", [form("f2", received_on=at(1, 2))])
    warehouse.derive("form")
    warehouse.transform("form", slow)
    warehouse.derive("form")
    assert [row[3] for row in status(warehouse)] == ["f1"]


def the_sync_side_sees_an_app_of_a_form_batch_not_consumed_yet(warehouse):
    warehouse.load("form", [form()])
    warehouse.load("synclog", [sync()])
    warehouse.derive("synclog")
    assert [row[1] for row in status(warehouse)] == ["a1"]
    counts = warehouse.derive("form")
    assert counts["rows_unchanged"] == 1 and counts["rows_updated"] == 0, counts


def what_is_consumed_again_changes_nothing(warehouse):
    batch = warehouse.stage("form", [form()])
    warehouse.transform("form", batch)
    warehouse.derive("form")
    before = warehouse.sql("SELECT ctid, xmin FROM warehouse.app_status_fact")
    warehouse.derive("form", batches=[batch])
    assert warehouse.derive("form", everything=True)["rows_unchanged"] == 1
    assert warehouse.sql("SELECT ctid, xmin FROM warehouse.app_status_fact") == before


def compare_counts_drift_by_kind_and_unconsumed_users_as_pending(warehouse):
    warehouse.load("form", [form("f1"), form("f2", user_id="u2"), form("f3", user_id="u3")])
    warehouse.derive("form")
    warehouse.sql(
        "UPDATE warehouse.app_status_fact SET domain = 'wrong' WHERE last_form_id = 'f1';"
        "DELETE FROM warehouse.app_status_fact WHERE last_form_id = 'f2';"
        "INSERT INTO warehouse.app_status_fact (user_dim_id, app_dim_id,"
        " last_form_build_dim_id) VALUES (999, 0, 0)"
    )
    assert warehouse.run("app_status_compare") == {
        "rows_checked": 4,
        "rows_missing": 1,
        "rows_extra": 1,
        "rows_different": 1,
        "rows_pending": 0,
    }
    warehouse.load("form", [form("f4", user_id="u1"), form("f5", user_id="u5")])
    assert warehouse.run("app_status_compare") == {
        "rows_checked": 5,
        "rows_missing": 1,
        "rows_extra": 1,
        "rows_different": 0,
        "rows_pending": 2,
    }
    counts = warehouse.run("app_status_from_all", batch_id=0)
    assert (counts["rows_inserted"], counts["rows_updated"], counts["rows_deleted"]) == (2, 1, 1)
    assert warehouse.run("app_status_compare")["rows_pending"] == 0


def user(user_id, **changes):
    record = {
        "user_id": user_id,
        "username": user_id + "@river",
        "first_name": "Asha",
        "last_name": "K",
        "doc_type": "CommCareUser",
        "base_doc": "CouchUser",
        "domain": "river",
        "assigned_location_ids": [],
        "domain_memberships": [],
        "version_time": at(1),
    }
    record.update(changes)
    return record


def the_report_shows_every_live_mobile_worker_and_nobody_else(warehouse):
    warehouse.load(
        "user",
        [
            user("u1"),
            user("u2"),
            user("u3"),
            user("w1", doc_type="WebUser", domain=None),
            user("gone", base_doc="CouchUser-Deleted"),
            user("demo_user"),
        ],
    )
    warehouse.load(
        "form",
        [
            form("f1"),
            form("f2", user_id="w1"),
            form("f3", user_id="gone"),
            form("f4", user_id="stranger"),
            form("f5", user_id="demo_user"),
        ],
    )
    warehouse.load("synclog", [sync("s1", user_id="u2", domain=None)])
    warehouse.derive("form")
    warehouse.derive("synclog")
    report = (
        "SELECT user_id, domain, application_id, application_name, application_version,"
        " commcare_version, to_char(last_submission, 'DD'), to_char(last_sync, 'DD')"
        " FROM warehouse.app_status_report ORDER BY user_id"
    )
    assert warehouse.sql(report) == [
        ("u1", "river", "a1", "", "18", "2.47.1", "01", ""),
        ("u2", "river", "", "", "", "", "", "02"),
        ("u3", "river", "", "", "", "", "", ""),
    ]
    before = warehouse.sql("SELECT xmin FROM warehouse.app_status_fact")
    warehouse.load(
        "application",
        [
            {
                "application_id": "a1",
                "name": "Visits",
                "domain": "river",
                "doc_type": "Application",
                "version": 99,
                "version_time": at(1),
            },
            {
                "application_id": "b1",
                "name": "Visits",
                "domain": "river",
                "doc_type": "Application",
                "version": 17,
                "copy_of": "a1",
                "version_time": at(1),
            },
        ],
    )
    assert warehouse.sql(report)[0][3:5] == ("Visits", "17")
    assert warehouse.sql("SELECT xmin FROM warehouse.app_status_fact") == before


def the_newest_form_is_found_month_by_month_from_the_newest(warehouse):
    warehouse.load(
        "form", [form("f%d" % month, received_on=at(1, month)) for month in range(1, 13)]
    )
    warehouse.sql("SET enable_seqscan = off")
    plan = "\n".join(
        row[0] for row in warehouse.sql("EXPLAIN EXECUTE app_status_from_changes ('{1}', 2)")
    )
    append = plan[plan.index("Limit", plan.index("CTE counted")) :]
    places = [append.index("form_fact_2026_%02d" % month) for month in range(12, 0, -1)]
    assert places == sorted(places) and "Backward" in append, plan


def random_schedules_equal_the_definition(warehouse):
    seed = int(os.environ.get("SEED", random.randrange(10**6)))
    print("# seed %d" % seed)
    dice = random.Random(seed)
    world, syncs, staged = {}, {}, []
    derived = {"form": False, "synclog": False}
    for turn in range(120):
        act = dice.random()
        if act < 0.45:
            records = []
            for _ in range(dice.randrange(1, 6)):
                form_id = "f%d" % dice.randrange(14)
                records.append(
                    form(
                        form_id,
                        user_id=dice.choice(["u1", "u2", "u3", ""]),
                        app_id=dice.choice(["a1", "a2", None]),
                        state=dice.choice([1, 1, 1, 2, 8]),
                        received_on=at(dice.randrange(1, 5), dice.randrange(1, 4)),
                        deleted_on=dice.choice([None, None, None, at(9)]),
                        domain=dice.choice(["river", "hill", None]),
                        build_id=dice.choice(["b1", "b2", None]),
                        version_time=at(dice.randrange(1, 28)),
                    )
                )
            staged.append(
                ("form", records, warehouse.stage("form", records), warehouse.read_number)
            )
        elif act < 0.6:
            records = [
                sync(
                    "s%d" % dice.randrange(8),
                    user_id=dice.choice(["u1", "u2", "u4"]),
                    sync_date=at(dice.randrange(1, 28), dice.randrange(1, 4)),
                    domain=dice.choice(["lake", None]),
                    version_time=at(dice.randrange(1, 28)),
                )
                for _ in range(dice.randrange(1, 4))
            ]
            staged.append(
                ("synclog", records, warehouse.stage("synclog", records), warehouse.read_number)
            )
        elif act < 0.8 and staged:
            feed, records, batch, number = staged.pop(dice.randrange(len(staged)))
            pending = any(other[0] == feed and other[3] < number for other in staged)
            warehouse.transform(feed, batch, pending_older=pending)
            store = world if feed == "form" else syncs
            key = feed + "_id"
            for line, record in enumerate(records):
                version = (record["version_time"], number, line)
                if record[key] not in store or store[record[key]][0] < version:
                    store[record[key]] = (version, record)
        else:
            side = dice.choice(["form", "synclog"])
            warehouse.derive(side, everything=not derived[side] or dice.random() < 0.1)
            derived[side] = True
            if all(derived.values()):
                check_pending(warehouse)
    for side in derived:
        warehouse.derive(side, everything=not derived[side])
    assert status(warehouse) == expected(world, syncs), (
        seed,
        status(warehouse),
        expected(world, syncs),
    )
    drift = warehouse.run("app_status_compare")
    assert sum(drift.values()) == drift["rows_checked"], (seed, drift)


def check_pending(warehouse):
    drift = warehouse.run("app_status_compare")
    assert drift["rows_missing"] + drift["rows_extra"] + drift["rows_different"] == 0, drift


def expected(world, syncs):
    """The definition of DESIGN.md, part 7, in Python."""

    def short(time):
        return time[5:10] if time else ""

    latest = {}
    for _, record in syncs.values():
        user_id = record["user_id"]
        order = (record["sync_date"], record["synclog_id"])
        if user_id and (user_id not in latest or latest[user_id][0] < order):
            latest[user_id] = (order, record)
    best = {}
    for _, record in world.values():
        if record["state"] != 1 or record.get("deleted_on") or not record["user_id"]:
            continue
        key = (record["user_id"], record["app_id"] or "")
        order = (record["received_on"], record["form_id"])
        if key not in best or best[key][0] < order:
            best[key] = (order, record)
    rows = []
    for (user_id, app_id), (_, record) in best.items():
        synced = latest.get(user_id, (None, {}))[1]
        rows.append(
            (
                user_id,
                app_id,
                short(record["received_on"]),
                record["form_id"],
                record["build_id"] or "",
                str(record["app_version"]),
                record["commcare_version"],
                short(synced.get("sync_date")),
                record["domain"] or synced.get("domain") or "",
            )
        )
    for user_id, (_, record) in latest.items():
        if user_id not in {key[0] for key in best}:
            rows.append(
                (
                    user_id,
                    "",
                    "",
                    "",
                    "",
                    "",
                    "",
                    short(record["sync_date"]),
                    record["domain"] or "",
                )
            )
    return sorted(rows)


TESTS = [
    value
    for value in list(globals().values())
    if callable(value)
    and value.__module__ == __name__
    and value.__code__.co_varnames[: value.__code__.co_argcount] == ("warehouse",)
    and value.__name__ not in ("status", "check_pending")
]

if __name__ == "__main__":
    main(TESTS, Warehouse)
