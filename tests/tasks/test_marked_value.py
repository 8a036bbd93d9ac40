#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A marked value in every field of every record goes through every failure, and is in no output."""

import json
import os
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import documents as doc  # noqa: E402
from factline import Warehouse, root, run_task, wait_for_lock  # noqa: E402
from harness import check, for_each, lacks, main, test  # noqa: E402
from source import SourceDatabase  # noqa: E402

MARK = "Tell-Tale-0451"
FOLDED = MARK.lower()
MAKERS = {
    "form": lambda: doc.form("k"),
    "synclog": lambda: doc.synclog(1),
    "user": lambda: doc.user("k"),
    "group": lambda: doc.group("k"),
    "domain": lambda: doc.domain("k"),
    "application": lambda: doc.app("k"),
    "location": lambda: doc.location("k"),
}
FEEDS = sorted(MAKERS)


def silent(*runs):
    """No stream of any of these holds the mark, in any spelling."""
    for run in runs:
        for text in (run.output, run.output.encode("unicode_escape").decode()):
            lacks(text.lower(), FOLDED, f"output of {run}")


def marked(record, also=()):
    """The record with the mark in each text that may be anything, times and types excepted."""
    kept = ("doc_type", "base_doc", "_rev", "is_test", *also)
    result = {}
    for name, value in record.items():
        is_time = isinstance(value, str) and value[:2] == "20" and "T" in value
        is_free = isinstance(value, str) and not is_time and name not in kept
        result[name] = f"{MARK}-{name}" if is_free else value
    return result


def variants(record):
    """The record with the mark in the wrong place, once for each member and kind of failure."""
    for name in record:
        for value in (MARK, [MARK], {MARK: MARK}, 7, None):
            yield json.dumps({**record, name: value})
    yield json.dumps(record)[:-1] + f', "{MARK}": 1, "{MARK}": 2}}'
    yield json.dumps(record) + MARK
    yield "{" + MARK
    yield json.dumps({**record, "extra": MARK})[:-5]
    yield json.dumps({"results": [record, MARK]})
    yield json.dumps({**record, MARK + "\u0000": 1})
    yield json.dumps(record).encode() + MARK.encode() + b"\xff"


@for_each(FEEDS)
def through_every_reject_and_every_transform(feed):
    warehouse = Warehouse()
    record = marked(MAKERS[feed](), ("location_type_last_modified",))
    lines = list(variants(record))
    run = warehouse.load(feed, [record] + lines, "--max-rejects", "100%", "--verbose")
    check(
        run["rows_rejected"] > len(lines) // 4, f"the test itself: {run['rows_rejected']} rejects"
    )
    done = warehouse.transform(feed, run, "--verbose")
    again = warehouse.transform(feed, run, "--verbose")
    status = [
        warehouse.run("batch-status", *options) for options in ((), ("--json",), ("--verbose",))
    ]
    over = warehouse.load(feed, lines, "--max-rejects", "0", "--verbose", expect=65)
    tried = warehouse.load(feed, [record], "--dry-run", "--verbose")
    silent(run, done, again, over, tried, *status)
    derived = [
        warehouse.run("app-status-from-fact", side, "--verbose", "--force")
        for side in ("form", "synclog")
    ]
    silent(
        *derived,
        warehouse.run("verify-app-status", "--verbose"),
        warehouse.run("clear-staging", "--verbose"),
    )


# What makes a statement of the transform fail at the server, with messages that quote rows.
BREAKS = {
    "a check": "ALTER TABLE warehouse.user_dim ADD CHECK (id = 0)",
    "a unique key": """CREATE UNIQUE INDEX ON warehouse.user_dim ((1))
                        WHERE id > 0 AND username IS NOT NULL""",
    "a type": "ALTER TABLE warehouse.user_dim ALTER first_name TYPE integer USING NULL",
    "a missing column": "ALTER TABLE warehouse.user_dim DROP COLUMN first_name CASCADE",
    "a length": "ALTER TABLE warehouse.user_dim ALTER last_name TYPE varchar(3) USING NULL",
    "a refusal that quotes": """
        CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            RAISE EXCEPTION 'no % here', NEW.username USING DETAIL = NEW.username,
              HINT = NEW.username; END $$;
        CREATE TRIGGER refuse BEFORE INSERT OR UPDATE ON warehouse.user_dim
            FOR EACH ROW EXECUTE FUNCTION public.refuse()""",
    "a notice that quotes": """
        CREATE FUNCTION public.tell() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            RAISE WARNING 'saw %', NEW.username; RETURN NEW; END $$;
        CREATE TRIGGER tell BEFORE INSERT OR UPDATE ON warehouse.user_dim
            FOR EACH ROW EXECUTE FUNCTION public.tell()""",
}


