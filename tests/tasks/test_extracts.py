#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""load-staging from tables with a header (CSV, TSV), and rejects that are exported and replayed."""

import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import documents as doc  # noqa: E402
from factline import Warehouse  # noqa: E402
from harness import check, contains, equal, for_each, main, same_rows, test  # noqa: E402

FORM = ["form_id", "domain", "app_id", "xmlns", "user_id", "received_on", "state", "app_version"]


def table(warehouse, name, *lines):
    path = os.path.join(warehouse.folder, name)
    with open(path, "wb") as file:
        file.write(b"".join(line if isinstance(line, bytes) else line.encode() for line in lines))
    return path


def load(warehouse, feed, path, *options, expect=0):
    return warehouse.run("load-staging", feed, "--source", path, *options, expect=expect)


def forms(warehouse):
    return warehouse.sql.tuples("""SELECT form_id, user_id, app_id, state, app_version
                                     FROM staging.form ORDER BY line_no""")


@test
def a_comma_separated_table_is_read_by_the_names_of_its_header():
    warehouse = Warehouse()
    path = table(
        warehouse,
        "forms.csv",
        "\ufeffstate,unknown,form_id,received_on,domain,xmlns,user_id,app_id,app_version\r\n",
        '1,x,f1,2024-03-01T00:00:00Z,river,x,"a ""quoted"", one",anc,18\r\n',
        '2,x,"line\nbreak",2024-03-01 00:00:00+05:30,river,x,,,\n',
    )
    run = load(warehouse, "form", path)
    equal((run["rows_read"], run["rows_staged"]), (2, 2), "counts")
    rows = forms(warehouse)
    equal(rows[0], ("f1", 'a "quoted", one', "anc", 1, 18), "the first row")
    equal((rows[1][0], rows[1][3], rows[1][4]), ("line\nbreak", 2, None), "the second row")
    equal(warehouse.transform("form", run)["rows_inserted"], 2, "rows_inserted")


@test
def a_tab_separated_table_is_what_mysql_prints():
    warehouse = Warehouse()
    path = table(
        warehouse,
        "forms.tsv",
        "\t".join(FORM) + "\n",
        "f\\t1\\n\\\\x\triver\tNULL\tx\tasha\t2024-03-01 00:00:00\t1\tNULL\n",
    )
    equal(load(warehouse, "form", path)["rows_staged"], 1, "rows_staged")
    equal(forms(warehouse), [("f\t1\n\\x", "asha", None, 1, None)], "staged")


@for_each(["csv", "tsv"])
def a_header_that_lacks_a_required_column_is_refused(kind):
    warehouse = Warehouse()
    comma = {"csv": ",", "tsv": "\t"}[kind]
    header, record = comma.join(["domain", "xmlns"]), comma.join(["river", "x"])
    path = table(warehouse, f"x.{kind}", f"{header}\n{record}\n")
    run = load(warehouse, "form", path, expect=65)
    contains(run.error, "form_id", "error line")
    equal(warehouse.sql.number("SELECT count(*) FROM staging.form"), 0, "staged rows")


@test
def rows_of_a_table_that_cannot_be_staged_are_rejects():
    warehouse = Warehouse()
    good = "river,anc,x,asha,2024-03-01T00:00:00Z,1,18\n"
    path = table(
        warehouse,
        "forms.csv",
        ",".join(FORM) + "\n",
        "f1," + good,
        "f2,river,anc\n",
        "," + good,
        "f4," + good.replace("2024-03-01T00:00:00Z", "yesterday"),
        "f5," + good.replace(",1,18", ",one,18"),
        b"f6," + good.replace("asha", "a\xff").encode("latin-1"),
        "f7," + good,
    )
    run = load(warehouse, "form", path)
    equal((run["rows_staged"], run["rows_rejected"]), (2, 5), "counts")
    equal(
        [row[0] for row in warehouse.rejects()],
        ["field_count", "missing_field", "bad_timestamp", "bad_integer", "bad_encoding"],
        "reasons",
    )


