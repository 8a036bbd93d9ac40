# SPDX-License-Identifier: MIT
"""Steps to be broken in every way, each with a warehouse that is ready for it, and the comparison
of what is there after the retry with what an undisturbed run leaves.

    step = fault.Step("transform-fact form")
    with step.fresh() as database:
        ...break step.command on it...
        step.retry(database)
"""

import contextlib
import json

import documents as doc
import factline
import learning
from factline import Warehouse, check_result, run_task
from harness import equal, same_rows
from proxy import Gate
from source import SourceDatabase

AGAIN = (69, 74, 75)
KEY = ("--run-key", "next")


# ---- warehouses, and what is next in them ----


def commcare():
    """A month of CommCare that is done."""
    return Warehouse(make=fill_commcare)


def fill_commcare(name):
    factline.migrate(name)
    warehouse = Warehouse(name=name)
    warehouse.take("domain", [doc.domain("d1", "river"), doc.domain("d2", "hill")])
    warehouse.take("application", [doc.app(), doc.build()])
    warehouse.take("location", [doc.location("village", 1), doc.location("house", 2, parent=1)])
    warehouse.take("group", [doc.group("north", ["asha", "bela"])])
    warehouse.take("user", [doc.user("asha", assigned_location_ids=["house"]), doc.web_user()])
    warehouse.take("form", [doc.form(f"f{n}", user_id=("asha", "bela")[n % 2]) for n in range(8)])
    warehouse.take("synclog", [doc.synclog(n, user_id="asha") for n in range(4)])
    warehouse.app_status()


def forms():
    """Changed, moved to another user or month, archived, double, new, of users unknown so far, in
    months unknown so far; and one that is none."""
    late = "2024-03-09T00:00:00Z"
    return [
        doc.form("f1", user_id="cora", server_modified_on=late),
        doc.form("f2", state=2, server_modified_on=late),
        doc.form("f3", received_on="2024-04-01T00:00:00Z"),
        doc.form("f4"),
        doc.form("new1", user_id="dina", app_id="pnc", domain="sea"),
        doc.form("new1", user_id="dina", app_id="pnc", domain="sea"),
        doc.form("new2", received_on="2024-05-01T00:00:00Z", app_id=None),
        '{"form_id": "broken"',
    ] + [doc.form(f"more{n}", user_id=f"u{n % 5}", xmlns="x" * 3000) for n in range(40)]


NEXT = {
    "form": forms,
    "synclog": lambda: [
        doc.synclog(n, "2024-04-02T10:00:00Z", user_id=user)
        for n, user in enumerate(["asha", "bela", "zoe"], 3)
    ],
    "user": lambda: [
        doc.user("asha", "2024-03-05T00:00:00Z", first_name="A", assigned_location_ids=["village"]),
        doc.user("bela"),
        doc.change(doc.user("cora")),
        doc.deletion("maria"),
    ],
    "location": lambda: [
        doc.location("house", 2, "2024-03-05T00:00:00Z"),
        doc.location("hut", 3, 2),
    ],
    "course_block": lambda: learning.structure(
        "V2", "2026-02-20T00:00:00Z", p1=5.0, without=["h3"]
    ),
    "enrollment": lambda: [
        learning.enrollment(101, is_active=0, history_date="2026-03-02T00:00:00Z"),
        learning.enrollment(104, learning.COURSE.replace("X", "Y")),
    ],
    "student_module": lambda: [
        learning.module(101, "p1", 4.0, 4.0),
        learning.module(102, "p2", 3.0, 3.0),
        learning.module(105, "p1", 1.0, 4.0),
        {**learning.module(103, "p1"), "module_id": "none"},
    ],
}


def openedx():
    """A course with learners at work."""
    return learning.Site(make=fill_openedx)


def fill_openedx(name):
    factline.migrate(name)
    site = learning.Site(name=name).base()
    site.take("student_module", [learning.module(user, "p1", 2.0, 4.0) for user in (101, 102)])
    site.derive()
    site.sql.close()


def damaged(make, table, change):
    warehouse = make()
    warehouse.sql.run(f"DELETE FROM warehouse.{table} WHERE ctid = '(0,1)'; {change}")
    return warehouse


def loaded(make, *feeds):
    """With a staged batch of each feed."""
    warehouse = make()
    warehouse.staged = {feed: warehouse.file(NEXT[feed]()) for feed in feeds}
    for feed, path in warehouse.staged.items():
        warehouse.run("load-staging", feed, "--source", path, *KEY)
    return warehouse


def taken(make, *feeds):
    """With facts that nothing is derived from yet."""
    warehouse = loaded(make, *feeds)
    for feed in feeds:
        task = "transform-dim" if feed == "course_block" else "transform-fact"
        warehouse.run(task, feed, *KEY)
    return warehouse


def old(make):
    """With staging and logs that nobody needs any more, and rejects beyond their time."""
    warehouse = taken(make, "form")
    warehouse.app_status()
    warehouse.sql.run("UPDATE etl.rejected_row SET rejected_at = '2024-01-01'")
    return warehouse


