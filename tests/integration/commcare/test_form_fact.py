#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Forms and sync logs become facts: one row each, the greater version wins, nothing unchanged is
written, every changed key is logged before and after."""

from statements import Warehouse, main

DAY = "2026-03-%02dT10:00:00Z"


def form(form_id="f1", **changes):
    record = {
        "form_id": form_id,
        "domain": "river",
        "app_id": "a1",
        "xmlns": "x",
        "user_id": "u1",
        "received_on": DAY % 1,
        "state": 1,
        "app_version": 18,
        "build_id": "b1",
        "commcare_version": "2.47.1",
        "version_time": DAY % 1,
    }
    record.update(changes)
    return record


def sync(synclog_id="s1", **changes):
    record = {
        "synclog_id": synclog_id,
        "sync_date": DAY % 2,
        "domain": "river",
        "user_id": "u1",
        "app_id": "a1",
        "build_id": "b1",
        "duration": 3,
        "version_time": DAY % 2,
    }
    record.update(changes)
    return record


def pick(counts, *names):
    return tuple(counts["rows_" + name] for name in names)


def facts(warehouse, columns, table="form_fact", key="form_id"):
    return warehouse.sql("SELECT %s FROM warehouse.%s ORDER BY %s" % (columns, table, key))


def logged(warehouse, batch, table="form_change_log"):
    return warehouse.sql(
        "SELECT u.user_id, a.application_id FROM warehouse.%s AS log"
        " JOIN warehouse.user_dim AS u ON u.id = log.user_dim_id"
        " JOIN warehouse.application_dim AS a ON a.id = log.app_dim_id"
        " WHERE log.batch_id = %d ORDER BY 1, 2" % (table, batch)
    )


def a_new_form_is_inserted_with_inferred_members(warehouse):
    counts = warehouse.load("form", [form()])
    assert pick(counts, "inserted") == (1,) and counts["members_inferred"] == 4, counts
    assert facts(warehouse, "form_id, user_id, app_id, build_id, domain") == [
        ("f1", "u1", "a1", "b1", "river")
    ]
    assert (
        warehouse.one(
            "SELECT bool_and(is_inferred AND NOT deleted) FROM warehouse.user_dim"
            " WHERE user_id = 'u1'"
        )
        == "t"
    )


def loading_twice_writes_once(warehouse):
    warehouse.load("form", [form()])
    before = facts(warehouse, "ctid, xmin, batch_id")
    counts = warehouse.load("form", [form()])
    assert pick(counts, "inserted", "updated", "unchanged") == (0, 0, 1), counts
    assert facts(warehouse, "ctid, xmin, batch_id") == before
    assert warehouse.one("SELECT count(DISTINCT batch_id) FROM warehouse.form_change_log") == "1"


def a_form_without_user_app_build_or_domain_has_the_unknown_members(warehouse):
    warehouse.load(
        "form",
        [
            form("f1", user_id=None, app_id=None, build_id=None, domain=None),
            form("f2", user_id="", app_id="", build_id="", domain=""),
        ],
    )
    assert (
        facts(warehouse, "user_dim_id, app_dim_id, build_dim_id, domain_dim_id")
        == [("0", "0", "0", "0")] * 2
    )
    assert warehouse.one("SELECT count(*) FROM warehouse.user_dim") == "1"


def a_form_of_an_unknown_user_keeps_its_raw_user_id(warehouse):
    warehouse.load("form", [form(user_id="nobody-knows")])
    assert facts(warehouse, "user_id") == [("nobody-knows",)]


def an_edit_updates_all_columns(warehouse):
    warehouse.load("form", [form()])
    edited = form(
        version_time=DAY % 5,
        edited_on=DAY % 5,
        deleted_on=DAY % 5,
        state=2,
        app_version=19,
        build_id="b2",
        app_id="a2",
        user_id="u2",
        domain="hill",
        xmlns="y",
        commcare_version="2.48",
        time_start=DAY % 3,
        time_end=DAY % 4,
        server_modified_on=DAY % 5,
    )
    counts = warehouse.load("form", [edited])
    assert pick(counts, "updated") == (1,), counts
    row = facts(
        warehouse,
        "to_jsonb(form_fact) - 'id' - 'version_time' - 'read_number'"
        " - 'batch_id' - 'received_on'",
    )
    for name, value in edited.items():
        if name in ("version_time", "received_on"):
            continue
        wanted = str(value).replace("Z", "+00:00")
        assert wanted in row[0][0], (name, row)
    assert (
        warehouse.one(
            "SELECT u.user_id || a.application_id || b.application_id || d.domain"
            " FROM warehouse.form_fact AS f"
            " JOIN warehouse.user_dim AS u ON u.id = f.user_dim_id"
            " JOIN warehouse.application_dim AS a ON a.id = f.app_dim_id"
            " JOIN warehouse.application_dim AS b ON b.id = f.build_dim_id"
            " JOIN warehouse.domain_dim AS d ON d.id = f.domain_dim_id"
        )
        == "u2a2b2hill"
    )


def an_old_batch_does_not_rewind_a_fact(warehouse):
    warehouse.load("form", [form(state=2, version_time=DAY % 5)])
    counts = warehouse.load("form", [form(state=1, version_time=DAY % 4)])
    assert pick(counts, "older", "updated") == (1, 0), counts
    assert facts(warehouse, "state") == [("2",)]


def at_equal_times_the_later_read_wins_whichever_comes_first(warehouse):
    late = warehouse.stage("form", [form(state=2)], read_number=20)
    early = warehouse.stage("form", [form(state=1)], read_number=10)
    warehouse.transform("form", late)
    assert pick(warehouse.transform("form", early), "older") == (1,)
    assert facts(warehouse, "state") == [("2",)]


def of_two_lines_in_a_batch_the_greater_version_wins_then_the_later_line(warehouse):
    counts = warehouse.load(
        "form",
        [
            form(state=4, version_time=DAY % 6),
            form(state=1, version_time=DAY % 5),
            form("f2", state=1),
            form("f2", state=2),
        ],
    )
    assert pick(counts, "inserted", "duplicate") == (2, 2), counts
    assert facts(warehouse, "state") == [("4",), ("2",)]


def an_unchanged_form_with_a_later_time_raises_its_version_only(warehouse):
    warehouse.load("form", [form(state=2)])
    before = facts(warehouse, "ctid, xmin, batch_id")
    counts = warehouse.load("form", [form(state=2, version_time=DAY % 9)])
    assert pick(counts, "unchanged", "updated") == (1, 0), counts
    assert facts(warehouse, "ctid, xmin, batch_id") == before
    assert pick(warehouse.load("form", [form(state=1, version_time=DAY % 8)]), "older") == (1,)


def an_unchanged_form_of_a_server_read_is_raised_only_while_an_older_read_is_pending(warehouse):
    warehouse.load("form", [form()], own_times=False)
    version = "SELECT version_time::text FROM warehouse.form_key"
    first = warehouse.one(version)
    warehouse.load("form", [form(version_time=DAY % 9)], own_times=False)
    assert warehouse.one(version) == first
    warehouse.load("form", [form(version_time=DAY % 9)], own_times=False, pending_older=True)
    assert warehouse.one(version) != first


def a_form_that_moves_to_another_user_logs_both(warehouse):
    warehouse.load("form", [form()])
    batch = warehouse.stage("form", [form(user_id="u2", version_time=DAY % 5)])
    warehouse.transform("form", batch)
    assert logged(warehouse, batch) == [("u1", "a1"), ("u2", "a1")]


def a_changed_received_on_keeps_one_row_and_logs_both_keys(warehouse):
    for month, day in (("04", 3), ("03", 4)):  # into another month, and back into the first
        other = "2026-%s-%02dT00:00:00Z" % (month, day)
        warehouse.load("form", [form()])
        batch = warehouse.stage(
            "form",
            [
                form(
                    received_on=other,
                    user_id="u" + month,
                    version_time="2026-06-%02dT00:00:00Z" % (10 - day),
                )
            ],
        )
        counts = warehouse.transform("form", batch)
        assert pick(counts, "updated", "inserted") == (1, 0), counts
        assert facts(warehouse, "to_char(received_on, 'YYYY-MM-DD')") == [(other[:10],)]
        assert (
            warehouse.one(
                "SELECT count(*) FROM warehouse.form_key AS k JOIN warehouse.form_fact"
                " AS f ON f.id = k.id AND f.received_on = k.received_on"
            )
            == "1"
        )
        assert len(logged(warehouse, batch)) == 2
        warehouse.sql("DELETE FROM warehouse.form_fact; DELETE FROM warehouse.form_key")


def a_received_on_that_moves_within_its_month_keeps_one_row(warehouse):
    warehouse.load("form", [form()])
    warehouse.load("form", [form(received_on=DAY % 2, version_time=DAY % 5)])
    assert facts(warehouse, "to_char(received_on, 'DD')") == [("02",)]
    counts = warehouse.load("form", [form(received_on=DAY % 2, state=2, version_time=DAY % 6)])
    assert pick(counts, "updated") == (1,)


def a_row_that_a_trigger_swallows_breaks_the_balance(warehouse):
    warehouse.load("form", [form()])
    warehouse.sql(
        "CREATE FUNCTION public.swallow() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RETURN NULL; END $$"
    )
    warehouse.sql(
        "CREATE TRIGGER swallow BEFORE INSERT OR UPDATE ON warehouse.form_fact"
        " FOR EACH ROW EXECUTE FUNCTION public.swallow()"
    )
    for records in ([form("f2")], [form(state=2, version_time=DAY % 5)]):
        batch = warehouse.stage("form", records)
        counts = warehouse.run(
            "form_fact", batch_id=batch, pending_older=False, own_times=True, rows_staged=1
        )
        assert counts["rows_staged"] == 1 and sum(counts.values()) == 1, counts


def a_missing_dimension_row_is_refused_and_never_becomes_unknown(warehouse):
    batch = warehouse.stage("form", [form()])
    warehouse.run("form_months", batch_id=batch)
    try:
        warehouse.run(
            "form_fact", batch_id=batch, pending_older=False, own_times=True, rows_staged=1
        )
    except AssertionError as error:
        assert "null value in column" in str(error), error
    else:
        raise AssertionError("a form without its members was taken")


def a_sync_log_is_one_row_and_logs_the_user_it_left(warehouse):
    counts = warehouse.load("synclog", [sync("s1"), sync("s2", sync_date="2026-05-01T00:00:00Z")])
    assert pick(counts, "inserted") == (2,) and counts["members_inferred"] == 4, counts
    batch = warehouse.stage(
        "synclog",
        [
            sync("s1", user_id="u9", version_time=DAY % 9),
            sync("s2", sync_date="2026-05-01T00:00:00Z"),
        ],
    )
    counts = warehouse.transform("synclog", batch)
    assert pick(counts, "updated", "unchanged") == (1, 1), counts
    assert warehouse.sql(
        "SELECT u.user_id FROM warehouse.synclog_change_log AS log"
        " JOIN warehouse.user_dim AS u ON u.id = log.user_dim_id"
        " WHERE log.batch_id = %d ORDER BY 1" % batch
    ) == [("u1",), ("u9",)]
    assert facts(warehouse, "user_id", "synclog_fact", "synclog_id") == [("u9",), ("u1",)]


def a_sync_log_without_domain_or_user_is_taken(warehouse):
    counts = warehouse.load("synclog", [sync(domain=None, user_id="", app_id=None, build_id=None)])
    assert pick(counts, "inserted") == (1,) and counts["members_inferred"] == 0, counts


def long_texts_and_hostile_names_are_stored_as_they_are(warehouse):
    hostile = "Robert'); DROP TABLE warehouse.form_fact; --\\x %s \u00e9\U0001f600"
    warehouse.load(
        "form",
        [form(hostile, commcare_version="9" * 5000, user_id=hostile, domain=hostile, xmlns="\t")],
    )
    assert facts(warehouse, "form_id, length(commcare_version), domain") == [
        (hostile, "5000", hostile)
    ]


def months_are_cut_in_utc(warehouse):
    warehouse.load(
        "form",
        [
            form("f1", received_on="2026-03-01T00:00:00+02:00"),
            form("f2", received_on="2026-03-01T00:00:00Z"),
        ],
    )
    assert warehouse.sql(
        "SELECT inhrelid::regclass::text FROM pg_inherits"
        " WHERE inhparent = 'warehouse.form_fact'::regclass ORDER BY 1"
    ) == [("warehouse.form_fact_2026_02",), ("warehouse.form_fact_2026_03",)]


def a_batch_is_judged_alike_by_probes_and_along_all_keys(warehouse):
    """All keys are gone along where a page of them has 32 records or more."""
    warehouse.load("form", [form("f%d" % n) for n in range(1000)])
    pages = int(warehouse.one("SELECT pg_relation_size('warehouse.form_key') / 8192"))
    for count, time in ((pages * 32, 5), (pages * 32 + 1, 6)):
        kinds = (
            {"version_time": DAY % time, "state": time},  # changed
            {"version_time": DAY % time, "received_on": DAY % time},  # moved
            {"version_time": DAY % time},  # unchanged
        )
        records = [form("f%d" % n, **kinds[n % 3]) for n in range(count - 5)]
        records += [form("f999", version_time="2026-02-01T00:00:00Z", state=2)]  # older
        records += [form("n%d" % count), form("n%d" % count)]  # new, and named twice
        records += [form("f998", version_time=DAY % time, state=time)] * 2
        counts = warehouse.load("form", records)
        moved = len([n for n in range(count - 5) if n % 3 == 1])
        changed = len([n for n in range(count - 5) if n % 3 == 0])
        unchanged = count - 5 - moved - changed
        assert pick(counts, "inserted", "updated", "unchanged", "duplicate", "older") == (
            1,
            moved + changed + 1,
            unchanged,
            2,
            1,
        ), counts
    assert (
        warehouse.one("SELECT count(*) = count(DISTINCT form_id) FROM warehouse.form_fact") == "t"
    )
    assert warehouse.one("SELECT count(*) FROM warehouse.form_fact") == "1002"
    assert (
        warehouse.one(
            "SELECT count(*) FROM warehouse.form_fact AS fact JOIN warehouse.form_key AS key"
            " ON key.id = fact.id AND key.form_id = fact.form_id"
            " AND key.received_on = fact.received_on"
        )
        == "1002"
    )


TESTS = [
    value
    for value in list(globals().values())
    if callable(value)
    and value.__module__ == __name__
    and value.__code__.co_varnames[: value.__code__.co_argcount] == ("warehouse",)
]

if __name__ == "__main__":
    main(TESTS, Warehouse)