@test
def the_format_can_be_named_for_standard_input():
    warehouse = Warehouse()
    text = ",".join(FORM) + "\nf1,river,anc,x,asha,2024-03-01T00:00:00Z,1,18\n"
    run = warehouse.run("load-staging", "form", "--source", "-", "--format", "csv", stdin=text)
    equal(run["rows_staged"], 1, "rows_staged")


@test
def a_table_and_a_document_of_the_same_form_give_the_same_fact():
    warehouse = Warehouse()
    record = {**doc.form("f1"), "server_modified_on": None}
    warehouse.take("form", [record])
    path = table(
        warehouse,
        "forms.csv",
        ",".join(FORM + ["build_id", "commcare_version"]) + "\n",
        ",".join(str(record[name]) for name in FORM + ["build_id", "commcare_version"]) + "\n",
    )
    run = load(warehouse, "form", path)
    equal(warehouse.transform("form", run)["rows_unchanged"], 1, "rows_unchanged")


# ---- rejects ----


def with_rejects(warehouse):
    """Three users, two of which are rejected: one for its time, one is cut off."""
    broken = {**doc.user("late"), "last_modified": "yesterday"}
    return warehouse.take("user", [doc.user("good"), broken, '{"_id": "cut'])


@test
def rejects_are_exported_repaired_and_loaded_like_any_other_file():
    warehouse = Warehouse()
    with_rejects(warehouse)
    path = os.path.join(warehouse.folder, "rejects.ndjson")
    warehouse.run("load-staging", "user", "--export-rejects", path)
    with open(path, encoding="utf-8") as file:
        lines = file.read().splitlines()
    equal(len(lines), 2, "exported lines")
    record = json.loads(lines[0])
    equal(record["_id"], "late", "the first reject")
    record["last_modified"] = "2024-03-05T00:00:00Z"
    warehouse.take("user", [record])
    same_rows(
        warehouse.sql.tuples("SELECT user_id FROM warehouse.user_dim WHERE id > 0"),
        [("good",), ("late",)],
        "users",
    )


@test
def an_export_holds_personal_data_and_is_readable_by_its_owner_alone():
    warehouse = Warehouse()
    with_rejects(warehouse)
    path = os.path.join(warehouse.folder, "rejects.ndjson")
    run = warehouse.run("load-staging", "user", "--export-rejects", path)
    check("late" not in run.output, "a record in the log")
    equal(os.stat(path).st_mode & 0o077, 0, "rights of others")


@test
def an_export_takes_the_place_of_nothing_in_a_dry_run_and_of_no_device():
    warehouse = Warehouse()
    with_rejects(warehouse)
    path = warehouse.file(["kept"])
    export = ["load-staging", "user", "--export-rejects"]
    run = warehouse.run(*export, path, "--dry-run")
    equal((run["status"], run["rows_exported"]), ("nothing-to-do", 0), "the dry run")
    with open(path, encoding="utf-8") as file:
        equal(file.read(), "kept\n", "the file that was there")
    device = os.path.join(warehouse.folder, "device")
    os.symlink("/dev/null", device)
    warehouse.run(*export, device, expect=64)
    check(os.path.islink(device), "the device was replaced")


@test
def the_batch_whose_rejects_are_exported_must_be_one_of_the_feed():
    warehouse = Warehouse()
    forms = warehouse.load("form", [doc.form("f1")])
    with_rejects(warehouse)
    for batch in ("k1", "9" * 20, "999", forms["batch_id"]):
        export = ["--export-rejects", os.path.join(warehouse.folder, "out"), "--batch-id", batch]
        warehouse.run("load-staging", "user", *export, expect=64)


