#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""transform-fact and transform-dim: counts, order, repetition, pipes, lost staging."""

import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import documents as doc  # noqa: E402
import factline  # noqa: E402
from factline import Warehouse  # noqa: E402
from harness import check, contains, equal, for_each, main, same_rows, test  # noqa: E402
from source import SourceDatabase  # noqa: E402

MARCH, APRIL, MAY = "2024-03-10T00:00:00Z", "2024-04-10T00:00:00Z", "2024-05-10T00:00:00Z"

# Per feed: two records of two keys, the first of them changed later, and the same change again.
RECORDS = {
    "form": (
        lambda: [doc.form("k1", MARCH), doc.form("k2", MARCH)],
        lambda: doc.form("k1", MARCH, server_modified_on=APRIL, state=2),
        "SELECT form_id, state::text FROM warehouse.form_fact",
        [("k1", "2"), ("k2", "1")],
    ),
    "synclog": (
        lambda: [doc.synclog(1, MARCH), doc.synclog(2, MARCH)],
        lambda: doc.synclog(1, APRIL, duration=9),
        "SELECT right(synclog_id, 1), duration::text FROM warehouse.synclog_fact",
        [("1", "9"), ("2", "3")],
    ),
    "user": (
        lambda: [doc.user("k1", MARCH), doc.user("k2", MARCH)],
        lambda: doc.user("k1", APRIL, first_name="New"),
        "SELECT user_id, first_name FROM warehouse.user_dim WHERE id > 0",
        [("k1", "New"), ("k2", "K2")],
    ),
    "group": (
        lambda: [doc.group("k1", (), MARCH), doc.group("k2", (), MARCH)],
        lambda: doc.group("k1", (), APRIL, name="New"),
        "SELECT group_id, name FROM warehouse.group_dim WHERE id > 0",
        [("k1", "New"), ("k2", "k2 team")],
    ),
    "domain": (
        lambda: [doc.domain("k1", "one", MARCH), doc.domain("k2", "two", MARCH)],
        lambda: doc.domain("k1", "one", APRIL, hr_name="New"),
        "SELECT domain, hr_name FROM warehouse.domain_dim WHERE id > 0",
        [("one", "New"), ("two", "Two")],
    ),
    "location": (
        lambda: [doc.location("k1", 1, None, MARCH), doc.location("k2", 2, None, MARCH)],
        lambda: doc.location("k1", 1, None, APRIL, name="New"),
        "SELECT location_id, name FROM warehouse.location_dim WHERE id > 0",
        [("k1", "New"), ("k2", "K2")],
    ),
    "application": (
        lambda: [doc.app("k1", "One", 1, MARCH), doc.app("k2", "Two", 1, MARCH)],
        lambda: doc.app("k1", "New", 2, APRIL),
        "SELECT application_id, name FROM warehouse.application_dim WHERE id >" " 0",
        [("k1", "New"), ("k2", "Two")],
    ),
}
FEEDS = sorted(RECORDS)


def counts(run):
    return tuple(run[name] for name in factline.TRANSFORM_SUM)


@for_each(FEEDS)
def new_rows_are_inserted_changed_ones_updated_and_others_left_alone(feed):
    first, change, query, expected = RECORDS[feed]
    warehouse = Warehouse()
    equal(counts(warehouse.take(feed, first())), (2, 0, 0, 0, 0), "counts of the first batch")
    equal(counts(warehouse.take(feed, [change()])), (0, 1, 0, 0, 0), "counts of the change")
    same_rows(warehouse.sql.tuples(query), expected, feed)
    equal(counts(warehouse.take(feed, [change()])), (0, 0, 1, 0, 0), "counts of the same again")
    equal(counts(warehouse.take(feed, first())), (0, 0, 1, 0, 1), "counts of the old ones again")
    same_rows(warehouse.sql.tuples(query), expected, f"{feed} after old records")


@for_each(FEEDS)
def within_a_batch_the_greatest_version_wins_and_others_are_duplicates(feed):
    first, change, query, expected = RECORDS[feed]
    warehouse = Warehouse()
    equal(
        counts(warehouse.take(feed, [change()] + first() + [change()])), (2, 0, 0, 2, 0), "counts"
    )
    same_rows(warehouse.sql.tuples(query), expected, feed)


@for_each(FEEDS)
def of_equal_versions_within_a_batch_the_later_line_wins(feed):
    first, change, query, expected = RECORDS[feed]
    changed = change()
    for name in ("server_modified_on", "last_modified", "date"):
        if name in changed:
            changed[name] = MARCH
    warehouse = Warehouse()
    warehouse.take(feed, first() + [changed])
    same_rows(warehouse.sql.tuples(query), expected, feed)


