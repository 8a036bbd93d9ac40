#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""load-staging from PostgreSQL: windows, watermarks, the safe end, releases, rights."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import documents as doc  # noqa: E402
import factline  # noqa: E402
from factline import Warehouse, time_of  # noqa: E402
from harness import check, contains, equal, for_each, lacks, main, same_rows, test  # noqa: E402
from source import SourceDatabase  # noqa: E402

NO_OVERLAP = ("--overlap", "0s")


def staged(warehouse, run, column="form_id", feed="form"):
    return [
        row[0]
        for row in warehouse.sql.tuples(
            f"SELECT {column} FROM staging.{feed} WHERE batch_id = {run['batch_id']} ORDER BY 1"
        )
    ]


@test
def two_shards_are_one_batch_with_one_end():
    warehouse, one, two = Warehouse(), SourceDatabase(), SourceDatabase()
    one.add_form("f1")
    two.add_form("f2")
    run = warehouse.load_from("form", [one, two])
    equal((run["since"], run["rows_read"], run["rows_staged"]), (None, 2, 2), "since, rows")
    equal(staged(warehouse, run), ["f1", "f2"], "staged")
    rows = warehouse.sql.rows(
        "SELECT source, has_watermark, since, until, rows_staged FROM" " etl.batch_source"
    )
    equal(
        [(row["has_watermark"], row["since"], row["rows_staged"]) for row in rows],
        [(True, "-infinity", 1)] * 2,
        "batch_source",
    )
    equal(
        {time_of(row["until"]) for row in rows}, {time_of(run["until"])}, "one end for all shards"
    )
    for source in (one, two):
        check(any(source.name in row["source"] for row in rows), f"{source.name} is not named")
    lacks(str(rows), "user=", "the names of sources")


@test
def the_end_is_by_the_source_s_clock():
    warehouse, source = Warehouse(), SourceDatabase()
    before = source.now()
    run = warehouse.load_from("form", [source])
    after = source.now()
    check(
        time_of(before) <= time_of(run["until"]) <= time_of(after),
        f"{before} <= {run['until']} <= {after} does not hold",
    )


@test
def the_next_window_starts_at_the_last_complete_end_less_the_overlap():
    warehouse, source = Warehouse(), SourceDatabase()
    source.add_form("f1")
    first = warehouse.load_from("form", [source])
    warehouse.transform("form", first)
    source.add_form("f2")
    equal(
        warehouse.load_from("form", [source], *NO_OVERLAP)["since"],
        first["until"],
        "since without overlap",
    )
    run = warehouse.load_from("form", [source], "--overlap", "90s")
    equal(
        warehouse.sql.value(
            f"SELECT timestamptz '{first['until']}' - timestamptz" f" '{run['since']}'"
        ),
        "00:01:30",
        "the overlap asked for",
    )
    run = warehouse.load_from("form", [source])
    equal(
        warehouse.sql.value(
            f"SELECT timestamptz '{first['until']}' - timestamptz" f" '{run['since']}'"
        ),
        "00:15:00",
        "the overlap by default",
    )


@test
def what_lies_on_the_boundary_is_in_the_window_that_ends_there():
    warehouse, source = Warehouse(), SourceDatabase()
    source.add_form("before", "2024-03-01T00:00:00Z")
    source.add_form("inside", "2024-03-01T00:00:00.000001Z")
    source.add_form("at-end", "2024-03-02T00:00:00Z")
    source.add_form("after", "2024-03-02T00:00:00.000001Z")
    run = warehouse.load_from("form", [source], "--since", "2024-03-01", "--until", "2024-03-02")
    equal(staged(warehouse, run), ["at-end", "inside"], "staged")
    equal(warehouse.batch(run["batch_id"])["kind"], "backfill", "kind")


