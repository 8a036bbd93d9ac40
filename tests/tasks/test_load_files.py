#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""load-staging from files and standard input: shapes, windows, run keys, generations."""

import gzip
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import documents as doc  # noqa: E402
from factline import Warehouse, ndjson  # noqa: E402
from harness import check, contains, equal, for_each, lacks, main, same_rows, test  # noqa: E402


def staged(warehouse, feed, columns):
    return warehouse.sql.tuples(f"SELECT {columns} FROM staging.{feed} ORDER BY batch_id, line_no")


@test
def a_file_of_forms_is_staged_line_by_line():
    warehouse = Warehouse()
    run = warehouse.load(
        "form", [doc.form("f1"), doc.form("f2", "2024-03-02T10:00:00.123456+05:30")]
    )
    equal(
        (run["rows_read"], run["rows_staged"], run["rows_rejected"], run["rows_skipped"]),
        (2, 2, 0, 0),
        "counts",
    )
    equal(
        staged(warehouse, "form", "form_id, received_on, line_no, is_tombstone"),
        [
            ("f1", "2024-03-02T09:00:00+00:00", 1, False),
            ("f2", "2024-03-02T04:30:00.123456+00:00", 2, False),
        ],
        "staging",
    )
    equal(
        run["bytes_read"],
        os.path.getsize(os.path.join(warehouse.folder, "records1.ndjson")),
        "bytes_read",
    )


@test
def standard_input_is_a_source():
    warehouse = Warehouse()
    run = warehouse.run(
        "load-staging",
        "form",
        "--source",
        "-",
        "--run-key",
        "k",
        stdin=ndjson([doc.form("f1"), doc.form("f2")]),
    )
    equal(run["rows_staged"], 2, "rows_staged")


@test
def gzip_is_recognised_by_its_first_bytes_whatever_the_name():
    warehouse = Warehouse()
    packed = gzip.compress(ndjson([doc.form("f1")])) + gzip.compress(
        ndjson([doc.form("f2"), doc.form("f3")])
    )
    path = os.path.join(warehouse.folder, "forms.ndjson")
    with open(path, "wb") as file:
        file.write(packed)
    equal(
        warehouse.run("load-staging", "form", "--source", path)["rows_staged"], 3, "rows of a file"
    )
    run = warehouse.run("load-staging", "form", "--source", "-", stdin=packed)
    equal(run["rows_staged"], 3, "rows of standard input")


@test
def a_cut_gzip_stream_is_an_io_error_and_nothing_is_staged():
    warehouse = Warehouse()
    packed = gzip.compress(ndjson([doc.form(f"f{n}") for n in range(2000)]))[:-500]
    warehouse.run("load-staging", "form", "--source", "-", stdin=packed, expect=74)
    equal(warehouse.sql.number("SELECT count(*) FROM staging.form"), 0, "staged rows")


@test
def several_files_are_one_batch():
    warehouse = Warehouse()
    one, two = warehouse.file([doc.form("f1")]), warehouse.file([doc.form("f2"), doc.form("f3")])
    run = warehouse.run("load-staging", "form", "--source", one, "--source", two)
    equal(run["rows_staged"], 3, "rows_staged")
    equal(
        warehouse.sql.tuples(
            "SELECT has_watermark, rows_staged FROM etl.batch_source ORDER BY" " rows_staged"
        ),
        [(False, 1), (False, 2)],
        "batch_source",
    )


@test
def carriage_returns_a_byte_order_mark_blank_lines_and_a_missing_last_newline_are_accepted():
    warehouse = Warehouse()
    lines = [json.dumps(doc.form(name)).encode() for name in ("f1", "f2")]
    run = warehouse.run(
        "load-staging",
        "form",
        "--source",
        "-",
        stdin=b"\xef\xbb\xbf" + lines[0] + b"\r\n\r\n\n" + lines[1],
    )
    equal((run["rows_staged"], run["rows_rejected"]), (2, 0), "counts")


@test
def an_empty_file_completes_its_batch_by_itself():
    warehouse = Warehouse()
    run = warehouse.load("form", [])
    equal((run["rows_read"], run["rows_staged"]), (0, 0), "counts")
    equal(warehouse.batch(run["batch_id"])["state"], "complete", "state")
    equal(warehouse.transform("form", run)["status"], "nothing-to-do", "status of the transform")
    run = warehouse.load("form", [], "--skip-if-empty", expect=99)
    equal(run.stdout, "", "standard output of a skip")