@for_each(sorted(BREAKS))
def through_every_refusal_of_the_server(name):
    warehouse = Warehouse()
    loaded = warehouse.load(
        "user", [marked(doc.user("k1")), {**marked(doc.user("k2")), "_id": f"{MARK}-2"}]
    )
    warehouse.sql.run("DROP VIEW warehouse.app_status_report CASCADE; " + BREAKS[name])
    run = warehouse.transform("user", loaded, "--verbose", expect=None)
    check(run.status != 0 or "notice" in name, f"the test itself: {name} did not fail")
    status = warehouse.run("batch-status", "--json")
    silent(run, status)
    step = warehouse.sql.tuples("SELECT reason, result FROM etl.batch_step")
    lacks(str(step).lower(), FOLDED, "the ledger")
    lacks(str(warehouse.sql.rows("SELECT * FROM etl.batch")).lower(), FOLDED, "the ledger")


@test
def through_staging_that_refuses():
    warehouse = Warehouse()
    warehouse.sql.run("ALTER TABLE staging.user ADD CHECK (username IS NULL)")
    run = warehouse.load("user", [marked(doc.user("k"))], "--verbose", expect=None)
    check(run.status != 0, "the test itself: nothing failed")
    silent(run)
    warehouse = Warehouse()
    warehouse.sql.run("ALTER TABLE staging.user ALTER username TYPE integer USING NULL")
    run = warehouse.load("user", [marked(doc.user("k"))], "--verbose", expect=None)
    check(run.status != 0, "the test itself: nothing failed")
    silent(run)


@test
def through_a_server_source_and_its_failures():
    warehouse, source = Warehouse(), SourceDatabase()
    source.add_form(
        f"{MARK}-1",
        user_id=MARK,
        domain=MARK,
        app_id=MARK,
        xmlns=MARK,
        build_id=MARK,
        commcare_version=MARK[:8],
    )
    source.add_form(f"{MARK}-2", "1999-01-01T00:00:00Z", user_id=MARK)
    runs = [warehouse.load_from("form", [source], "--verbose")]
    runs.append(warehouse.transform("form", runs[0], "--verbose"))
    runs.append(
        warehouse.load_from(
            "form",
            [source],
            "--verbose",
            "--max-rejects",
            "0",
            "--since",
            "1990-01-01",
            "--until",
            "2000-01-01",
            expect=65,
        )
    )
    source.sql.run(f"""ALTER TABLE form_processor_xforminstancesql ALTER state DROP DEFAULT,
        DROP CONSTRAINT form_processor_xforminstancesql_state_check, ALTER state TYPE varchar
          USING '{MARK}'""")
    runs.append(warehouse.load_from("form", [source], "--verbose", "--overlap", "30d", expect=None))
    check(runs[-1].status != 0, "the test itself: a text as state was taken")
    runs.append(warehouse.load_from("form", [source], "--verbose", "--dry-run", expect=None))
    silent(*runs)


@test
def through_signals_and_sessions_that_are_ended():
    for ending in ("signal", "terminate"):
        warehouse = Warehouse()
        loaded = warehouse.load("user", [marked(doc.user("k"))])
        holder = warehouse.session()
        holder.run("BEGIN; LOCK TABLE warehouse.user_dim IN ACCESS EXCLUSIVE MODE")
        process = warehouse.start(
            "transform-dim", "user", "--batch-id", loaded["batch_id"], "--verbose"
        )
        wait_for_lock(warehouse.name, "transform-dim%")
        label = warehouse.sql.value(
            "SELECT string_agg(application_name, ' ') FROM" " pg_stat_activity"
        )
        lacks(label.lower(), FOLDED, "application_name")
        if ending == "signal":
            process.signal(signal.SIGTERM)
        else:
            warehouse.sql.run("""SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                                  WHERE application_name LIKE 'transform-dim%'""")
        silent(process.wait())


