#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Records that cannot be staged: every reason, the budget, what is kept of them."""

import hashlib
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import documents as doc  # noqa: E402
from factline import Warehouse  # noqa: E402
from harness import check, equal, for_each, lacks, main, test  # noqa: E402

FORM = json.dumps(doc.form("f1"))


def changed(**members):
    return json.dumps(doc.without_none({**doc.form("f1"), **members}))


def raw(name, text):
    """The form with a member whose value is spelled as given."""
    record = doc.form("f1")
    record.pop(name, None)
    return json.dumps(record)[:-1] + f', "{name}": {text}}}'


def deep(depth):
    return raw("extra", "[" * depth + "]" * depth)


# The list of reasons has none for a document that is no object.
NO_OBJECT = ("bad_json", "wrong_type", "missing_field")

# A line, and the reason with the column for which it is rejected.
REJECTED = [
    ("{broken", "bad_json", ""),
    ("[1,2]", NO_OBJECT, ""),
    ('"text"', NO_OBJECT, ""),
    ("null", NO_OBJECT, ""),
    ("17", NO_OBJECT, ""),
    ("nonsense", "bad_json", ""),
    (FORM[:-1], "bad_json", ""),
    (FORM.replace("{", "{,", 1), "bad_json", ""),
    (FORM[:-1] + ",}", "bad_json", ""),
    (raw("extra", "01"), "bad_json", ""),
    (raw("extra", "NaN"), "bad_json", ""),
    (raw("extra", "+1"), "bad_json", ""),
    (raw("extra", "'x'"), "bad_json", ""),
    (raw("extra", '"line\tbreak"'), "bad_json", ""),
    (deep(1001), "bad_json", ""),
    (FORM + " x", "trailing_text", ""),
    (FORM + FORM, "trailing_text", ""),
    (FORM[:-1] + ', "form_id": "f2"}', "duplicate_key", ""),
    (FORM[:-1] + ', "form\\u005fid": "f2"}', "duplicate_key", ""),
    (raw("extra", '{"a": {"b": 1, "b": 2}}'), "duplicate_key", ""),
    (raw("extra", '"\\u0000"'), "nul_character", ""),
    (raw("extra\\u0000", "1"), "nul_character", ""),
    (FORM.replace("river", "ri\0ver").encode(), "nul_character", ""),
    (FORM.encode().replace(b"river", b"ri\xffver"), "bad_encoding", ""),
    (FORM.encode().replace(b"river", b"ri\xc0\xafver"), "bad_encoding", ""),
    (FORM.encode().replace(b"river", b"ri\xed\xa0\x80ver"), "bad_encoding", ""),
    (FORM.encode().replace(b"river", b"ri\xf4\x90\x80\x80ver"), "bad_encoding", ""),
    (raw("extra", '"\\ud800"'), "bad_escape", ""),
    (raw("extra", '"\\udc00\\ud800"'), "bad_escape", ""),
    (raw("extra", '"\\x41"'), "bad_escape", ""),
    (changed(form_id=...), "missing_field", "form_id"),
    (changed(form_id=None), "missing_field", "form_id"),
    (changed(form_id=""), "missing_field", "form_id"),
    (changed(Form_Id="f2", form_id=...), "missing_field", "form_id"),
    (changed(received_on=..., server_modified_on="2024-03-02"), "missing_field", "received_on"),
    (changed(form_id=7), "wrong_type", "form_id"),
    (changed(form_id=["f1"]), "wrong_type", "form_id"),
    (changed(received_on=1772442000), "wrong_type", "received_on"),
    (changed(app_id={"a": 1}), "wrong_type", "app_id"),
    (raw("state", "9007199254740993"), "bad_integer", "state"),
    (raw("app_version", "18446744073709551616"), "bad_integer", "app_version"),
    (raw("state", "1e2"), "bad_integer", "state"),
    (raw("state", "1.5"), "bad_integer", "state"),
    (changed(received_on="yesterday"), "bad_timestamp", "received_on"),
    (
        changed(received_on="2024-02-30T00:00:00Z"),
        ("bad_timestamp", "time_out_of_range"),
        "received_on",
    ),
    (changed(received_on="infinity"), "bad_timestamp", "received_on"),
    (changed(edited_on="2024-03-02T09"), "bad_timestamp", "edited_on"),
    (changed(received_on="2004-12-31T23:59:59Z"), "time_out_of_range", "received_on"),
    (changed(received_on="9999-01-01T00:00:00Z"), "time_out_of_range", "received_on"),
    (changed(received_on="0001-01-01T00:00:00Z"), "time_out_of_range", "received_on"),
]