@test
def a_window_is_left_out_by_no_stamp_of_a_form():
    warehouse, source = Warehouse(), SourceDatabase()
    old = "2024-01-01T00:00:00Z"
    for name in ("archived", "unarchived", "edited", "deleted", "undeleted", "untouched", "saved"):
        source.add_form(
            name,
            old,
            deleted_on="2024-01-02Z" if name == "undeleted" else None,
            state=2 if name == "unarchived" else 1,
        )
    warehouse.take_from("form", [source])
    source.archive("archived")
    source.unarchive("unarchived")
    source.change_form("edited", edited_on=source.now())
    source.change_form("deleted", deleted_on=source.now())
    source.change_form("undeleted", deleted_on=None)
    source.change_form("saved")
    source.add_form("new")
    run = warehouse.load_from("form", [source], *NO_OVERLAP)
    equal(
        staged(warehouse, run),
        ["archived", "deleted", "edited", "new", "saved", "unarchived", "undeleted"],
        "staged",
    )
    equal(run["rows_staged"], 7, "each once")
    warehouse.transform("form", run)
    equal(
        dict(warehouse.sql.tuples("SELECT form_id, state FROM warehouse.form_fact"))["archived"],
        2,
        "state",
    )


@test
def a_row_that_was_never_saved_since_is_found_by_its_edit_in_an_old_release():
    warehouse, source = Warehouse(), SourceDatabase()
    source.add_form("f1", "2024-01-01T00:00:00Z", server_modified_on=None)
    source.add_form("f2", "2024-01-01T00:00:00Z", server_modified_on=None)
    warehouse.take_from("form", [source])
    source.sql.run(
        "UPDATE form_processor_xforminstancesql SET edited_on = clock_timestamp() WHERE"
        " form_id = 'f2'"
    )
    equal(staged(warehouse, warehouse.load_from("form", [source], *NO_OVERLAP)), ["f2"], "staged")


@test
def an_open_transaction_holds_the_end_back_and_its_rows_come_with_the_next_window():
    warehouse, source = Warehouse(), SourceDatabase()
    writer = source.session()
    writer.run("BEGIN")
    started = writer.value(
        "SELECT to_char(now() AT TIME ZONE 'UTC'," ' \'YYYY-MM-DD"T"HH24:MI:SS.US"Z"\')'
    )
    source.add_form("late", session=writer)
    source.add_form("early-bird")
    first = warehouse.load_from("form", [source])
    check(time_of(first["until"]) <= time_of(started), f"until {first['until']} is after {started}")
    warehouse.transform("form", first)
    writer.run("COMMIT")
    second = warehouse.load_from("form", [source], *NO_OVERLAP)
    check("late" in staged(warehouse, second), "the row committed late is not there")
    check("early-bird" in staged(warehouse, second), "the row after the end is not there")


@test
def a_row_stamped_with_its_transaction_s_start_is_not_lost():
    warehouse, source = Warehouse(), SourceDatabase()
    writer = source.session()
    writer.run(
        "BEGIN; INSERT INTO form_processor_xforminstancesql (form_id, domain, xmlns,"
        " received_on,"
        " server_modified_on) VALUES ('late', 'river', 'x', now(), now())"
    )
    warehouse.take_from("form", [source], expect=0)
    writer.run("COMMIT")
    equal(staged(warehouse, warehouse.load_from("form", [source])), ["late"], "staged")


@test
def any_shard_s_open_transaction_bounds_all_shards():
    warehouse, one, two = Warehouse(), SourceDatabase(), SourceDatabase()
    writer = two.session()
    writer.run("BEGIN; SELECT 1")
    started = writer.value("SELECT now()")
    run = warehouse.load_from("form", [one, two])
    check(
        time_of(run["until"]) <= time_of(started.replace(" ", "T").replace("+00", "+00:00")),
        f"until {run['until']}, the transaction began at {started}",
    )