def rejecting(make):
    """With rejects that can be read now."""
    warehouse = make()
    warehouse.take("form", NEXT["form"]())
    line = json.dumps(doc.form("mended")).replace("'", "''")
    warehouse.sql.run(f"UPDATE etl.rejected_row SET bytes = convert_to('{line}', 'UTF8')")
    return warehouse


AS_OF = ("--as-of", "2026-04-12")
# A warehouse to begin with, the command line; the rest of a load's is its source.
STEPS = {
    "migrate-warehouse": (lambda: Warehouse(migrated=False), ["migrate-warehouse"]),
    "load-staging form of a file": (commcare, ["load-staging", "form", *KEY]),
    "load-staging form of servers": (commcare, ["load-staging", "form", *KEY, "--overlap", "0s"]),
    "load-staging form of rejects": (
        lambda: rejecting(commcare),
        ["load-staging", "form", "--replay-rejects", *KEY],
    ),
    "load-staging student_module": (openedx, ["load-staging", "student_module", *KEY]),
    **{
        f"{task} {feed}": (lambda make=make, feed=feed: loaded(make, feed), [task, feed, *KEY])
        for task, feed, make in (
            ("transform-dim", "user", commcare),
            ("transform-dim", "location", commcare),
            ("transform-fact", "form", commcare),
            ("transform-fact", "synclog", commcare),
            ("transform-dim", "course_block", openedx),
            ("transform-fact", "enrollment", openedx),
            ("transform-fact", "student_module", openedx),
        )
    },
    "app-status-from-fact form": (
        lambda: taken(commcare, "form", "synclog"),
        ["app-status-from-fact", "form", *KEY],
    ),
    "app-status-from-fact synclog": (
        lambda: taken(commcare, "form", "synclog"),
        ["app-status-from-fact", "synclog", *KEY],
    ),
    "enrollment-data-from-fact": (
        lambda: taken(openedx, "course_block", "enrollment", "student_module"),
        ["enrollment-data-from-fact", *AS_OF, *KEY],
    ),
    "clear-staging": (lambda: old(commcare), ["clear-staging"]),
    "verify-app-status": (
        lambda: damaged(
            commcare,
            "app_status_fact",
            "UPDATE warehouse.app_status_fact SET last_form_id = 'none'",
        ),
        ["verify-app-status", "--repair"],
    ),
    "verify-enrollment-data": (
        lambda: damaged(
            openedx, "enrollment_data", "UPDATE warehouse.enrollment_data SET points_earned = 9"
        ),
        ["verify-enrollment-data", "--repair"],
    ),
}


# ---- what is there ----

# A part of staging is named after its feed: its own name has the batch's number.
TABLES = """
    SELECT format('SELECT %L AS name, to_jsonb(r) AS row FROM ONLY %s AS r',
                  CASE WHEN nspname = 'staging' AND relispartition
                       THEN inhparent::regclass ELSE c.oid::regclass END,
                  c.oid::regclass)
      FROM pg_class AS c
      JOIN pg_namespace AS n ON n.oid = relnamespace
      LEFT JOIN pg_inherits ON inhrelid = c.oid
     WHERE nspname IN ('etl', 'staging', 'warehouse') AND relkind = 'r'
"""
# What tells of a run rather than of its result, and what names a row by a drawn number.
OWN = {
    "etl.batch": {
        "attempt",
        "read_number",
        "failed_at",
        "failed_step",
        "failed_status",
        "failed_sqlstate",
        "failed_reason",
    },
    "etl.workflow": {"read_number"},
    "etl.rejected_row": {"id"},
}
UNCOMPARED = {"etl.batch_step"}
NAMED_BY = {
    "user_dim": ("user_id", ["user_dim_id"]),
    "application_dim": ("application_id", ["app_dim_id", "build_dim_id", "last_form_build_dim_id"]),
    "domain_dim": ("domain", ["domain_dim_id"]),
    "group_dim": ("group_id", ["group_dim_id"]),
    "location_dim": (
        "location_id",
        ["location_dim_id"] + [f"location_level_{n}" for n in range(8)],
    ),
    "learner_dim": ("user_id", ["learner_id"]),
    "learning_context_dim": ("context_key", ["context_id", "parent_context_id"]),
    "block_dim": (
        "usage_key",
        ["block_id"]
        + [f"{kind}_block_id" for kind in ("parent", "subsection", "section", "random_parent")],
    ),
    "course_version_dim": ("course_version", ["course_version_id"]),
}
BATCHES = ("batch_id", "source_batch_id", "replayed_batch_id")
READS = ("read_number", "gone_read_number")


