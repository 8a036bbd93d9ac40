#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""app-status-from-fact: the definition, whatever the order of batches and of what happened."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import documents as doc  # noqa: E402
from factline import Warehouse  # noqa: E402
from harness import check, contains, equal, for_each, main, same_rows, test  # noqa: E402
from source import SourceDatabase  # noqa: E402


def day(number, hour=9):
    return f"2024-03-{number:02d}T{hour:02d}:00:00Z"


def at(number, hour=9):
    return f"2024-03-{number:02d}T{hour:02d}:00:00+00:00"


def rows(warehouse):
    """(user, app, newest form, its time, newest sync)"""
    return warehouse.status_rows()


@test
def each_user_and_app_has_the_newest_counted_form_and_the_user_s_newest_sync():
    warehouse = Warehouse()
    warehouse.take(
        "form",
        [
            doc.form("a1", day(1)),
            doc.form("a2", day(3)),
            doc.form("a3", day(2)),
            doc.form("b1", day(4), app_id="pnc", build_id="pnc-3"),
            doc.form("n1", day(5), app_id=None),
            doc.form("x1", day(9), state=2),
            doc.form("x2", day(9), state=4),
            doc.form("x3", day(9), state=8),
            doc.form("x4", day(9), state=16),
            doc.form("x5", day(9), state=65),
            doc.form("x6", day(9), deleted_on=day(10)),
            doc.form("nobody", day(9), user_id=None),
            doc.form("c1", day(6), user_id="ben"),
        ],
    )
    warehouse.take(
        "synclog",
        [
            doc.synclog(1, day(2)),
            doc.synclog(2, day(7)),
            doc.synclog(3, day(6)),
            doc.synclog(4, day(8), user_id="cleo"),
            doc.synclog(5, day(8), user_id=""),
        ],
    )
    warehouse.app_status()
    same_rows(
        rows(warehouse),
        [
            ("asha", "anc", "a2", at(3), at(7)),
            ("asha", "pnc", "b1", at(4), at(7)),
            ("asha", None, "n1", at(5), at(7)),
            ("ben", "anc", "c1", at(6), None),
            ("cleo", None, None, None, at(8)),
        ],
        "app status",
    )


@test
def the_columns_of_a_row_are_those_of_its_newest_form():
    warehouse = Warehouse()
    warehouse.take(
        "application", [doc.app(), doc.build("anc-18", version=18), doc.build("anc-19", version=19)]
    )
    warehouse.take(
        "form",
        [
            doc.form(
                "f1",
                day(1),
                build_id="anc-18",
                app_version=18,
                commcare_version="2.47.1",
                domain="hill",
            ),
            doc.form(
                "f2",
                day(2),
                build_id="anc-19",
                app_version=19,
                commcare_version="2.48.0",
                domain="river",
            ),
        ],
    )
    warehouse.app_status()
    equal(
        warehouse.sql.tuples("""
        SELECT s.last_form_id, s.last_form_submission_date, b.application_id,
          s.last_form_app_version::text,
               s.last_form_commcare_version, s.domain
          FROM warehouse.app_status_fact AS s
          JOIN warehouse.application_dim AS b ON b.id = s.last_form_build_dim_id"""),
        [("f2", at(2), "anc-19", "19", "2.48.0", "river")],
        "the row",
    )


@test
def of_forms_received_at_the_same_moment_the_greatest_id_wins():
    warehouse = Warehouse()
    for order in (["f-b", "f-c", "f-a"], ["F-z", "f-Z"]):
        warehouse.take("form", [doc.form(name, day(1)) for name in order])
    warehouse.app_status()
    equal(rows(warehouse), [("asha", "anc", "f-c", at(1), None)], "app status")


