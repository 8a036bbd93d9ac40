# SPDX-License-Identifier: MIT
"""The statements of the CommCare pipeline, run one by one on a warehouse of their own.

Needs psql and a scratch server in PG*. Nothing of the product but its .sql files is used: the
values that a procedure would bind are given by the test.
"""

import json
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
PIPELINE = os.path.join(ROOT, "common", "pipelines", "commcare")
FEEDS = ("user", "group", "domain", "location", "application", "form", "synclog")
TARGETS = ("warehouse.form_fact", "warehouse.synclog_fact", "warehouse.app_status_fact")
COUNTS = ("inserted", "updated", "unchanged", "duplicate", "older")
END = "--end-of-answer--"


def read(*path):
    with open(os.path.join(*path), encoding="utf-8") as file:
        return file.read()


def statement(stem):
    """The text of a statement; of one that is said as another, the other's with a word renamed."""
    text = read(PIPELINE, "sql", stem + ".sql")
    said_as = re.search(r"^-- as (\w+)\.sql, with (\w+) for (\w+)$", text, re.M)
    if not said_as:
        return text
    base, new, old = said_as.groups()
    return re.sub(r"(?<![A-Za-z0-9])%s(?![A-Za-z0-9])" % old, new, statement(base))


def literal(value):
    """A value as SQL text; None is NULL."""
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "'t'" if value else "'f'"
    if isinstance(value, (list, tuple)):
        return "'{" + ",".join(str(item) for item in value) + "}'"
    return "'" + str(value).replace("'", "''") + "'"