def contents(database, since):
    """The rows of all tables, with names for drawn numbers. Times from since on are "now"."""
    session = factline.Session(database)
    selects = session.run(TABLES)
    rows = [
        (row["name"], row["row"])
        for row in (session.rows(" UNION ALL ".join(selects)) if selects else [])
    ]
    session.close()
    names = {}
    for table, row in rows:
        if table == "etl.batch":
            for column in BATCHES:
                names[column, row["id"]] = f"{row['workflow']}/{row['run_key']}/{row['generation']}"
        key, columns = NAMED_BY.get(table.removeprefix("warehouse."), (None, ()))
        for column in columns:
            names[column, row["id"]] = row[key]
    reads = {}
    for table, row in rows:
        reads.setdefault(table, set()).update(row[name] for name in READS if name in row)
    return [
        (table, *sorted(plain(table, row, names, sorted(reads[table] - {None}), since).items()))
        for table, row in rows
        if table not in UNCOMPARED
    ]


def plain(table, row, names, reads, since):
    """A row without what is drawn anew by each run: numbers of rows, batches, reads, times."""

    def name(column, value):
        if isinstance(value, int):
            return reads.index(value) if column in READS else names.get((column, value), value)
        is_late = isinstance(value, str) and value[:4].isdigit() and value >= since
        return "now" if is_late else value

    own = OWN.get(table, set()) | (
        {"id"} if table.startswith(("warehouse", "etl.batch")) else set()
    )
    return {column: name(column, value) for column, value in row.items() if column not in own}


# Members of a result that differ between runs of the same work.
RUN_OWN = {
    "batch_id",
    "attempt",
    "status",
    "since",
    "until",
    "seconds",
    "behind_seconds",
    "batches",
    "members_inferred",
}


class Step:
    """One of STEPS with the database it begins with, and what it leaves when nothing disturbs it.
    folder: of a gate's socket, through which the servers of a load are reached."""

    def __init__(self, name, folder=None):
        make, command = STEPS[name]
        self.name, self.folder = name, folder
        self.warehouse = make()
        self.base = self.warehouse.name
        self.command = [*command, *self.source()]
        self.since = self.warehouse.sql.value(
            """SELECT to_char(now() - interval '1 hour', 'YYYY-MM-DD"T"HH24:MI:SS')"""
        )
        self.warehouse.sql.close()
        with self.fresh() as database:
            run = self.run(database).ended(0)
            self.wanted = contents(database, self.since)
            self.counts = self.counts_of(run)

    def source(self):
        """The options by which a load finds what it reads."""
        if not self.name.startswith("load-staging") or "--replay-rejects" in STEPS[self.name][1]:
            return []
        if not self.name.endswith("servers"):
            return ["--source", self.warehouse.file(NEXT[self.name.split()[1]]())]
        shards = [SourceDatabase(), SourceDatabase()]
        for number, shard in enumerate(shards):
            for form in range(30):
                shard.add_form(f"s{number}-{form}", f"2024-04-0{form % 9 + 1}T00:00:00Z")
            shard.add_form(f"early{number}", "1999-01-01T00:00:00Z")
            shard.sql.close()
        where = {"host": self.folder, "port": 5432} if self.folder else {}
        return [word for shard in shards for word in ("--source", shard.spec_of(**where))]

    @contextlib.contextmanager
    def fresh(self):
        """A copy of the database that the step begins with."""
        name = factline.new_name("fault")
        factline.copy_database(self.base, name)
        try:
            yield name
        finally:
            factline.drop_database(name)

    def run(self, database, gate=None, **more):
        """The step, through the gate."""
        with gate or (
            Gate(0, folder=self.folder) if self.folder else contextlib.nullcontext()
        ) as gate:
            env = {**more.pop("env", {}), **(gate.environment if gate else {})}
            process = factline.Process(*self.command, database=database, env=env, **more)
            return gate.wait(process) if gate else process.wait()

    def retry(self, database, has_crashed=False):
        """Runs the step until it succeeds; then the warehouse must be as without the fault."""
        for _ in range(5):
            run = self.run(database)
            if run.status == 65 and has_crashed and "run load-staging again" in run.error:
                self.stage_again(database)
            elif run.status == 0:
                break
            else:
                run.ended(0, *AGAIN)
        run.ended(0)
        check_result(run, self.command[0], run["status"])
        if "--run-key" in self.command:
            equal(self.counts_of(run), self.counts, "the counts of the retry")
        seen, wanted = contents(database, self.since), self.wanted
        if has_crashed:  # staging is not there to outlive that
            seen, wanted = (
                [row for row in rows if not row[0].startswith("staging.")]
                for rows in (seen, wanted)
            )
        same_rows(seen, wanted, f"{self.name}: the warehouse after the retry")

    def stage_again(self, database):
        """Loads the batch that the step works on once more: a crash emptied its staging."""
        feed = self.command[1]
        path = self.warehouse.staged[feed]
        run_task("load-staging", feed, "--source", path, *KEY, database=database).ended(0)

    @staticmethod
    def counts_of(run):
        return {name: value for name, value in run.result.items() if name not in RUN_OWN}