@test
def archiving_falls_back_to_the_form_before_and_unarchiving_returns():
    warehouse, source = Warehouse(), SourceDatabase()
    source.add_form("old", day(1))
    source.add_form("new", day(2))
    warehouse.take_from("form", [source])
    warehouse.app_status("form")
    equal(rows(warehouse), [("asha", "anc", "new", at(2), None)], "at first")
    source.archive("new")
    warehouse.take_from("form", [source])
    run = warehouse.app_status("form")
    equal((run["rows_updated"], run["rows_inserted"], run["rows_deleted"]), (1, 0, 0), "counts")
    equal(rows(warehouse), [("asha", "anc", "old", at(1), None)], "archived")
    source.archive("old")
    warehouse.take_from("form", [source])
    equal(warehouse.app_status("form")["rows_deleted"], 1, "rows_deleted")
    equal(rows(warehouse), [], "both archived")
    source.unarchive("new")
    warehouse.take_from("form", [source])
    warehouse.app_status("form")
    equal(rows(warehouse), [("asha", "anc", "new", at(2), None)], "unarchived")


@for_each(["form first", "sync log first"])
def a_user_with_syncs_alone_has_one_row_without_app_until_a_form_counts(order):
    warehouse = Warehouse()
    warehouse.take("synclog", [doc.synclog(1, day(5))])
    warehouse.app_status()
    equal(rows(warehouse), [("asha", None, None, None, at(5))], "syncs alone")
    warehouse.take("form", [doc.form("f1", day(6))])
    warehouse.take("synclog", [doc.synclog(2, day(7))])
    warehouse.app_status(*(("form", "synclog") if order == "form first" else ("synclog", "form")))
    equal(rows(warehouse), [("asha", "anc", "f1", at(6), at(7))], "with a form")
    warehouse.take("form", [doc.form("f1", day(6), state=2, server_modified_on=day(8))])
    warehouse.app_status("form")
    equal(rows(warehouse), [("asha", None, None, None, at(7))], "the form archived")


@test
def a_form_that_moves_to_another_user_touches_both():
    warehouse = Warehouse()
    warehouse.take(
        "form",
        [doc.form("f1", day(1)), doc.form("f2", day(2)), doc.form("f3", day(1), user_id="ben")],
    )
    warehouse.app_status("form")
    warehouse.take("form", [doc.form("f2", day(2), user_id="ben", server_modified_on=day(3))])
    equal(warehouse.app_status("form")["keys_touched"] >= 2, True, "keys_touched")
    equal(
        rows(warehouse),
        [("asha", "anc", "f1", at(1), None), ("ben", "anc", "f2", at(2), None)],
        "app status",
    )
    warehouse.take("form", [doc.form("f1", day(1), user_id=None, server_modified_on=day(4))])
    warehouse.app_status("form")
    equal(rows(warehouse), [("ben", "anc", "f2", at(2), None)], "asha has no form left")


@test
def a_form_that_moves_to_another_app_touches_both():
    warehouse = Warehouse()
    warehouse.take("form", [doc.form("f1", day(1)), doc.form("f2", day(2))])
    warehouse.app_status("form")
    warehouse.take("form", [doc.form("f2", day(2), app_id="pnc", server_modified_on=day(3))])
    warehouse.app_status("form")
    equal(
        rows(warehouse),
        [("asha", "anc", "f1", at(1), None), ("asha", "pnc", "f2", at(2), None)],
        "app status",
    )


@test
def a_form_that_moves_to_another_month_keeps_the_row_right():
    warehouse = Warehouse()
    warehouse.take("form", [doc.form("f1", day(1)), doc.form("f2", day(2))])
    warehouse.app_status("form")
    warehouse.take("form", [doc.form("f2", "2024-02-01T00:00:00Z", server_modified_on=day(3))])
    warehouse.app_status("form")
    equal(rows(warehouse), [("asha", "anc", "f1", at(1), None)], "moved back in time")


@test
def nothing_new_is_nothing_to_do_and_makes_no_batch():
    warehouse = Warehouse()
    warehouse.take("form", [doc.form("f1", day(1))])
    first = warehouse.app_status("form")
    count = warehouse.sql.number("SELECT count(*) FROM etl.batch")
    run = warehouse.app_status("form")
    equal((run["status"], run["batch_id"], run["batches"]), ("nothing-to-do", "", []), "the line")
    equal(warehouse.sql.number("SELECT count(*) FROM etl.batch"), count, "batches")
    warehouse.run("app-status-from-fact", "form", "--skip-if-empty", expect=99)
    check(first["batch_id"] != "", "the first run has a batch")