@for_each(FEEDS)
def an_older_batch_that_comes_later_rewinds_nothing(feed):
    first, change, query, expected = RECORDS[feed]
    warehouse = Warehouse()
    old, new = warehouse.load(feed, first()), warehouse.load(feed, [change()])
    equal(counts(warehouse.transform(feed, new)), (1, 0, 0, 0, 0), "counts of the new one")
    equal(counts(warehouse.transform(feed, old)), (1, 0, 0, 0, 1), "counts of the old one")
    same_rows(warehouse.sql.tuples(query), expected, feed)


@for_each(FEEDS)
def a_second_run_is_already_done_and_changes_nothing(feed):
    first, _, query, _ = RECORDS[feed]
    warehouse = Warehouse()
    loaded = warehouse.load(feed, first())
    done = warehouse.transform(feed, loaded)
    before = warehouse.sql.run(query.replace("SELECT", "SELECT xmin, ctid,", 1))
    again = warehouse.transform(feed, loaded)
    equal(again.stdout, done.stdout.replace('"done"', '"already-done"'), "the line")
    equal(
        warehouse.sql.run(query.replace("SELECT", "SELECT xmin, ctid,", 1)),
        before,
        "rows, physically",
    )


@for_each(FEEDS)
def what_did_not_change_is_not_written(feed):
    first, _, query, _ = RECORDS[feed]
    warehouse = Warehouse()
    warehouse.take(feed, first())
    physical = query.replace("SELECT", "SELECT xmin, ctid, batch_id,", 1)
    before = warehouse.sql.run(physical)
    equal(counts(warehouse.take(feed, first())), (0, 0, 2, 0, 0), "counts")
    equal(warehouse.sql.run(physical), before, "rows, physically")


@for_each(FEEDS)
def a_document_that_is_read_again_from_a_server_or_file_keeps_its_row_s_key(feed):
    first, change, query, _ = RECORDS[feed]
    warehouse = Warehouse()
    warehouse.take(feed, first())
    with_id = query.replace("SELECT", "SELECT id,", 1)
    before = {row[1]: row[0] for row in warehouse.sql.tuples(with_id)}
    warehouse.take(feed, [change()])
    equal({row[1]: row[0] for row in warehouse.sql.tuples(with_id)}, before, "surrogate keys")


@test
def a_pipe_hands_the_batch_over():
    warehouse = Warehouse()
    path = warehouse.file([doc.form("f1"), doc.form("f2")])
    line = (
        f"{factline.BIN}/load-staging form --source {path} --quiet | "
        f"{factline.BIN}/transform-fact form --batch-id - --quiet | "
        f"grep -c '\"rows_inserted\":2'"
    )
    done = subprocess.run(
        ["sh", "-c", line], env=factline.environment(warehouse.name), capture_output=True, text=True
    )
    equal((done.stdout, done.returncode), ("1\n", 0), f"the pipe's output; it said {done.stderr!r}")


@test
def a_pipe_after_a_failed_step_fails():
    warehouse = Warehouse()
    line = (
        f"{factline.BIN}/load-staging form --source {warehouse.folder}/missing.ndjson | "
        f"{factline.BIN}/transform-fact form --batch-id -"
    )
    done = subprocess.run(
        ["sh", "-c", line], env=factline.environment(warehouse.name), capture_output=True, text=True
    )
    equal((done.stdout, done.returncode), ("", 74), f"the pipe's output; it said {done.stderr!r}")


@test
def a_result_file_hands_the_batch_over():
    warehouse = Warehouse()
    path = os.path.join(warehouse.folder, "load.json")
    warehouse.load("form", [doc.form("f1")], "--result-file", path)
    equal(
        warehouse.run("transform-fact", "form", "--batch-file", path)["rows_inserted"],
        1,
        "rows_inserted",
    )
    with open(path, "w") as file:
        file.write("")
    warehouse.run("transform-fact", "form", "--batch-file", path, expect=74)


@test
def standard_input_may_hold_log_lines_of_a_merged_stream_no_more_than_a_line():
    warehouse = Warehouse()
    loaded = warehouse.load("form", [doc.form("f1")])
    run = warehouse.run("transform-fact", "form", "--batch-id", "-", stdin=loaded.stdout)
    equal(run["batch_id"], loaded["batch_id"], "batch")


@test
def the_batch_of_another_feed_is_a_usage_error():
    warehouse = Warehouse()
    loaded = warehouse.load("user", [doc.user()])
    warehouse.run("transform-dim", "group", "--batch-id", loaded["batch_id"], expect=64)
    warehouse.run("transform-fact", "form", "--batch-id", "-", stdin=loaded.stdout, expect=64)


