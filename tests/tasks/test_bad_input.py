#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# time-limit: 600
"""Hostile values in every place that names a row, numbers at every edge, and odd files: each is
staged and carried to the end, or is a reject with its reason; none is in any output."""

import json
import os
import random
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import documents as doc  # noqa: E402
import learning  # noqa: E402
from factline import Warehouse  # noqa: E402
from harness import check, equal, for_each, lacks, main, test  # noqa: E402
from records import FEEDS, RECORDS, transform_of  # noqa: E402

MARK = "telltale"


def transform(warehouse, feed, run):
    return warehouse.run(transform_of(feed), feed, "--batch-id", run["batch_id"], "--verbose")


def places(value):
    """Each text of a record, at any depth: a function that makes the record with another there."""
    if isinstance(value, str):
        yield lambda other: other
    elif isinstance(value, dict):
        for name in value:
            for put in places(value[name]):
                yield lambda other, name=name, put=put: {**value, name: put(other)}
    elif isinstance(value, list):
        for place, element in enumerate(value):
            for put in places(element):
                yield lambda other, place=place, put=put: (
                    value[:place] + [put(other)] + value[place + 1 :]
                )


def carry(feed, lines, *options):
    """Loads and transforms lines; what comes of them. Neither step says anything of them."""
    warehouse = Warehouse()
    run = warehouse.load(feed, lines, "--max-rejects", "100%", "--verbose", *options)
    done = transform(warehouse, feed, run)
    for step in (run, done):
        lacks(step.output.lower(), MARK, f"output of {step}")
    return warehouse, run


# ---- texts ----

# What servers, shells and terminals read otherwise.
HOSTILE = [
    f"{MARK}\\.",
    "\\.",
    f"{MARK}\t\\t\\n\\N",
    f'{MARK}\\"\\\\',
    f"'; DROP TABLE etl.batch; -- {MARK}",
    f"$1 %s {{}} {MARK}",
    f"{MARK} e\u0301 \u0130 \u00df \u202e \U0001f600 \u2028",
    f"{MARK}\n\r\x1b[2J\x7f",
    f" {MARK} ",
    "NULL",
    "null",
    "",
]


@for_each(FEEDS)
def hostile_texts_are_carried_or_rejected_wherever_they_stand(feed):
    record = RECORDS[feed]
    lines = [json.dumps(put(text)) for put in places(record) for text in HOSTILE]
    warehouse, run = carry(feed, lines)
    # ids of another shape, times and choices are refused, or the record is another feed's
    reasons = {row[0] for row in warehouse.rejects()}
    allowed = {
        "bad_timestamp",
        "missing_field",
        "wrong_type",
        "bad_number",
        "bad_integer",
        "invalid_context_key",
        "invalid_usage_key",
        "usage_key_missing_type",
        "context_mismatch",
        "state_not_json",
        "bad_boolean",
    }
    check(reasons <= allowed, f"reasons {reasons - allowed}")
    if feed not in ("student_module_history", "certificate"):
        check(run["rows_staged"] >= len(HOSTILE) - 2, f"only {run['rows_staged']} are staged")


@test
def a_hostile_text_arrives_as_it_is():
    warehouse, _ = carry("form", [doc.form(text) for text in HOSTILE if text])
    seen = warehouse.sql.tuples("SELECT form_id FROM warehouse.form_fact")
    equal(sorted(row[0] for row in seen), sorted(text for text in HOSTILE if text), "form ids")


@for_each(FEEDS)
def a_text_that_no_index_takes_is_carried_or_rejected_as_too_long(feed):
    # that it cannot be compressed is what makes it long to an index
    letters = random.Random(1).choices("abcdefghijklmnopqrstuvwxyz0123456789", k=100_000)
    text = MARK + "".join(letters)
    lines = [json.dumps(put(text)) for put in places(RECORDS[feed])]
    warehouse, _ = carry(feed, lines)
    reasons = {row[0] for row in warehouse.rejects()}
    allowed = {"too_long", "key_too_long", "wrong_type", "bad_timestamp", "state_not_json"}
    check(reasons <= allowed, f"reasons {reasons - allowed}")