@test
def documents_come_plain_as_changes_and_as_rows_of_all_docs():
    warehouse = Warehouse()
    run = warehouse.load(
        "user",
        [
            doc.user("plain"),
            doc.change(doc.user("changed")),
            "",
            doc.all_docs_row(doc.user("listed")),
            doc.web_user("web"),
            {"key": "no-such-id", "error": "not_found"},
            {"_id": "_design/users", "_rev": "1-a", "language": "javascript", "views": {}},
            doc.change({"_id": "_design/x", "_rev": "1-a", "views": {}}),
            doc.group("g1"),
        ],
    )
    same_rows(
        staged(warehouse, "user", "user_id, is_tombstone"),
        [("plain", False), ("changed", False), ("listed", False), ("web", False)],
        "staging",
    )
    equal((run["rows_read"], run["rows_rejected"]), (4, 0), "rows read")
    check(run["rows_skipped"] >= 4, "not_found, two design documents and a group are skipped")


@test
def true_deletions_are_tombstones_in_both_shapes():
    warehouse = Warehouse()
    run = warehouse.load(
        "group",
        [
            doc.group("north"),
            doc.deletion("north"),
            {"id": "south", "key": "south", "value": {"rev": "5-0c", "deleted": True}, "doc": None},
        ],
    )
    equal(run["rows_staged"], 3, "rows_staged")
    same_rows(
        staged(warehouse, "group", "group_id, is_tombstone"),
        [("north", False), ("north", True), ("south", True)],
        "staging",
    )


@test
def entries_of_the_public_form_api_are_forms():
    warehouse = Warehouse()
    loaded = warehouse.load(
        "form", [doc.api_form("f1"), doc.api_form("f2", archived=True, user_id="ben")]
    )
    warehouse.transform("form", loaded)
    equal(
        warehouse.sql.tuples("""SELECT form_id, user_id, app_id, build_id, xmlns, state,
                                    app_version::text,
                                         commcare_version, time_start, received_on
                                    FROM warehouse.form_fact ORDER BY form_id"""),
        [
            (
                "f1",
                "asha",
                "anc",
                "anc-18",
                "http://openrosa.org/formdesigner/1A2B",
                1,
                "18",
                "2.47.1",
                "2024-03-02T08:59:01+00:00",
                "2024-03-02T09:00:00+00:00",
            ),
            (
                "f2",
                "ben",
                "anc",
                "anc-18",
                "http://openrosa.org/formdesigner/1A2B",
                2,
                "18",
                "2.47.1",
                "2024-03-02T08:59:01+00:00",
                "2024-03-02T09:00:00+00:00",
            ),
        ],
        "facts",
    )


@for_each(["results", "rows", "objects"])
def a_wrapped_answer_is_a_reject_that_says_how_to_unwrap(name):
    warehouse = Warehouse()
    feed, record = (
        ("form", doc.api_form("f1")) if name == "objects" else ("user", doc.change(doc.user()))
    )
    run = warehouse.load(feed, [{name: [record], "total_rows": 1}], "--max-rejects", "0", expect=65)
    equal(warehouse.rejects(), [("wrapped_document", "")], "rejects")
    contains(run.stderr, name, "the remedy")


@test
def the_version_of_a_form_is_the_greatest_of_its_times():
    warehouse = Warehouse()
    base = "2024-03-02T09:00:00Z"
    warehouse.load(
        "form",
        [
            doc.form("received", base, server_modified_on=None),
            doc.form("modified", base, server_modified_on="2024-03-03T00:00:00Z"),
            doc.form("edited", base, edited_on="2024-03-04T00:00:00Z"),
            doc.form("deleted", base, deleted_on="2024-03-05T00:00:00+01:00"),
            doc.form(
                "operated",
                base,
                operations=[
                    {"operation": "archive", "date": "2024-03-06T00:00:00Z"},
                    {"operation": "unarchive", "date": "2024-03-05T00:00:00Z"},
                ],
            ),
        ],
    )
    equal(
        staged(warehouse, "form", "form_id, version_time"),
        [
            ("received", "2024-03-02T09:00:00+00:00"),
            ("modified", "2024-03-03T00:00:00+00:00"),
            ("edited", "2024-03-04T00:00:00+00:00"),
            ("deleted", "2024-03-04T23:00:00+00:00"),
            ("operated", "2024-03-06T00:00:00+00:00"),
        ],
        "versions",
    )