@test
def a_batch_not_yet_staged_is_refused():
    warehouse = Warehouse()
    path = os.path.join(warehouse.folder, "missing.ndjson")
    warehouse.run("load-staging", "form", "--source", path, "--run-key", "k", expect=74)
    ids = warehouse.sql.tuples("SELECT id::text FROM etl.batch")
    warehouse.run("transform-fact", "form", "--run-key", "k", expect=(64, 65))
    for (batch,) in ids:
        run = warehouse.run("transform-fact", "form", "--batch-id", batch, expect=65)
        contains(run.error, "load-staging", "the remedy")


@test
def a_run_key_without_a_batch_is_refused():
    Warehouse().run("transform-fact", "form", "--run-key", "never-loaded", expect=(64, 65))


@test
def force_on_a_complete_batch_is_a_usage_error():
    warehouse = Warehouse()
    loaded = warehouse.load("form", [doc.form("f1")])
    warehouse.transform("form", loaded)
    warehouse.transform("form", loaded, "--force", expect=64)


@for_each(
    [
        "DELETE FROM staging.form",
        "TRUNCATE staging.form",
        "DELETE FROM staging.form WHERE form_id = 'f1'",
    ]
)
def staging_that_was_lost_fails_the_transform_and_the_load_restages_the_same_window(loss):
    warehouse, source = Warehouse(), SourceDatabase()
    source.add_form("f1", "2024-03-01T00:00:00Z")
    source.add_form("f2", "2024-03-02T00:00:00Z")
    loaded = warehouse.load_from("form", [source], key="k")
    before = warehouse.batch(loaded["batch_id"])
    warehouse.sql.run(loss)
    run = warehouse.transform("form", loaded, expect=65)
    contains(run.error, "run load-staging again", "the remedy")
    equal(warehouse.sql.number("SELECT count(*) FROM warehouse.form_fact"), 0, "facts")
    again = warehouse.load_from("form", [source], key="k")
    after = warehouse.batch(loaded["batch_id"])
    equal(
        (again["status"], again["batch_id"], again["rows_staged"]),
        ("done", loaded["batch_id"], 2),
        "restaged",
    )
    equal((again["since"], again["until"]), (loaded["since"], loaded["until"]), "window")
    check(after["read_number"] > before["read_number"], "no new read number")
    check(after["attempt"] > before["attempt"], "no new attempt")
    equal(counts(warehouse.transform("form", loaded)), (2, 0, 0, 0, 0), "counts")


@test
def foreign_rows_in_staging_are_nobody_s_business():
    warehouse = Warehouse()
    one, two = warehouse.load("form", [doc.form("f1")]), warehouse.load("form", [doc.form("f2")])
    equal(warehouse.transform("form", two)["rows_staged"], 1, "rows_staged")
    equal(
        warehouse.sql.tuples("SELECT form_id, batch_id FROM warehouse.form_fact"),
        [("f2", int(two["batch_id"]))],
        "facts",
    )
    equal(warehouse.transform("form", one)["rows_staged"], 1, "rows_staged")


@test
def a_form_that_moves_to_another_month_stays_one_row():
    warehouse = Warehouse()
    warehouse.take("form", [doc.form("f1", MARCH), doc.form("f2", MARCH)])
    run = warehouse.take(
        "form", [doc.form("f1", APRIL), doc.form("f2", MARCH, server_modified_on=MAY, state=2)]
    )
    equal(counts(run), (0, 2, 0, 0, 0), "counts")
    equal(
        warehouse.sql.tuples("""SELECT form_id, received_on, state, tableoid::regclass::text
                                    FROM warehouse.form_fact ORDER BY 1"""),
        [
            ("f1", "2024-04-10T00:00:00+00:00", 1, "warehouse.form_fact_2024_04"),
            ("f2", "2024-03-10T00:00:00+00:00", 2, "warehouse.form_fact_2024_03"),
        ],
        "facts",
    )
    warehouse.take("form", [doc.form("f1", MARCH, server_modified_on=MAY)])
    equal(
        warehouse.sql.tuples(
            "SELECT form_id, received_on FROM warehouse.form_fact WHERE form_id" " = 'f1'"
        ),
        [("f1", "2024-03-10T00:00:00+00:00")],
        "back again",
    )
    run = warehouse.take("synclog", [doc.synclog(1, MARCH)])
    run = warehouse.take("synclog", [doc.synclog(1, APRIL)])
    equal(counts(run), (0, 1, 0, 0, 0), "counts of the sync log")
    equal(
        warehouse.sql.tuples("SELECT sync_date FROM warehouse.synclog_fact"),
        [("2024-04-10T00:00:00+00:00",)],
        "sync logs",
    )