@for_each(["form_id", "domain", "app_id", "user_id", "build_id"])
def an_id_of_a_megabyte_is_a_reject_that_names_its_column(column):
    warehouse, run = carry("form", [doc.form("f1"), {**doc.form("f2"), column: "x" * 1_000_000}])
    equal((run["rows_staged"], run["rows_rejected"]), (1, 1), "counts")
    equal(warehouse.rejects(), [("too_long", column)], "rejects")


@test
def the_longest_ids_are_carried_to_the_end():
    letters = random.Random(2).choices("abcdefghijklmnopqrstuvwxyz0123456789", k=1000)
    longest = "".join(letters)
    warehouse, run = carry(
        "form", [doc.form(longest, domain=longest, user_id=longest, app_id=longest)]
    )
    equal(run["rows_rejected"], 0, "rows_rejected")
    warehouse.run("app-status-from-fact", "form")
    carry("user", [doc.user(longest, domain=longest, assigned_location_ids=[longest])])
    carry(
        "course_access_role",
        [{**RECORDS["course_access_role"], "org": longest[:255], "role": longest[:255]}],
    )


# ---- numbers ----

# Its spelling, and what is said where a whole number is wanted; None: it is one.
NUMBERS = [
    ("-0", None),
    ("9007199254740992", None),
    ("-9007199254740992", None),
    ("9007199254740993", "bad_integer"),
    ("-9223372036854775808", "bad_integer"),
    ("18446744073709551616", "bad_integer"),
    ("1e400", "bad_integer"),
    ("1.10", "bad_integer"),
    ("1e2", "bad_integer"),
    ("01", "bad_json"),
    ("NaN", "bad_json"),
    ("Infinity", "bad_json"),
    ('"1"', "wrong_type"),
]


def spelled(record, name, text):
    rest = {key: value for key, value in record.items() if key != name}
    return json.dumps(rest)[:-1] + f', "{name}": {text}}}'


@test
def whole_numbers_are_exact_or_rejects():
    warehouse, _ = carry(
        "application", [spelled(doc.app("anc"), "version", text) for text, _ in NUMBERS]
    )
    seen = dict(warehouse.sql.tuples("SELECT position, reason FROM etl.rejected_row"))
    expected = {place: reason for place, (_, reason) in enumerate(NUMBERS, 1) if reason is not None}
    equal(seen, expected, "reasons")


FLOATS = [("1.7976931348623157e308", None), ("5e-324", None), ("-0", None), ("1.10", None)]
FLOATS += [("1e400", "bad_number"), ("-1e400", "bad_number"), ("9" * 400, "bad_number")]


@test
def numbers_with_a_fraction_are_finite_or_rejects():
    warehouse, _ = carry(
        "student_module",
        [spelled(learning.module(1, "a", 1, 2), "grade", text) for text, _ in FLOATS],
    )
    seen = dict(warehouse.sql.tuples("SELECT position, reason FROM etl.rejected_row"))
    expected = {place: reason for place, (_, reason) in enumerate(FLOATS, 1) if reason is not None}
    equal(seen, expected, "reasons")


@for_each(["[1e999999]", "[-1e-999999]", f"[{'1' * 200_000}]", f"[[{'[' * 990 + ']' * 990}]]"])
def a_list_that_jsonb_cannot_take_does_not_stop_the_others(text):
    odd = spelled(learning.module(1, "a", 1, 2), "state", '{"selected": %s}' % text)
    _, run = carry("student_module", [odd, learning.module(2, "a", 1, 2)])
    equal((run["rows_staged"], run["rows_rejected"]), (2, 0), "counts")


# ---- files ----


def one_line(record):
    return json.dumps(record).encode()


GOOD = one_line(doc.form("good"))
HEADER = b"form_id,received_on\n"