@test
def a_password_is_in_no_output_and_in_no_command_line():
    warehouse, source = Warehouse(), SourceDatabase()
    source.add_form("f1")
    env = {"PGPASSWORD": MARK, "SOURCE_PGPASSWORD": MARK}
    holder = warehouse.session()
    holder.run("BEGIN; LOCK TABLE staging.form IN ACCESS EXCLUSIVE MODE")
    process = warehouse.start("load-staging", "form", "--source", source.spec, "--verbose", env=env)
    wait_for_lock(warehouse.name, "load-staging%")
    with open(f"/proc/{process.process.pid}/cmdline", "rb") as file:
        lacks(file.read().decode().lower(), FOLDED, "command line")
    holder.run("ROLLBACK")
    run = process.wait().ended(0)
    bad = [
        ["--source", f"host=/nonexistent dbname=hq password={MARK}"],
        ["--source", f"postgresql://u:{MARK}@localhost:99999999/hq"],
        ["--source", f"postgresql://u:{MARK}@/hq?no_such_option={MARK}"],
        ["--source", f"host=localhost dbname=hq no_such_option={MARK}"],
        ["--source", f"host=localhost dbname=hq password='{MARK}"],
    ]
    silent(
        run,
        *[
            run_task("load-staging", "form", *options, "--verbose", database=warehouse.name).ended(
                64
            )
            for options in bad
        ],
    )
    silent(
        run_task("batch-status", "--verbose", env={"PGHOST": "/nonexistent", **env}),
        run_task("batch-status", "--verbose", database="no_such_database", env=env),
    )


# Values that are no words: what must be in no output, and records that hold it and fail.
NUMBER, PHONE, DAY, EMAIL = "8675309451", "+4915123450451", "2031-07-19T03:14:15", "0451@mail.test"
COURSE, BLOCK = f"course-v1:{MARK}+X+1", f"block-v1:{MARK}+X+1+type@problem+block@{MARK}"
KINDS = {
    "a number": (
        NUMBER,
        "location",
        [doc.location(number=int(NUMBER), parent="x"), doc.location(longitude=[float(NUMBER)])],
    ),
    "a number out of range": (
        NUMBER,
        "form",
        [doc.form("f1", state=int(NUMBER)), doc.form("f2", app_version=int(NUMBER) * 10**9)],
    ),
    "a date": (
        DAY,
        "form",
        [doc.form("f1", DAY), doc.form("f2", time_end=DAY + "x"), doc.form("f3", edited_on=[DAY])],
    ),
    "a phone number": (
        PHONE,
        "user",
        [doc.user("u1", ["x"], phone_numbers=[PHONE]), doc.user("u2", 7, username=PHONE)],
    ),
    "a mail address": (
        EMAIL,
        "user",
        [doc.user("u1", "x", email=EMAIL), doc.user("u2", email={EMAIL: EMAIL})],
    ),
    "a learner": (
        MARK,
        "learner",
        [{"id": MARK, "username": "x"}, {"id": 1, "username": [MARK], "password": MARK}],
    ),
    "a course": (
        MARK,
        "enrollment",
        [
            {"id": 1, "user_id": 1, "course_id": COURSE + suffix, "is_active": 1, "mode": mode}
            for suffix in ("", "+1", " x", "+branch@")
            for mode in (MARK, [MARK])
        ],
    ),
    "a block": (
        MARK,
        "student_module",
        [
            {"id": 1, "student_id": 1, "course_id": course, "module_id": block, "state": MARK}
            for course in (COURSE, "course-v1:a+b+c")
            for block in (BLOCK, MARK, BLOCK + "/")
        ],
    ),
}


@for_each(sorted(KINDS))
def through_rejects_and_over_the_budget(name):
    mark, feed, records = KINDS[name]
    warehouse = Warehouse()
    over = warehouse.load(feed, records, "--max-rejects", "0", "--verbose", expect=65)
    run = warehouse.load(feed, records, "--max-rejects", "100%", "--verbose")
    check(run["rows_rejected"] > 0, "the test itself: nothing was rejected")
    replay = warehouse.run("load-staging", feed, "--replay-rejects", "--verbose")
    path = os.path.join(warehouse.folder, "rejects.ndjson")
    export = warehouse.run("load-staging", feed, "--export-rejects", path, "--verbose")
    for step in (over, run, replay, export, warehouse.run("batch-status", "--verbose")):
        lacks(step.output.lower(), mark.lower(), f"output of {step}")
    for table in ("batch", "batch_step", "batch_source"):
        text = str(warehouse.sql.rows(f"SELECT * FROM etl.{table}"))
        lacks(text.lower(), mark.lower(), f"etl.{table}")