@test
def the_first_run_records_all_complete_batches():
    warehouse = Warehouse()
    ids = [warehouse.take("form", [doc.form(f"f{n}", day(n))])["batch_id"] for n in (1, 2, 3)]
    run = warehouse.app_status("form")
    equal(sorted(run["batches"], key=int), ids, "batches")
    same_rows(
        warehouse.sql.tuples("SELECT consumer, source_batch_id FROM etl.batch_consumption"),
        [("app_status_form", int(batch)) for batch in ids],
        "consumption",
    )


@test
def a_long_list_of_batches_is_told_by_its_ends():
    warehouse = Warehouse()
    warehouse.take("form", [doc.form("f1", day(1))])
    warehouse.app_status("form")
    source_ids = warehouse.sql.run("""
        INSERT INTO etl.batch (workflow, run_key, fingerprint, kind, since, until, state,
          completed_at,
                               rows_staged)
        SELECT 'form', 'many/' || n, 'x', 'incremental', '-infinity', now(), 'complete', now(), 1
          FROM generate_series(1, 900) AS n RETURNING id""")
    run = warehouse.app_status("form")
    equal(run["batches"], {"count": 900, "first": source_ids[0], "last": source_ids[-1]}, "batches")
    check(len(run.stdout) <= 4096, "the line is too long")


@test
def a_batch_that_completes_after_a_later_one_was_consumed_is_consumed_next():
    warehouse = Warehouse()
    early = warehouse.load("form", [doc.form("f1", day(9))])
    late = warehouse.take("form", [doc.form("f2", day(2))])
    equal(warehouse.app_status("form")["batches"], [late["batch_id"]], "the later one")
    warehouse.transform("form", early)
    equal(warehouse.app_status("form")["batches"], [early["batch_id"]], "the earlier one")
    equal(rows(warehouse), [("asha", "anc", "f1", at(9), None)], "app status")


@test
def a_batch_is_consumed_once():
    warehouse = Warehouse()
    one = warehouse.take("form", [doc.form("f1", day(1))])
    equal(warehouse.app_status("form")["batches"], [one["batch_id"]], "first")
    two = warehouse.take("form", [doc.form("f2", day(2))])
    equal(warehouse.app_status("form")["batches"], [two["batch_id"]], "second")


@test
def dates_select_successful_batches_again_by_the_end_of_their_windows():
    warehouse, source = Warehouse(), SourceDatabase()
    ids = []
    for number in (1, 2, 3):
        source.add_form(f"f{number}", day(number, 12), user_id=f"user{number}")
        run = warehouse.load_from(
            "form", [source], "--since", day(number, 0), "--until", day(number + 1, 0)
        )
        ids.append(warehouse.transform("form", run)["batch_id"])
    warehouse.app_status("form")

    def again(*options):
        return warehouse.run("app-status-from-fact", "form", *options)["batches"]

    equal(again("--from-date", day(2, 0), "--to-date", day(4, 0)), ids[1:], "(2, 4]")
    equal(again("--from-date", day(3, 0)), ids[2:], "after 3")
    equal(again("--to-date", "2024-03-03"), ids[:2], "until 3")
    equal(again("--from-date", "2024-04-01"), [], "none")
    equal(warehouse.sql.number("SELECT count(*) FROM etl.batch_consumption"), 3, "consumption")
    warehouse.sql.run("UPDATE warehouse.app_status_fact SET last_form_id = 'wrong'")
    run = warehouse.run("app-status-from-fact", "form", "--from-date", day(3, 0))
    equal(run["rows_updated"], 1, "rows_updated")
    equal(
        [row[2] for row in rows(warehouse)],
        ["wrong", "wrong", "f3"],
        "the keys of that batch alone",
    )
    warehouse.run(
        "app-status-from-fact", "form", "--from-date", day(3), "--to-date", day(2), expect=64
    )


@test
def dates_of_a_batch_that_was_not_consumed_consume_it():
    warehouse, source = Warehouse(), SourceDatabase()
    source.add_form("f1", day(1, 12))
    run = warehouse.load_from("form", [source], "--since", day(1, 0), "--until", day(2, 0))
    warehouse.transform("form", run)
    warehouse.run("app-status-from-fact", "form", "--to-date", day(5))
    equal(rows(warehouse), [("asha", "anc", "f1", at(1, 12), None)], "app status")
    equal(warehouse.app_status("form")["status"], "nothing-to-do", "afterwards")


