#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The three roles of the README: each may do its part, and no more."""

import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
import documents as doc  # noqa: E402
from factline import SqlError, Warehouse, environment, root  # noqa: E402
from harness import after_each, check, contains, equal, main, test  # noqa: E402
from learning import Site, enrollment, module, structure  # noqa: E402

RIGHTS = os.path.join(HERE, "..", "sample", "warehouse_rights.sql")
OWNER, LOADER, READER = (f"factline_{role}_{os.getpid()}" for role in ("owner", "loader", "reader"))


class Guarded(Site):
    """A warehouse of both pipelines whose tasks are the loader's."""

    def __init__(self):
        super().__init__(migrated=False)
        for role in (OWNER, LOADER, READER):
            root().run(f"CREATE ROLE {role} LOGIN")
        root().run(f"ALTER DATABASE {self.name} OWNER TO {OWNER}")
        self.run("migrate-warehouse", env={"PGUSER": OWNER})
        subprocess.run(
            ["psql", "-Xq", "-v", f"loader={LOADER}", "-v", f"reader={READER}", "-f", RIGHTS],
            env={**environment(self.name), "PGUSER": OWNER},
            check=True,
        )

    def run(self, *command, env=None, **more):
        return super().run(*command, env={"PGUSER": LOADER, **(env or {})}, **more)

    def transform(self, feed, *arguments, **more):
        kind = Warehouse if feed in ("form", "synclog") else Site
        return kind.transform(self, feed, *arguments, **more)


@after_each
def drop_roles():
    for role in (OWNER, LOADER, READER):
        root().run(f"DROP ROLE IF EXISTS {role}")


def is_refused(session, sql):
    try:
        session.run(sql)
    except SqlError as error:
        contains(str(error), "permission denied", sql)
        return True
    return False


@test
def the_loader_runs_every_step_of_both_pipelines():
    site = Guarded()
    form = doc.form("f1", user_id="asha")
    for _ in range(2):
        site.take("user", [doc.user("asha"), doc.user("bina")])
        site.take("form", [form, doc.form("f2", user_id="bina"), {"form_id": ""}])
        site.take("synclog", [doc.synclog("s1", user_id="asha")])
        form = {**form, "received_on": "2024-05-05T00:00:00Z"}  # another month
        site.app_status("form", "synclog")
    listed = site.load("user", [{"_id": doc.user("asha")["_id"]}], "--reconcile", "--overlap", "0s")
    site.transform("user", listed)
    site.take("course_block", structure())
    site.take("enrollment", [enrollment(101)])
    site.take("student_module", [module(101, "p1", 2.0, 3.0)])
    site.derive()
    site.verify()
    site.run("verify-app-status", "--repair")
    site.run("load-staging", "form", "--replay-rejects", "--max-rejects", "9")
    site.run("load-staging", "form", "--export-rejects", os.path.join(site.folder, "out.ndjson"))
    site.run("clear-staging", "--keep-rejects", "0s")
    equal(len(site.report()), 1, "the report's workers")


@test
def the_loader_makes_no_tables_and_the_reader_sees_the_report_alone():
    site = Guarded()
    loader, reader = site.session(LOADER), site.session(READER)
    for schema in ("etl", "staging", "warehouse"):
        check(is_refused(loader, f"CREATE TABLE {schema}.t (id bigint)"), f"a table in {schema}")
    reader.run("SELECT FROM warehouse.app_status_report")
    for table in ("warehouse.user_dim", "etl.rejected_row", "staging.form"):
        check(is_refused(reader, f"SELECT FROM {table}"), f"the reader sees {table}")


@test
def what_the_loader_made_for_itself_is_not_run_with_the_owner_s_rights():
    site = Guarded()
    loader = site.session(LOADER)
    loader.run("""
        CREATE FUNCTION pg_temp.spy() RETURNS boolean LANGUAGE plpgsql AS $$
        BEGIN
            IF current_user <> session_user THEN
                RAISE EXCEPTION 'runs as the owner';
            END IF;
            RETURN true;
        END $$""")
    for name in ("text", "int8", "date"):
        loader.run(f"CREATE DOMAIN pg_temp.{name} AS pg_catalog.{name} CHECK (pg_temp.spy())")
    for call in (
        "make_staging('form', 1)",
        "analyze_staging('form', 1)",
        "drop_staging('form', 1)",
        "make_month('warehouse.form_fact', '2024-01-01')",
    ):
        try:
            loader.run(f"SELECT etl.{call}")
        except SqlError as error:
            check("runs as the owner" not in str(error), call)


main()