@test
def an_explicit_window_filters_a_file_with_start_exclusive_and_end_inclusive():
    warehouse = Warehouse()
    window = ("--since", "2024-03-01T00:00:00Z", "--until", "2024-03-02T00:00:00Z")
    run = warehouse.load(
        "user",
        [
            doc.user("at-start", "2024-03-01T00:00:00Z"),
            doc.user("just-after", "2024-03-01T00:00:00.000001Z"),
            doc.user("at-end", "2024-03-02T01:00:00+01:00"),
            doc.user("after", "2024-03-02T00:00:00.000001Z"),
            doc.user("timeless", ...),
        ],
        *window,
    )
    equal(
        [row[0] for row in staged(warehouse, "user", "user_id")], ["just-after", "at-end"], "staged"
    )
    equal(warehouse.batch(run["batch_id"])["kind"], "backfill", "kind")


@test
def the_same_run_key_finds_the_same_batch():
    warehouse = Warehouse()
    path = warehouse.file([doc.form("f1")])
    first = warehouse.run("load-staging", "form", "--source", path, "--run-key", "k")
    again = warehouse.run("load-staging", "form", "--source", path, "--run-key", "k")
    equal(
        (again["batch_id"], again["status"], again["attempt"]),
        (first["batch_id"], "already-done", 1),
        "again",
    )
    by_id = warehouse.run("load-staging", "form", "--source", path, "--batch-id", first["batch_id"])
    equal((by_id["batch_id"], by_id["status"]), (first["batch_id"], "already-done"), "by id")


@test
def without_a_run_key_each_load_is_a_batch_of_its_own():
    warehouse = Warehouse()
    path = warehouse.file([doc.form("f1")])
    ids = {warehouse.run("load-staging", "form", "--source", path)["batch_id"] for _ in range(3)}
    equal(len(ids), 3, "batches")


@test
def two_feeds_with_one_run_key_do_not_meet():
    warehouse = Warehouse()
    forms = warehouse.load("form", [doc.form("f1")], key="dag/run")
    users = warehouse.load("user", [doc.user()], key="dag/run")
    check(forms["batch_id"] != users["batch_id"], "two workflows share a batch")


@test
def the_same_run_key_with_another_source_or_window_is_a_usage_error():
    warehouse = Warehouse()
    one, two = warehouse.file([doc.form("f1")]), warehouse.file([doc.form("f2")])
    warehouse.run("load-staging", "form", "--source", one, "--run-key", "k")
    for options in (
        ["--source", two],
        ["--source", one, "--source", two],
        ["--source", one, "--since", "2024-01-01", "--until", "2024-02-01"],
    ):
        run = warehouse.run("load-staging", "form", *options, "--run-key", "k", expect=64)
        contains(run.error, "--run-key", "the remedy")
    equal(warehouse.sql.number("SELECT count(*) FROM etl.batch"), 1, "batches")


@test
def a_missing_file_is_an_io_error_and_names_the_file():
    warehouse = Warehouse()
    path = os.path.join(warehouse.folder, "not-there-yet.ndjson")
    run = warehouse.run("load-staging", "form", "--source", path, "--run-key", "k", expect=74)
    contains(run.error, "not-there-yet.ndjson", "error line")
    warehouse.file([doc.form("f1")], "not-there-yet.ndjson")
    equal(
        warehouse.run("load-staging", "form", "--source", path, "--run-key", "k")["rows_staged"],
        1,
        "the retry",
    )


@test
def a_folder_is_no_file():
    warehouse = Warehouse()
    warehouse.run("load-staging", "form", "--source", warehouse.folder, expect=74)


@test
def a_batch_id_of_another_workflow_is_a_usage_error():
    warehouse = Warehouse()
    users = warehouse.load("user", [doc.user()])
    path = warehouse.file([doc.form("f1")])
    warehouse.run(
        "load-staging", "form", "--source", path, "--batch-id", users["batch_id"], expect=64
    )
    warehouse.run("load-staging", "form", "--source", path, "--batch-id", "4711", expect=64)