@test
def rejects_that_can_be_read_now_are_replayed_once():
    warehouse = Warehouse()
    with_rejects(warehouse)
    warehouse.sql.run("""UPDATE etl.rejected_row SET bytes = convert_to(replace(
        convert_from(bytes, 'UTF8'), 'yesterday', '2024-03-05T00:00:00Z'), 'UTF8')""")
    run = warehouse.run("load-staging", "user", "--replay-rejects")
    equal((run["rows_staged"], warehouse.batch(run["batch_id"])["kind"]), (1, "backfill"), "replay")
    equal(warehouse.transform("user", run)["rows_inserted"], 1, "rows_inserted")
    equal(
        warehouse.sql.tuples("""SELECT version_time FROM warehouse.user_dim
                                 WHERE user_id = 'late'"""),
        [("2024-03-05T00:00:00+00:00",)],
        "the version it would have had",
    )
    again = warehouse.run("load-staging", "user", "--replay-rejects", expect=(0, 65))
    if again.status == 0:
        equal(again["rows_staged"], 0, "rows staged again")


@for_each(["csv", "tsv"])
def rejects_of_tables_are_replayed_and_exported_with_their_header(kind):
    warehouse = Warehouse()
    comma = {"csv": ",", "tsv": "\t"}[kind]
    cells = ["river", "anc", "x", "asha", "yesterday", "1", "18"]
    lines = [comma.join(FORM), comma.join(["f1", *cells]), comma.join(["f2", *cells])]
    warehouse.transform(
        "form",
        load(warehouse, "form", table(warehouse, f"x.{kind}", *(line + "\n" for line in lines))),
    )
    path = os.path.join(warehouse.folder, f"rejects.{kind}")
    warehouse.run("load-staging", "form", "--export-rejects", path)
    with open(path, encoding="utf-8") as file:
        text = file.read()
    equal(text.splitlines(), lines, "exported lines")
    table(warehouse, f"rejects.{kind}", text.replace("yesterday", "2024-03-05T00:00:00Z", 1))
    run = load(warehouse, "form", path)
    equal((run["rows_staged"], run["rows_rejected"]), (1, 1), "the repaired file")
    warehouse.sql.run("""UPDATE etl.rejected_row SET bytes = convert_to(replace(
        convert_from(bytes, 'UTF8'), 'yesterday', '2024-03-05'), 'UTF8')""")
    run = warehouse.run("load-staging", "form", "--replay-rejects")
    equal((run["rows_staged"], run["rows_rejected"]), (3, 0), "the replay")
    warehouse.transform("form", run)
    same_rows(
        warehouse.sql.tuples("SELECT form_id, user_id, app_version FROM warehouse.form_fact"),
        [("f1", "asha", 18), ("f2", "asha", 18)],
        "facts",
    )


@for_each([(), ("--force",)], name=lambda options: "".join(options) or "the same batch")
def a_replay_whose_staging_is_lost_reads_its_rejects_again(options):
    warehouse = Warehouse()
    with_rejects(warehouse)
    warehouse.sql.run("""UPDATE etl.rejected_row SET bytes = convert_to(replace(
        convert_from(bytes, 'UTF8'), 'yesterday', '2024-03-05T00:00:00Z'), 'UTF8')""")
    command = ["load-staging", "user", "--replay-rejects", "--run-key", "replay"]
    warehouse.run(*command)
    warehouse.sql.run("TRUNCATE staging.user")  # as a crash of the server leaves it
    run = warehouse.run(*command, *options)
    equal(run["rows_staged"], 1, "rows_staged")
    equal(warehouse.transform("user", run)["rows_inserted"], 1, "rows_inserted")


@test
def a_replayed_reject_that_is_older_than_what_came_since_changes_nothing():
    warehouse = Warehouse()
    with_rejects(warehouse)
    warehouse.take("user", [doc.user("late", "2024-03-06T00:00:00Z", first_name="Newer")])
    warehouse.sql.run("""UPDATE etl.rejected_row SET bytes = convert_to(replace(
        convert_from(bytes, 'UTF8'), 'yesterday', '2024-03-05T00:00:00Z'), 'UTF8')""")
    run = warehouse.run("load-staging", "user", "--replay-rejects")
    equal(warehouse.transform("user", run)["rows_older"], 1, "rows_older")
    equal(
        warehouse.sql.value("""SELECT first_name FROM warehouse.user_dim
                                WHERE user_id = 'late'"""),
        "Newer",
        "first_name",
    )


if __name__ == "__main__":
    main()