@test
def months_are_made_when_needed_and_there_is_no_default_partition():
    warehouse = Warehouse()
    warehouse.take(
        "form",
        [
            doc.form("f1", "2005-01-01T00:00:00Z"),
            doc.form("f2", "2015-12-31T23:59:59.999999Z"),
            doc.form("f3", "2016-01-01T00:00:00Z"),
        ],
    )
    same_rows(
        warehouse.sql.tuples(
            "SELECT form_id, tableoid::regclass::text FROM" " warehouse.form_fact"
        ),
        [
            ("f1", "warehouse.form_fact_2005_01"),
            ("f2", "warehouse.form_fact_2015_12"),
            ("f3", "warehouse.form_fact_2016_01"),
        ],
        "partitions",
    )
    equal(
        warehouse.sql.number("SELECT count(*) FROM pg_partitioned_table WHERE partdefid <> 0"),
        0,
        "default partitions",
    )


@test
def members_that_no_document_names_yet_are_inferred_and_completed_later():
    warehouse = Warehouse()
    run = warehouse.take(
        "form",
        [
            doc.form("f1"),
            doc.form("f2", user_id="ben", app_id="pnc", build_id="pnc-3"),
            doc.form("f3", user_id=None, app_id="", build_id=None),
        ],
    )
    equal(run["members_inferred"], 7, "members_inferred: users 2, apps 2, builds 2, domain 1")
    before = warehouse.sql.tuples(
        "SELECT id, user_id, is_inferred FROM warehouse.user_dim WHERE id" " > 0 ORDER BY 2"
    )
    equal([row[1:] for row in before], [("asha", True), ("ben", True)], "inferred users")
    run = warehouse.take("user", [doc.user("asha", ...)])
    equal(
        (counts(run), run["members_inferred"]),
        ((0, 1, 0, 0, 0), 0),
        "a document without a time wins too",
    )
    after = warehouse.sql.tuples("""SELECT id, user_id, is_inferred, username, user_type
                                      FROM warehouse.user_dim
                                     WHERE user_id = 'asha'""")
    equal(
        after,
        [(before[0][0], "asha", False, "asha@river.commcarehq.org", "mobile")],
        "the completed user",
    )
    equal(
        warehouse.sql.tuples("""
        SELECT f.form_id, u.user_id, a.application_id, b.application_id AS build, d.domain
          FROM warehouse.form_fact AS f
          JOIN warehouse.user_dim AS u ON u.id = f.user_dim_id
          JOIN warehouse.application_dim AS a ON a.id = f.app_dim_id
          JOIN warehouse.application_dim AS b ON b.id = f.build_dim_id
          JOIN warehouse.domain_dim AS d ON d.id = f.domain_dim_id
         WHERE f.form_id < 'f3' ORDER BY 1"""),
        [("f1", "asha", "anc", "anc-18", "river"), ("f2", "ben", "pnc", "pnc-3", "river")],
        "facts",
    )
    equal(
        warehouse.sql.tuples(
            "SELECT user_dim_id, app_dim_id, build_dim_id FROM"
            " warehouse.form_fact"
            " WHERE form_id = 'f3'"
        ),
        [(0, 0, 0)],
        "the unknown member",
    )


@test
def nobody_and_the_empty_text_are_the_same_unknown_member():
    warehouse = Warehouse()
    warehouse.take(
        "form",
        [doc.form("f1", user_id=""), doc.form("f2", user_id=None), doc.form("f3", user_id=...)],
    )
    equal(
        warehouse.sql.tuples("SELECT DISTINCT user_dim_id FROM warehouse.form_fact"),
        [(0,)],
        "members",
    )
    equal(
        warehouse.sql.number(
            "SELECT count(*) FROM warehouse.user_dim WHERE user_id = '' AND id" " <> 0"
        ),
        0,
        "members",
    )


@test
def a_trigger_that_swallows_rows_breaks_the_sum_and_fails_the_step():
    warehouse = Warehouse()
    warehouse.take("form", [doc.form("f0", "2024-03-05T00:00:00Z")])
    warehouse.sql.run("""CREATE FUNCTION public.swallow() RETURNS trigger LANGUAGE plpgsql AS
                         $$ BEGIN IF NEW.form_id = 'f2' THEN RETURN NULL; END IF;
                            RETURN NEW; END $$;
                         CREATE TRIGGER swallow BEFORE INSERT ON warehouse.form_fact_2024_03
                            FOR EACH ROW EXECUTE FUNCTION public.swallow()""")
    loaded = warehouse.load("form", [doc.form("f1"), doc.form("f2")])
    warehouse.transform("form", loaded, expect=(65, 70))
    equal(warehouse.sql.tuples("SELECT form_id FROM warehouse.form_fact"), [("f0",)], "facts")
    check(warehouse.batch(loaded["batch_id"])["state"] != "complete", "the batch is complete")


if __name__ == "__main__":
    main()