@test
def force_repeats_what_a_run_key_has_done():
    warehouse = Warehouse()
    warehouse.take("form", [doc.form("f1")])
    first = warehouse.run("app-status-from-fact", "form", "--run-key", "k")
    warehouse.sql.run("DELETE FROM warehouse.app_status_fact")
    again = warehouse.run("app-status-from-fact", "form", "--run-key", "k", "--force")
    equal((again["status"], again["rows_inserted"]), ("done", 1), "the forced run")
    check(again["batch_id"] != first["batch_id"], "the forced run has no batch of its own")
    last = warehouse.run("app-status-from-fact", "form", "--run-key", "k")
    equal((last["status"], last["batch_id"]), ("already-done", again["batch_id"]), "the next run")


@test
def force_recomputes_all_keys():
    warehouse = Warehouse()
    warehouse.take("form", [doc.form("f1", day(1)), doc.form("f2", day(2), user_id="ben")])
    warehouse.app_status("form")
    expected = rows(warehouse)
    warehouse.sql.run("UPDATE warehouse.app_status_fact SET last_form_id = 'wrong'")
    warehouse.sql.run("""DELETE FROM warehouse.app_status_fact WHERE user_dim_id =
                         (SELECT id FROM warehouse.user_dim WHERE user_id = 'ben')""")
    run = warehouse.run("app-status-from-fact", "form", "--force")
    equal((run["rows_inserted"], run["rows_updated"]), (1, 1), "counts")
    equal(rows(warehouse), expected, "app status")


@test
def a_run_key_answers_the_same_run_again_though_more_has_come():
    warehouse = Warehouse()
    warehouse.take("form", [doc.form("f1", day(1))])
    first = warehouse.run("app-status-from-fact", "form", "--run-key", "r1")
    warehouse.take("form", [doc.form("f2", day(2))])
    again = warehouse.run("app-status-from-fact", "form", "--run-key", "r1")
    equal(again.stdout, first.stdout.replace('"done"', '"already-done"'), "the line")
    equal(rows(warehouse), [("asha", "anc", "f1", at(1), None)], "app status")
    warehouse.run("app-status-from-fact", "form", "--run-key", "r2")
    equal(rows(warehouse), [("asha", "anc", "f2", at(2), None)], "app status")


@test
def both_sides_at_once_take_turns_and_agree():
    warehouse = Warehouse()
    for number in range(3):
        warehouse.take(
            "form",
            [
                doc.form(f"f{number}-{user}", day(number + 1), user_id=f"u{user}")
                for user in range(0, 200)
            ],
        )
        warehouse.take(
            "synclog",
            [
                doc.synclog(1000 * number + user, day(number + 2), user_id=f"u{user}")
                for user in range(100, 300)
            ],
        )
        runs = [warehouse.start("app-status-from-fact", side) for side in ("form", "synclog")]
        for process in runs:
            process.wait().ended(0)
        seen = {row[0]: row[1:] for row in rows(warehouse)}
        equal(len(seen), 300, "rows")
        equal(
            seen["u150"],
            ("anc", f"f{number}-150", at(number + 1), at(number + 2)),
            "a user with both",
        )
        equal(seen["u250"], (None, None, None, at(number + 2)), "a user with syncs alone")
    warehouse.run("verify-app-status")


@test
def an_unchanged_row_is_not_written():
    warehouse = Warehouse()
    warehouse.take("form", [doc.form("f1", day(3))])
    warehouse.app_status("form")
    physical = "SELECT xmin, ctid FROM warehouse.app_status_fact"
    before = warehouse.sql.run(physical)
    warehouse.take("form", [doc.form("f0", day(1))])
    run = warehouse.app_status("form")
    equal((run["rows_updated"], run["rows_inserted"]), (0, 0), "counts")
    check(run["rows_unchanged"] >= 1, "rows_unchanged")
    equal(warehouse.sql.run(physical), before, "the row, physically")


# ---- the report ----