class Database:
    """One psql session on a database that is dropped at the end."""

    def __init__(self, name, template="template1"):
        self.name = ("%s_%d" % (name[:50], os.getpid())).lower()
        self.admin("CREATE DATABASE %s TEMPLATE %s" % (self.name, template))
        self.psql = subprocess.Popen(
            ["psql", "-XAtq", "-F", "\x1f", "-d", self.name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.sql(
            "SET search_path = pg_catalog; SET timezone = 'UTC'; SET jit = off;"
            "SET client_min_messages = warning;"
        )

    @staticmethod
    def admin(command):
        subprocess.run(["psql", "-XAtqc", command, "-d", "postgres"], check=True)

    def leave(self):
        self.psql.stdin.close()
        self.psql.wait()

    def close(self):
        self.leave()
        self.admin("DROP DATABASE %s" % self.name)

    def sql(self, text):
        """Runs commands; gives the rows of text, and raises on an error."""
        self.psql.stdin.write(text.rstrip().rstrip(";") + ";\n\\echo %s\n" % END)
        self.psql.stdin.flush()
        rows = []
        for line in self.psql.stdout:
            line = line.rstrip("\n")
            if line == END:
                break
            rows.append(line)
        errors = [row for row in rows if row.startswith(("ERROR:", "psql:", "FATAL:"))]
        if errors:
            raise AssertionError("\n".join(rows) + "\n" + text[:500])
        return [tuple(row.split("\x1f")) for row in rows]

    def one(self, text):
        return self.sql(text)[0][0]


class Warehouse(Database):
    """The ledger and the CommCare schema, every statement prepared. The schema is made once, as a
    database that the others are copies of."""

    made = None

    def __init__(self, name):
        if not Warehouse.made:
            Warehouse.made = Database("warehouse_made")
            self.migrate(Warehouse.made)
            Warehouse.made.leave()
        super().__init__(name, Warehouse.made.name)
        self.prepare()
        self.read_number = 0

    @staticmethod
    def migrate(made):
        for folder in (
            os.path.join(ROOT, "common", "etl", "schema"),
            os.path.join(PIPELINE, "schema"),
        ):
            for file in sorted(os.listdir(folder)):
                made.sql(read(folder, file))
        for target in TARGETS:
            made.sql("INSERT INTO etl.target (name) VALUES ('%s')" % target)
        for workflow in FEEDS + ("app_status_form", "app_status_synclog"):
            kind = "derived" if workflow.startswith("app_") else "feed"
            made.sql(
                "INSERT INTO etl.workflow (name, pipeline, kind, target)"
                " VALUES ('%s', 'commcare', '%s', 'x')" % (workflow, kind)
            )

    def prepare(self):
        self.parameters = {}
        for file in sorted(os.listdir(os.path.join(PIPELINE, "sql"))):
            stem = file[:-4]
            text = statement(stem)
            if re.search(r"^COPY", text, re.M):
                continue
            declared = re.findall(r"^-- param \$\d+ (\w+) (\S+)", text, re.M)
            types = "(" + ", ".join(kind for _, kind in declared) + ")" if declared else ""
            self.sql("PREPARE %s%s AS %s" % (stem, types, text))
            self.parameters[stem] = [name for name, _ in declared]

    def run(self, stem, **values):
        """Runs a statement; gives its counts by name."""
        names = self.parameters[stem]
        call = "(" + ", ".join(literal(values[name]) for name in names) + ")" if names else ""
        head, row = self.sql("\\t off\nEXECUTE %s%s;\n\\t on\n" % (stem, call))[:2]
        return dict(zip(head, (int(field) for field in row)))

    def stage(self, feed, records, version_time=None, read_number=None):
        """Opens a batch and stages records (dicts of staging columns); gives its id."""
        self.read_number += 1
        number = read_number or self.read_number
        batch = int(
            self.one(
                "INSERT INTO etl.batch (workflow, run_key, fingerprint, kind, since, until, state,"
                " read_number, rows_staged) VALUES ('%s', 'k%d', 'f', 'incremental', '-infinity',"
                " 'infinity', 'staged', %d, %d) RETURNING id"
                % (feed, self.read_number, number, len(records))
            )
        )
        self.sql("SELECT etl.make_staging('%s', %d)" % (feed, batch))
        rows = []
        for position, record in enumerate(records, 1):
            row = {
                "batch_id": batch,
                "read_number": number,
                "line_no": position,
                "is_tombstone": False,
                "version_time": version_time,
            }
            row.update(record)
            if row["version_time"] is None:
                row["version_time"] = "-infinity"
            rows.append(row)
        self.sql(
            "INSERT INTO staging.%s"
            " SELECT * FROM jsonb_populate_recordset(NULL::staging.%s, %s)"
            % (feed, feed, literal(json.dumps(rows)))
        )
        return batch

    def transform(self, feed, batch, pending_older=False, own_times=True):
        """What transform-dim or transform-fact would run, in one transaction; balanced counts."""
        values = {
            "batch_id": batch,
            "pending_older": pending_older,
            "own_times": own_times,
            "rows_staged": int(self.one("SELECT rows_staged FROM etl.batch WHERE id = %d" % batch)),
        }
        members = 0
        for stem in MEMBERS[feed]:
            members += self.run(stem, **values).get("members_inferred", 0)
        counts = {}
        self.sql("BEGIN")
        for stem in STEPS[feed]:
            for name, count in self.run(stem, **values).items():
                counts[name] = counts.get(name, 0) + count
        self.sql("UPDATE etl.batch SET state = 'complete' WHERE id = %d; COMMIT" % batch)
        assert counts["rows_staged"] == sum(counts["rows_" + name] for name in COUNTS), counts
        counts["members_inferred"] = members
        return counts

    def load(self, feed, records, **options):
        """Stages and transforms."""
        staging = {
            name: options.pop(name) for name in ("version_time", "read_number") if name in options
        }
        return self.transform(feed, self.stage(feed, records, **staging), **options)

    def derive(self, side, batches=None, everything=False):
        """What app-status-from-fact would do for form or synclog; None: what is unconsumed."""
        consumer = "app_status_" + side
        if batches is None:
            batches = [
                int(row[0])
                for row in self.sql(
                    "SELECT id FROM etl.batch WHERE workflow = '%s' AND state = 'complete'"
                    " AND NOT EXISTS (SELECT FROM etl.batch_consumption WHERE consumer = '%s'"
                    " AND source_batch_id = id) ORDER BY id" % (side, consumer)
                )
            ]
        derived = int(
            self.one(
                "INSERT INTO etl.batch (workflow, run_key, fingerprint, kind, since, until, state)"
                " SELECT '%s', 'd' || count(*), 'f', 'incremental', '-infinity', 'infinity',"
                " 'complete'"
                " FROM etl.batch RETURNING id" % consumer
            )
        )
        self.sql("BEGIN")
        for source in batches:
            self.sql(
                "INSERT INTO etl.batch_consumption (consumer, source_batch_id, batch_id)"
                " VALUES ('%s', %d, %d) ON CONFLICT DO NOTHING" % (consumer, source, derived)
            )
        if everything:
            counts = self.run("app_status_from_all", batch_id=derived)
        else:
            counts = self.run("app_status_from_changes", batches=batches, batch_id=derived)
        self.sql("COMMIT")
        return counts


MEMBERS = {
    "user": ["user_location_members"],
    "group": ["group_user_members"],
    "domain": [],
    "location": [],
    "application": [],
    "form": ["form_months", "form_members"],
    "synclog": ["synclog_months", "synclog_members"],
}
STEPS = {
    "user": ["user_dim", "user_gone", "user_location_dim", "domain_membership_dim"],
    "group": ["group_dim", "group_gone", "user_group_dim"],
    "domain": ["domain_document", "domain_document_gone", "domain_dim"],
    "location": ["location_dim", "location_gone", "location_level"],
    "application": ["application_dim", "application_gone"],
    "form": ["form_fact"],
    "synclog": ["synclog_fact"],
}


def main(tests, make):
    """Runs the test functions, each on a warehouse of its own, and prints TAP."""
    failed = 0
    wanted = sys.argv[1:]
    chosen = [test for test in tests if not wanted or test.__name__ in wanted]
    print("1..%d" % len(chosen))
    for number, test in enumerate(chosen, 1):
        subject = make(test.__name__)
        try:
            test(subject)
            print("ok %d - %s" % (number, test.__name__), flush=True)
        except Exception as error:  # the next test has its own database
            failed += 1
            print("not ok %d - %s" % (number, test.__name__))
            for line in (repr(error) if not error.args else str(error)).splitlines():
                print("# " + line, flush=True)
        finally:
            subject.close()
    if Warehouse.made:
        Database.admin("DROP DATABASE " + Warehouse.made.name)
    sys.exit(1 if failed else 0)