@test
def records_that_cannot_be_staged_are_kept_with_their_reasons_and_the_load_goes_on():
    warehouse = Warehouse()
    lines = [line if isinstance(line, bytes) else line.encode() for line, _, _ in REJECTED]
    mixed = [
        part for number, line in enumerate(lines) for part in (line, doc.form(f"good{number}"))
    ]
    run = warehouse.load("form", mixed, "--max-rejects", "100%")
    rows = warehouse.sql.rows("""SELECT position, reason, column_name, feed, batch_id, full_length,
                                        encode(bytes, 'hex') AS hex FROM etl.rejected_row""")
    kept = {row["position"]: row for row in rows}
    wrong = []
    for number, (line, (_, reason, column)) in enumerate(zip(lines, REJECTED)):
        row = kept.pop(2 * number + 1, None)
        reasons = (reason,) if isinstance(reason, str) else reason
        if row is None:
            wrong.append(f"{line[:90]} was not rejected; expected {reasons}")
        elif row["reason"] not in reasons or column and row["column_name"] != column:
            wrong.append(
                f"{line[:90]}: expected {reasons} {column}, seen {row['reason']} "
                f"{row['column_name']}"
            )
        elif (bytes.fromhex(row["hex"]), row["full_length"]) != (line, len(line)):
            wrong.append(f"{line[:90]}: the bytes or the length are not those of the line")
        elif (row["feed"], row["batch_id"]) != ("form", int(run["batch_id"])):
            wrong.append(f"{line[:90]}: feed or batch {row['feed']} {row['batch_id']}")
    wrong += [f"line {position} is good and was rejected" for position in kept]
    check(not wrong, "\n      ".join(["rejects"] + wrong))
    equal(
        (run["rows_read"], run["rows_staged"], run["rows_rejected"]),
        (2 * len(lines), len(lines), len(lines)),
        "counts",
    )


# What looks odd and is taken.
TAKEN = [
    changed(received_on="2024-03-02T09:00:00.1234567Z"),
    changed(received_on="2024-03-02 09:00:00"),
    changed(received_on="2024-03-02"),
    changed(received_on="2024-03-02T24:00:00Z"),
    changed(received_on="2024-03-02T23:59:60Z"),
    changed(received_on="2024-03-02T09:00:00+14:00"),
    changed(time_start="1970-01-01T00:00:00Z"),
    changed(time_end="9999-12-31T23:59:59Z"),
    changed(user_id=None),
    changed(user_id=""),
    changed(user_id=...),
    changed(app_id=...),
    changed(state=...),
    changed(build_id=None),
    changed(server_modified_on=...),
    changed(commcare_version="2.53.0-beta.very-long.1234567"),
    changed(FORM_ID="another case is another name"),
    raw("extra", "1e400"),
    raw("extra", "-0"),
    raw("extra", "123456789012345678901234567890"),
    deep(990),
    " " + FORM + " \t",
    changed(form_id="x" * 1000),
    raw("extra", '"\\ud83d\\ude00"'),
]


@test
def odd_records_are_taken_as_they_are():
    warehouse = Warehouse()
    run = warehouse.load("form", TAKEN, "--max-rejects", "100%")
    wrong = [
        f"{TAKEN[position - 1][:90]}: {reason} {column}"
        for position, reason, column in warehouse.sql.tuples(
            "SELECT position, reason, column_name FROM etl.rejected_row"
        )
    ]
    check(not wrong, "\n      ".join(["rejected"] + wrong))
    equal(run["rows_staged"], len(TAKEN), "rows_staged")
    warehouse.transform("form", run)


@test
def a_sync_log_without_a_date_is_a_reject():
    warehouse = Warehouse()
    run = warehouse.load(
        "synclog", [doc.synclog(1), doc.synclog(2, date=None), doc.synclog(3, date=...)]
    )
    equal((run["rows_staged"], run["rows_rejected"]), (1, 2), "counts")
    equal({row[0] for row in warehouse.rejects()}, {"missing_field"}, "reasons")


@test
def a_form_from_the_future_is_a_reject_beyond_one_day():
    warehouse = Warehouse()
    ahead = [
        warehouse.sql.value(f"""SELECT to_char(now() AT TIME ZONE 'UTC' + interval '{hours} hours',
                           'YYYY-MM-DD"T"HH24:MI:SS"Z"')""") for hours in (20, 26)
    ]
    run = warehouse.load("form", [doc.form("a-little", ahead[0]), doc.form("too-much", ahead[1])])
    equal((run["rows_staged"], run["rows_rejected"]), (1, 1), "counts")
    equal(warehouse.rejects(), [("time_out_of_range", "received_on")], "rejects")


@test
def a_plain_budget_is_judged_at_once_and_nothing_is_staged():
    warehouse = Warehouse()
    lines = [doc.form(f"f{n}") for n in range(100)] + ["{broken"] * 4
    warehouse.load("form", lines, "--max-rejects", "3", expect=65)
    equal(warehouse.sql.number("SELECT count(*) FROM staging.form"), 0, "staged rows")
    check(
        warehouse.sql.number("SELECT count(*) FROM etl.rejected_row") >= 3, "the rejects are kept"
    )
    equal(
        warehouse.load("form", lines, "--max-rejects", "4")["rows_staged"],
        100,
        "rows within the budget",
    )