# Bytes of a file, its format; exit status, rows staged and reasons.
FILES = {
    "nothing": (b"", "ndjson", 0, 0, []),
    "a byte order mark alone": (b"\xef\xbb\xbf", "ndjson", 0, 0, []),
    "one newline": (b"\n", "ndjson", 0, 0, []),
    "blank lines and CRLF": (b"\r\n \r\n" + GOOD + b"\r\n\t\n", "ndjson", 0, 1, []),
    "no final newline": (GOOD + b"\n" + GOOD, "ndjson", 0, 2, []),
    "a cut last line": (GOOD + b"\n" + GOOD[:-20], "ndjson", 0, 1, ["bad_json"]),
    "two documents on a line": (GOOD + GOOD, "ndjson", 0, 0, ["trailing_text"]),
    "a second byte order mark": (
        GOOD + b"\n\xef\xbb\xbf" + GOOD,
        "ndjson",
        0,
        1,
        ["bad_json"],
    ),
    "UTF-16": (b"\xff\xfe" + GOOD.decode().encode("utf-16-le"), "ndjson", 0, 0, ["bad_encoding"]),
    "an overlong slash": (GOOD.replace(b"river", b"\xc0\xaf"), "ndjson", 0, 0, ["bad_encoding"]),
    "a raw NUL": (GOOD.replace(b"river", b"\0"), "ndjson", 0, 0, ["nul_character"]),
    "a line that is a dot": (b"\\.\n" + GOOD, "ndjson", 0, 1, ["bad_json"]),
    "a gzip header alone": (b"\x1f\x8b", "ndjson", 74, 0, []),
    "a zstd header alone": (b"\x28\xb5\x2f\xfd", "ndjson", 74, 0, []),
    "a table without records": (HEADER, "csv", 0, 0, []),
    "a table that begins with a blank line": (b"\n" + HEADER, "csv", 65, 0, []),
    "a table with a name twice": (b"form_id,received_on,form_id\n", "csv", 65, 0, []),
    "a table of another encoding": (b"form_id,received_on,\xff\n", "csv", 65, 0, []),
    "a quote that is never closed": (
        HEADER + b'f1,2024-01-05\n"f2,2024-01-05\nf3,2024-01-05\n',
        "csv",
        0,
        2,
        ["bad_escape"],
    ),
    "a stray quote": (HEADER + b'f"1,2024-01-05\nf2,2024-01-05\n', "csv", 0, 1, ["bad_escape"]),
    "cells too many and too few": (
        HEADER + b"f1\nf2,2024-01-05,x\n\nf3,2024-01-05",
        "csv",
        0,
        1,
        ["field_count"] * 3,
    ),
    "bytes of a table that are no text": (
        HEADER + b"f\xff,2024-01-05\nf\0,2024-01-05\nf3,2024-01-05\r\n",
        "csv",
        0,
        1,
        ["bad_encoding", "nul_character"],
    ),
    "escapes that mysql does not print": (
        HEADER.replace(b",", b"\t") + b"f\\x\t2024-01-05\nf\\0\t2024-01-05\nf3\t2024-01-05\\\n",
        "tsv",
        0,
        0,
        ["bad_escape", "nul_character", "bad_escape"],
    ),
    "NULL for an id": (
        HEADER.replace(b",", b"\t") + b"NULL\t2024-01-05\n\t2024-01-05\nnull\t2024-01-05\n",
        "tsv",
        0,
        1,
        ["missing_field", "missing_field"],
    ),
}


@for_each(sorted(FILES))
def an_odd_file_is_read_as_it_is_meant_or_refused(name):
    data, kind, status, staged, reasons = FILES[name]
    warehouse = Warehouse()
    path = os.path.join(warehouse.folder, f"odd.{kind}")
    with open(path, "wb") as file:
        file.write(data)
    run = warehouse.run("load-staging", "form", "--source", path, expect=status)
    lacks(run.output, "2024-01-05", "output")
    if status == 0:
        equal(run["rows_staged"], staged, "rows_staged")
    equal([row[0] for row in warehouse.rejects()], reasons, "reasons")
    equal(warehouse.sql.number("SELECT count(*) FROM staging.form"), staged, "staged rows")


if __name__ == "__main__":
    main()