@test
def a_prepared_transaction_holds_the_end_back():
    warehouse, source = Warehouse(), SourceDatabase()
    writer = source.session()
    writer.run("BEGIN")
    source.add_form("prepared", session=writer)
    writer.run(f"PREPARE TRANSACTION '{source.name}'")
    after = source.now()
    try:
        run = warehouse.take_from("form", [source])
    finally:
        source.sql.run(f"COMMIT PREPARED '{source.name}'")
    check(time_of(run["until"]) <= time_of(after), f"until {run['until']}, prepared before {after}")
    equal(staged(warehouse, warehouse.load_from("form", [source])), ["prepared"], "staged")


@test
def a_transaction_in_another_database_holds_nothing_back():
    warehouse, source, other = Warehouse(), SourceDatabase(), SourceDatabase()
    other.session().run("BEGIN; SELECT 1")
    before = source.now()
    check(time_of(warehouse.load_from("form", [source])["until"]) >= time_of(before), "held back")


@test
def without_progress_there_is_nothing_to_do_and_the_holder_is_named():
    warehouse, source = Warehouse(), SourceDatabase()
    source.add_form("f1")
    writer = source.session()
    writer.run("BEGIN; SELECT 1")
    warehouse.take_from("form", [source])
    run = warehouse.load_from("form", [source])
    equal((run["status"], run["batch_id"]), ("nothing-to-do", ""), "status and batch")
    contains(run.stderr, str(writer.pid()), "the process that holds the window back")
    equal(warehouse.sql.number("SELECT count(*) FROM etl.batch"), 1, "batches")
    warehouse.load_from("form", [source], "--skip-if-empty", expect=99)


@test
def a_window_that_is_still_open_when_the_transaction_ends_goes_on():
    warehouse, source = Warehouse(), SourceDatabase()
    writer = source.session()
    writer.run("BEGIN; SELECT 1")
    warehouse.take_from("form", [source])
    warehouse.load_from("form", [source], key="stuck")
    writer.run("COMMIT")
    source.add_form("f1")
    run = warehouse.load_from("form", [source], key="stuck")
    equal((run["status"], run["rows_staged"]), ("done", 1), "the retry under the same key")


def reader_role(source):
    """A role that may read the tables and sees no other session's transactions."""
    role = f"reader_{source.name}"
    factline.root().run(f"CREATE ROLE {role} LOGIN")
    source.sql.run(
        f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}; GRANT USAGE ON SCHEMA"
        f" public TO {role}"
    )
    return role


def drop_role(source, role):
    source.sql.run(f"DROP OWNED BY {role}")
    factline.root().run(f"DROP ROLE {role}")


@test
def a_role_that_may_not_see_transactions_is_refused_with_the_grant_that_it_needs():
    warehouse, source = Warehouse(), SourceDatabase()
    source.add_form("f1")
    source.session().run("BEGIN; SELECT 1")
    role = reader_role(source)
    try:
        spec = source.spec_of(role)
        run = warehouse.load_from("form", [spec], expect=77)
        contains(run.error, "pg_read_all_stats", "error line")
        contains(run.error, "GRANT", "error line")
        settled = warehouse.load_from("form", [spec], "--settle", "0s")
        equal(settled["rows_staged"], 1, "rows with --settle")
        factline.root().run(f"GRANT pg_read_all_stats TO {role}")
        warehouse.load_from("form", [spec])
    finally:
        drop_role(source, role)


@test
def a_role_that_may_not_read_the_table_is_refused():
    warehouse, source = Warehouse(), SourceDatabase()
    role = reader_role(source)
    source.sql.run(f"REVOKE SELECT ON form_processor_xforminstancesql FROM {role}")
    factline.root().run(f"GRANT pg_read_all_stats TO {role}")
    try:
        warehouse.load_from("form", [source.spec_of(role)], expect=77)
    finally:
        drop_role(source, role)


@test
def settle_ends_the_window_that_long_before_the_source_s_clock():
    warehouse, source = Warehouse(), SourceDatabase()
    source.session().run("BEGIN; SELECT 1")
    before = source.now()
    run = warehouse.load_from("form", [source], "--settle", "10min")
    after = source.now()
    for moment, sign in ((before, ">="), (after, "<=")):
        equal(
            source.sql.value(
                f"SELECT timestamptz '{run['until']}' {sign} timestamptz '{moment}'"
                " - interval '10 minutes'"
            ),
            "t",
            f"until {sign} the clock less 10 minutes",
        )