@test
def a_budget_in_percent_is_judged_at_the_end_of_input():
    warehouse = Warehouse()
    lines = ["{broken"] * 5 + [doc.form(f"f{n}") for n in range(95)]
    equal(
        warehouse.load("form", lines, "--max-rejects", "5%")["rows_staged"],
        95,
        "rows within the budget",
    )
    warehouse.load("form", lines[:-1], "--max-rejects", "5%", expect=65)


@test
def the_default_budget_is_the_greater_of_ten_and_one_percent():
    warehouse = Warehouse()
    forms = [doc.form(f"f{n}") for n in range(1500)]
    equal(warehouse.load("form", forms[:20] + ["{"] * 10)["rows_rejected"], 10, "ten are taken")
    warehouse.load("form", forms[:20] + ["{"] * 11, expect=65)
    equal(
        warehouse.load("form", forms[:1485] + ["{"] * 15)["rows_rejected"],
        15,
        "one percent is taken",
    )
    warehouse.load("form", forms[:1484] + ["{"] * 16, expect=65)


@test
def over_the_budget_the_first_thousand_rejects_are_kept():
    warehouse = Warehouse()
    warehouse.load("form", ["{broken"] * 1500, expect=65)
    equal(
        warehouse.sql.tuples(
            "SELECT count(*), min(position), max(position) FROM" " etl.rejected_row"
        ),
        [(1000, 1, 1000)],
        "rejects",
    )
    equal(warehouse.sql.tuples("SELECT state FROM etl.batch"), [("failed",)], "state")


@test
def a_record_above_the_maximum_is_kept_by_its_head_length_and_hash():
    warehouse = Warehouse()
    line = changed(extra="x" * 200_000)
    run = warehouse.load("form", [doc.form("f0"), line, doc.form("f2")], "--max-record", "100000")
    equal((run["rows_staged"], run["rows_rejected"]), (2, 1), "counts")
    row = warehouse.sql.rows("""SELECT reason, full_length, sha256, position, encode(bytes,
                                  'hex') AS hex
                                  FROM etl.rejected_row""")[0]
    equal(bytes.fromhex(row.pop("hex")).decode(), line[:65536], "bytes kept")
    equal(
        row,
        {
            "reason": "too_long",
            "full_length": len(line),
            "position": 2,
            "sha256": hashlib.sha256(line.encode()).hexdigest(),
        },
        "the reject",
    )


@test
def a_record_of_some_megabytes_is_taken_by_default():
    warehouse = Warehouse()
    record = doc.app("anc", modules=[{"forms": ["x" * 1000] * 3000}])
    equal(warehouse.load("application", [record])["rows_staged"], 1, "rows_staged")


@test
def a_rejected_record_above_a_mebibyte_is_kept_by_its_head():
    warehouse = Warehouse()
    line = changed(received_on="yesterday", extra="x" * 1_200_000)
    warehouse.load("form", [line])
    equal(
        warehouse.sql.tuples("SELECT full_length, length(bytes), sha256 FROM etl.rejected_row"),
        [(len(line), 65536, hashlib.sha256(line.encode()).hexdigest())],
        "the reject",
    )


@test
def passwords_and_phone_numbers_are_blanked_in_rejects():
    warehouse = Warehouse()
    warehouse.load(
        "user",
        [
            doc.user(
                "u1",
                last_modified="yesterday",
                password="pbkdf2_sha256$tell-tale",
                phone_numbers=["4911222333"],
            )
        ],
    )
    text = warehouse.sql.value("SELECT encode(bytes, 'escape') FROM etl.rejected_row")
    check("u1" in text, "the rest of the record is kept")
    lacks(text, "tell-tale", "the kept bytes")
    lacks(text, "4911222333", "the kept bytes")


@for_each(["csv", "tsv"])
def secrets_are_blanked_in_rejects_of_tables(kind):
    warehouse = Warehouse()
    comma = {"csv": ",", "tsv": "\t"}[kind]
    path = os.path.join(warehouse.folder, f"users.{kind}")
    with open(path, "w", encoding="utf-8") as file:
        for cells in (
            ["password", "id", "username", "phone_number"],
            ['"tell,tale"', "one", "ann", "+4911222333"],
        ):
            file.write(comma.join(cells) + "\n")
    warehouse.run("load-staging", "learner", "--source", path)
    equal(
        warehouse.sql.value("SELECT encode(bytes, 'escape') FROM etl.rejected_row"),
        {"csv": ",one,ann,", "tsv": "NULL\tone\tann\tNULL"}[kind],
        "the kept bytes",
    )


@test
def rejects_are_of_no_concern_to_other_roles():
    warehouse = Warehouse()
    equal(
        warehouse.sql.value(
            "SELECT has_table_privilege('pg_monitor', 'etl.rejected_row'," " 'SELECT')"
        ),
        "f",
        "a foreign role may read rejects",
    )


if __name__ == "__main__":
    main()