# Tables whose header is refused, or is none: it may be a record.
HEADERS = [
    f"{MARK},form_id,received_on,{MARK}\n",
    f"{MARK},2024-01-05\n{MARK}2,2024-01-05\n",
    f'"{MARK},form_id\n{MARK}',
    f"form_id,{MARK}\0\n",
    f"form_id,received_on,{MARK}\n{MARK},soon,{MARK}\n{MARK}\n",
]


@for_each(["csv", "tsv"])
def through_the_headers_of_tables(kind):
    warehouse = Warehouse()
    for number, text in enumerate(HEADERS):
        path = os.path.join(warehouse.folder, f"{number}.{kind}")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text.replace(",", "\t") if kind == "tsv" else text)
        silent(
            warehouse.run("load-staging", "form", "--source", path, "--max-rejects", "0", expect=65)
        )


@test
def the_folders_of_a_file_and_the_user_of_a_source_are_not_told():
    warehouse = Warehouse()
    folder = os.path.join(warehouse.folder, MARK)
    os.mkdir(folder)
    cut = os.path.join(folder, "cut.ndjson")
    with open(cut, "wb") as file:
        file.write(b"\x1f\x8b\x08")
    missing = os.path.join(folder, "missing.ndjson")
    silent(
        *[
            run_task("load-staging", "form", "--source", spec, database=warehouse.name).ended(
                69, 74, 77
            )
            for spec in (
                cut,
                missing,
                f"host=/nonexistent dbname=hq user={MARK}",
                f"dbname=postgres host={os.environ['PGHOST']} user={MARK}",
            )
        ]
    )


# ---- what the server writes down ----


def log_of_server():
    """What the scratch server has logged so far."""
    data = root().value("SHOW data_directory")
    with open(os.path.join(os.path.dirname(data), "log"), "rb") as file:
        return file.read().decode("utf-8", "replace").lower()


@for_each(sorted(name for name in BREAKS if "quotes" not in name))
def a_server_that_is_told_to_be_terse_logs_no_row(name):
    warehouse = Warehouse()
    root().run(f"ALTER DATABASE {warehouse.name} SET log_error_verbosity = terse")
    before = len(log_of_server())
    loaded = warehouse.load(
        "user", [marked(doc.user("k1")), {**marked(doc.user("k2")), "_id": f"{MARK}-2"}]
    )
    warehouse.sql.run("DROP VIEW warehouse.app_status_report CASCADE; " + BREAKS[name])
    warehouse.transform("user", loaded, "--verbose", expect=None)
    seen = log_of_server()[before:]
    check("error" in seen, "the test itself: the server logged nothing")
    lacks(seen, FOLDED, "the server's log")


@test
def no_value_of_a_record_is_bound_to_a_statement():
    warehouse = Warehouse()
    root().run(f"ALTER DATABASE {warehouse.name} SET log_statement = 'all'")
    record = marked(doc.user("k1"))
    before = len(log_of_server())
    run = warehouse.load("user", [record, {**record, "_id": [MARK]}])
    warehouse.transform("user", run)
    warehouse.run("load-staging", "user", "--replay-rejects")
    seen = log_of_server()[before:]
    check("parameters:" in seen, "the test itself: the server logged no parameters")
    lacks(seen, FOLDED, "the server's log")


@test
def a_wrong_argument_is_not_repeated_where_it_may_be_data():
    warehouse = Warehouse()
    runs = [
        warehouse.run(
            "load-staging", "form", "--source", "x", "--run-key", f"{MARK} {MARK}", expect=64
        ),
        warehouse.run(
            "transform-fact", "form", "--batch-id", "-", stdin=MARK + "\n", expect=(64, 65, 74)
        ),
    ]
    silent(*runs)


if __name__ == "__main__":
    main()