@test
def start_cuts_history_and_max_window_bounds_one_window():
    warehouse, source = Warehouse(), SourceDatabase()
    for day in ("01", "05", "09"):
        source.add_form(f"f{day}", f"2024-03-{day}T12:00:00Z")
    options = ("--start", "2024-03-04", "--max-window", "3d")
    warehouse.load_from("form", [source], *options, "--expect-rows", "9", key="k", expect=65)
    run = warehouse.load_from("form", [source], *options, key="k")
    equal(
        (run["since"], run["until"]),
        ("2024-03-04T00:00:00.000000Z", "2024-03-07T00:00:00.000000Z"),
        "window",
    )
    equal(staged(warehouse, run), ["f05"], "staged")
    check(run["behind_seconds"] > 86400, f"behind_seconds is {run['behind_seconds']}")
    warehouse.transform("form", run)
    run = warehouse.load_from("form", [source], "--max-window", "3d", *NO_OVERLAP)
    equal(
        (run["since"], staged(warehouse, run)),
        ("2024-03-07T00:00:00.000000Z", ["f09"]),
        "the next window",
    )


@test
def a_source_not_seen_before_begins_at_the_beginning_and_says_so():
    warehouse, one, two = Warehouse(), SourceDatabase(), SourceDatabase()
    two.add_form("old", "2024-01-01T00:00:00Z")
    warehouse.take_from("form", [one])
    run = warehouse.load_from("form", [one, two], *NO_OVERLAP)
    equal(staged(warehouse, run), ["old"], "staged")
    contains(run.stderr, two.name, "the log names the new source")
    equal(
        warehouse.sql.tuples(
            "SELECT DISTINCT since = '-infinity' FROM etl.batch_source WHERE"
            " batch_id ="
            f" {run['batch_id']} ORDER BY 1"
        ),
        [(False,), (True,)],
        "a since for each source",
    )


@test
def the_table_that_a_source_lacks_is_a_configuration_error():
    warehouse = Warehouse()
    for feed, table in (
        ("form", "form_processor_xforminstancesql"),
        ("synclog", "phone_synclogsql"),
        ("location", "locations_sqllocation"),
    ):
        source = SourceDatabase()
        source.sql.run(f"DROP TABLE {table} CASCADE")
        warehouse.load_from(feed, [source], expect=78)
        source.sql.run(f"CREATE VIEW {table} AS SELECT 1 AS something_else")
        warehouse.load_from(feed, [source], expect=78)


@test
def a_source_database_that_does_not_exist_is_a_configuration_error():
    source = SourceDatabase()
    Warehouse().load_from(
        "form", [source.spec.replace(source.name, "factline_no_such_database")], expect=78
    )


@test
def a_source_that_does_not_answer_is_unavailable():
    source = SourceDatabase()
    spec = f"host=/nonexistent-folder-of-no-server dbname={source.name}"
    Warehouse().load_from("form", [spec], expect=69)


OPTIONAL = {
    "form": (
        "form_processor_xforminstancesql",
        ["server_modified_on", "time_start", "time_end", "commcare_version", "app_version"],
    ),
    "synclog": ("phone_synclogsql", ["app_id", "device_id", "is_formplayer", "request_user_id"]),
}


@for_each(sorted(OPTIONAL))
def columns_that_an_old_release_lacks_are_null(feed):
    warehouse, source = Warehouse(), SourceDatabase()
    table, columns = OPTIONAL[feed]
    source.add_form("f1", "2024-03-01T00:00:00Z")
    source.add_synclog(1, "2024-03-01T00:00:00Z")
    source.sql.run(
        f"ALTER TABLE {table} " + ", ".join(f"DROP COLUMN {column}" for column in columns)
    )
    run = warehouse.load_from(feed, [source])
    equal(run["rows_staged"], 1, "rows_staged")
    equal(warehouse.transform(feed, run)["rows_inserted"], 1, "rows_inserted")