@test
def force_opens_a_new_generation_and_supersedes_what_was_not_complete():
    warehouse = Warehouse()
    path = warehouse.file([doc.form("f1")])
    command = ["load-staging", "form", "--source", path, "--run-key", "k"]
    first = warehouse.run(*command)
    second = warehouse.run(*command, "--force")
    check(second["batch_id"] != first["batch_id"], "no new batch")
    equal(second["status"], "done", "status")
    equal(
        warehouse.sql.tuples("SELECT generation, state FROM etl.batch ORDER BY id"),
        [(1, "superseded"), (2, "staged")],
        "generations",
    )
    equal(warehouse.run(*command)["batch_id"], second["batch_id"], "the key's batch")
    warehouse.run("transform-fact", "form", "--batch-id", first["batch_id"], expect=(64, 65))
    equal(
        warehouse.sql.number("SELECT count(*) FROM warehouse.form_fact"),
        0,
        "facts of a superseded batch",
    )
    warehouse.run("transform-fact", "form", "--run-key", "k")
    third = warehouse.run(*command, "--force")
    equal(
        warehouse.sql.tuples("SELECT generation, state FROM etl.batch ORDER BY id"),
        [(1, "superseded"), (2, "complete"), (3, "staged")],
        "a complete batch stays complete",
    )
    equal(warehouse.run(*command)["batch_id"], third["batch_id"], "the key's batch")


@test
def a_wrong_number_of_expected_rows_stages_nothing():
    warehouse = Warehouse()
    path = warehouse.file([doc.form("f1"), doc.form("f2")])
    warehouse.run("load-staging", "form", "--source", path, "--expect-rows", "3", expect=65)
    equal(warehouse.sql.number("SELECT count(*) FROM staging.form"), 0, "staged rows")
    equal(
        warehouse.run("load-staging", "form", "--source", path, "--expect-rows", "2")[
            "rows_staged"
        ],
        2,
        "rows",
    )


@test
def an_open_window_is_filled_by_the_file_that_follows():
    warehouse = Warehouse()
    opened = warehouse.run(
        "load-staging", "form", "--open-window", "--source", "-", "--run-key", "k", expect=None
    )
    if opened.status == 64:
        opened = warehouse.run("load-staging", "form", "--open-window", "--run-key", "k")
    equal(opened["rows_staged"], 0, "rows_staged")
    check(opened["until"] is not None, "the window has no end")
    path = warehouse.file([doc.api_form("f1")])
    filled = warehouse.run(
        "load-staging", "form", "--batch-id", opened["batch_id"], "--source", path
    )
    equal(
        (filled["batch_id"], filled["since"], filled["until"], filled["rows_staged"]),
        (opened["batch_id"], opened["since"], opened["until"], 1),
        "the filled batch",
    )
    warehouse.transform("form", filled)
    following = warehouse.run(
        "load-staging", "form", "--open-window", "--run-key", "k2", "--overlap", "0s"
    )
    equal(following["since"], opened["until"], "the next window's start")


@test
def text_of_any_length_and_script_arrives_as_it_was():
    warehouse = Warehouse()
    name = (
        "N\u00e4me \U0001f600 \u0bb5\u0ba3\u0b95\u0bcd e\u0301 \\N \\. tab\t quote\" 'x';"
        " line\nbreak\r" + "z" * 5000
    )
    loaded = warehouse.load(
        "user", [doc.user("u1", username=name), doc.user("u2", first_name="\u007f\u0001")]
    )
    warehouse.transform("user", loaded)
    equal(
        warehouse.sql.tuples("SELECT username FROM warehouse.user_dim WHERE user_id = 'u1'"),
        [(name,)],
        "username",
    )
    check(loaded.stdout.isascii(), "the result is ASCII")


@test
def staged_rows_of_a_failed_load_are_not_there():
    warehouse = Warehouse()
    lines = [doc.form(f"f{n}") for n in range(500)] + ["{broken"] * 20
    warehouse.load("form", lines, "--max-rejects", "3", expect=65)
    equal(warehouse.sql.number("SELECT count(*) FROM staging.form"), 0, "staged rows")
    equal(
        warehouse.sql.tuples("SELECT state, failed_status FROM etl.batch"),
        [("failed", 65)],
        "the batch",
    )


@test
def a_failed_load_is_repaired_by_its_retry_in_the_same_batch():
    warehouse = Warehouse()
    path = warehouse.file(["{broken"] * 20, "forms.ndjson")
    warehouse.run("load-staging", "form", "--source", path, "--run-key", "k", expect=65)
    warehouse.file([doc.form("f1")], "forms.ndjson")
    run = warehouse.run("load-staging", "form", "--source", path, "--run-key", "k")
    equal((run["status"], run["rows_staged"], run["attempt"]), ("done", 1, 2), "the retry")
    equal(warehouse.sql.number("SELECT count(*) FROM etl.batch"), 1, "batches")
    lacks(run.stderr, "broken", "log")


if __name__ == "__main__":
    main()