@test
def the_report_shows_each_worker_and_the_build_s_version():
    warehouse = Warehouse()
    warehouse.take(
        "user",
        [
            doc.user("asha"),
            doc.user("ben"),
            doc.user("gone", base_doc="CouchUser-Deleted"),
            doc.web_user("maria"),
        ],
    )
    warehouse.take("application", [doc.app(), doc.build("anc-18", version=18)])
    warehouse.take(
        "form",
        [
            doc.form("f1", day(1), app_version=None),
            doc.form("f2", day(2), user_id="gone"),
            doc.form("f3", day(2), user_id="maria"),
        ],
    )
    warehouse.app_status()
    equal(
        warehouse.report(
            "user_id, username, first_name, last_name, domain, application_id,"
            " application_name,"
            " application_version, commcare_version, last_submission, last_sync"
        ),
        [
            (
                "asha",
                "asha@river.commcarehq.org",
                "Asha",
                "K",
                "river",
                "anc",
                "Antenatal care",
                "18",
                "2.47.1",
                at(1),
                None,
            ),
            (
                "ben",
                "ben@river.commcarehq.org",
                "Ben",
                "K",
                "river",
                None,
                None,
                None,
                None,
                None,
                None,
            ),
        ],
        "report",
    )


@test
def a_build_that_comes_late_shows_its_version_without_touching_the_facts():
    warehouse = Warehouse()
    warehouse.take("user", [doc.user("asha")])
    warehouse.take("form", [doc.form("f1", day(1), app_version=7)])
    warehouse.app_status()
    equal(warehouse.report("application_version, application_name"), [("7", None)], "before")
    physical = [
        "SELECT xmin, ctid FROM warehouse.form_fact",
        "SELECT xmin, ctid FROM warehouse.app_status_fact",
    ]
    before = [warehouse.sql.run(query) for query in physical]
    warehouse.take("application", [doc.app(version=21), doc.build("anc-18", version=18)])
    equal(
        warehouse.report("application_version, application_name"),
        [("18", "Antenatal care")],
        "after",
    )
    equal([warehouse.sql.run(query) for query in physical], before, "facts, physically")


@test
def the_report_s_domain_is_the_form_s_else_the_sync_s_else_the_user_s():
    warehouse = Warehouse()
    warehouse.take("user", [doc.user(name, domain="home") for name in ("a", "b", "c", "d")])
    warehouse.take("form", [doc.form("f1", day(1), user_id="a", domain="forms")])
    warehouse.take(
        "synclog",
        [
            doc.synclog(1, day(2), user_id="a", domain="syncs"),
            doc.synclog(2, day(2), user_id="b", domain="syncs"),
            doc.synclog(3, day(2), user_id="c", domain=None),
        ],
    )
    warehouse.app_status()
    equal(
        warehouse.report("user_id, domain"),
        [("a", "forms"), ("b", "syncs"), ("c", "home"), ("d", "home")],
        "domains",
    )


@test
def the_acceptance_test_of_the_original():
    warehouse = Warehouse()
    warehouse.take("user", [doc.user("asha")])
    forms = warehouse.take(
        "form",
        [
            doc.form(
                f"f{n}", day(n), app_id=None, build_id=None, app_version=None, commcare_version=None
            )
            for n in (1, 2, 3)
        ],
    )
    syncs = warehouse.take("synclog", [doc.synclog(1, day(4))])
    equal((forms["rows_staged"], syncs["rows_staged"]), (3, 1), "staged")
    warehouse.app_status()
    equal(
        warehouse.report(
            "application_id, domain, last_submission, last_sync,"
            " application_version, commcare_version"
        ),
        [(None, "river", at(3), at(4), None, None)],
        "the one row",
    )


@test
def cleared_logs_cannot_be_selected_again_by_date():
    warehouse = Warehouse()
    warehouse.take("form", [doc.form("f1", day(1))])
    warehouse.app_status("form")
    warehouse.run("clear-staging")
    run = warehouse.run("app-status-from-fact", "form", "--from-date", "2020-01-01", expect=65)
    contains(run.error, "--force", "the hint")
    warehouse.run("app-status-from-fact", "form", "--force")


if __name__ == "__main__":
    main()