@test
def without_server_modified_on_edits_and_deletions_are_found_by_their_own_stamps():
    warehouse, source = Warehouse(), SourceDatabase()
    for name in ("edited", "deleted", "untouched"):
        source.add_form(name, "2024-03-01T00:00:00Z")
    source.sql.run("ALTER TABLE form_processor_xforminstancesql DROP COLUMN server_modified_on")
    warehouse.take_from("form", [source])
    source.sql.run("""UPDATE form_processor_xforminstancesql SET edited_on = clock_timestamp()
                        WHERE form_id = 'edited';
                      UPDATE form_processor_xforminstancesql SET deleted_on = clock_timestamp()
                       WHERE form_id = 'deleted'""")
    equal(
        staged(warehouse, warehouse.load_from("form", [source], *NO_OVERLAP)),
        ["deleted", "edited"],
        "staged",
    )


@test
def rows_that_do_not_pass_the_checks_go_to_the_rejects():
    warehouse, source = Warehouse(), SourceDatabase()
    source.add_form("good")
    source.add_form("ancient", "1999-01-01T00:00:00Z")
    source.add_form("", "2024-03-01T00:00:00Z")
    source.add_form("future", "2099-01-01T00:00:00Z", server_modified_on="2024-03-01T00:00:00Z")
    run = warehouse.load_from("form", [source])
    equal((run["rows_read"], run["rows_staged"], run["rows_rejected"]), (4, 1, 3), "counts")
    same_rows(
        warehouse.rejects(),
        [
            ("time_out_of_range", "received_on"),
            ("missing_field", "form_id"),
            ("time_out_of_range", "received_on"),
        ],
        "rejects",
    )
    source.add_synclog(1)
    source.sql.run(
        "INSERT INTO phone_synclogsql (synclog_id, user_id) VALUES (gen_random_uuid()," " 'asha')"
    )
    run = warehouse.load_from("synclog", [source])
    warehouse.transform("synclog", run)
    equal(
        (run["rows_staged"], run["rows_rejected"]),
        (1, 1),
        "sync logs staged, and the one without a date",
    )
    equal(
        warehouse.load_from("synclog", [source])["rows_rejected"],
        0,
        "told once, by the first window",
    )
    warehouse.load_from("form", [source], "--max-rejects", "2", expect=65)


@test
def every_value_arrives_as_it_was():
    warehouse, source = Warehouse(), SourceDatabase()
    odd = "o'dd \\N \\. \ttab \u00e4\U0001f600"
    source.add_form(
        "f1",
        "2024-03-01T00:00:00.000001Z",
        user_id=odd,
        app_id="",
        domain=odd,
        xmlns="",
        build_id=None,
        time_start="1970-01-01Z",
        time_end="9999-12-31Z",
        commcare_version=None,
        app_version=2147483647,
        edited_on="2024-03-02Z",
    )
    source.add_synclog(
        7, "2024-03-01T00:00:00Z", user_id=odd, domain=None, duration=0, app_id="anc"
    )
    source.add_location("v", 1, name=odd, latitude="12.3456789012", longitude="-0.0000000001")
    for feed in ("form", "synclog", "location"):
        warehouse.take_from(feed, [source])
    equal(
        warehouse.sql.tuples("""SELECT received_on, user_id, domain, time_start, time_end,
                                    app_version::text, edited_on
                                    FROM warehouse.form_fact"""),
        [
            (
                "2024-03-01T00:00:00.000001+00:00",
                odd,
                odd,
                "1970-01-01T00:00:00+00:00",
                "9999-12-31T00:00:00+00:00",
                "2147483647",
                "2024-03-02T00:00:00+00:00",
            )
        ],
        "the form",
    )
    equal(
        warehouse.sql.tuples(
            "SELECT synclog_id, user_id, domain, app_id, duration FROM" " warehouse.synclog_fact"
        ),
        [("00000000-0000-4000-8000-000000000007", odd, None, "anc", 0)],
        "the sync log",
    )
    equal(
        warehouse.sql.tuples(
            "SELECT name, latitude::text::numeric::text FROM" " warehouse.location_dim WHERE id > 0"
        ),
        [(odd, "12.3456789012")],
        "the location",
    )


@test
def locations_come_with_their_type_s_changes():
    warehouse, source = Warehouse(), SourceDatabase()
    source.add_location("v", 1)
    warehouse.take_from("location", [source])
    source.sql.run(
        "UPDATE locations_locationtype SET name = 'Hamlet', last_modified =" " clock_timestamp()"
    )
    run = warehouse.load_from("location", [source], *NO_OVERLAP)
    equal(staged(warehouse, run, "location_id", "location"), ["v"], "staged")
    warehouse.transform("location", run)
    equal(
        warehouse.sql.value("SELECT location_type_name FROM warehouse.location_dim WHERE id > 0"),
        "Hamlet",
        "type",
    )


@test
def the_warehouse_s_own_variables_do_not_leak_into_the_source():
    warehouse, source = Warehouse(), SourceDatabase()
    env = {"PGAPPNAME": "leaked", "PGOPTIONS": "-c log_min_messages=debug"}
    host = f"host={os.environ['PGHOST']} port={os.environ.get('PGPORT', 5432)}"
    warehouse.run("load-staging", "form", "--source", host, env=env, expect=64)
    warehouse.run("load-staging", "form", "--source", f"dbname={source.name}", env=env, expect=64)


@test
def the_source_variables_name_a_source():
    warehouse, source = Warehouse(), SourceDatabase()
    source.add_form("f1")
    env = {
        "SOURCE_PGHOST": os.environ["PGHOST"],
        "SOURCE_PGPORT": os.environ.get("PGPORT", "5432"),
        "SOURCE_PGDATABASE": source.name,
        "SOURCE_PGUSER": os.environ.get("PGUSER", "postgres"),
    }
    run = warehouse.run("load-staging", "form", env=env)
    equal(run["rows_staged"], 1, "rows_staged")
    del env["SOURCE_PGHOST"]
    warehouse.run("load-staging", "form", env=env, expect=64)


@test
def the_version_of_a_server_read_is_its_snapshot_s_time():
    warehouse, source = Warehouse(), SourceDatabase()
    source.add_form("f1", "2024-01-01T00:00:00Z", server_modified_on="2030-01-01T00:00:00Z")
    before = source.now()
    run = warehouse.load_from("form", [source])
    seen = warehouse.sql.value(
        "SELECT to_char(version_time AT TIME ZONE 'UTC',"
        " 'YYYY-MM-DD\"T\"HH24:MI:SS.US')"
        " FROM staging.form"
    )
    check(
        time_of(before) <= seen <= time_of(source.now()),
        f"version time {seen}, read after {before}",
    )
    equal(run["rows_staged"], 1, "rows_staged")


@test
def a_dry_run_points_out_sequential_scans_and_reads_nothing():
    warehouse, source = Warehouse(), SourceDatabase()
    source.add_form("f1")
    run = warehouse.load_from("form", [source], "--dry-run")
    equal((run["rows_read"], run["rows_staged"]), (0, 0), "counts")
    contains(run.stderr, "form_processor_xforminstancesql", "the statements and plans")
    equal(warehouse.sql.number("SELECT count(*) FROM etl.batch"), 0, "batches")


@test
def files_and_servers_may_feed_one_workflow():
    warehouse, source = Warehouse(), SourceDatabase()
    source.add_form("f1")
    first = warehouse.load_from("form", [source])
    warehouse.transform("form", first)
    warehouse.take("form", [doc.form("f2")])
    equal(
        warehouse.load_from("form", [source], *NO_OVERLAP)["since"],
        first["until"],
        "a file moves no watermark",
    )


if __name__ == "__main__":
    main()
