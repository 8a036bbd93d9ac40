# SPDX-License-Identifier: MIT
"""A random schedule of loads, transforms and derived runs with kills, retries, twins, late commits,
reorderings and lost staging, and the comparison with the oracle.
"""

import json
import random
from collections import defaultdict

import clock
import factline
import oracle
from accident import Accidents
from factline import time_of
from harness import check, equal, same_rows
from installation import Installation
from oracle import Record
from source import literal

KEY = {
    "user": "user_id",
    "group": "group_id",
    "domain": "domain_id",
    "location": "location_id",
    "application": "application_id",
    "form": "form_id",
    "synclog": "synclog_id",
}


def as_version(time):
    return "" if time == "-infinity" else time_of(time)


class Load:
    """What the load of a run key reads: lines of a file, or servers."""

    def __init__(self, feed, key, arguments, lines=None, servers=None, window=None):
        self.feed, self.key, self.arguments = feed, key, arguments
        self.lines, self.servers, self.window = lines, servers, window


class Schedule(Accidents):
    """--stale-files: files of forms may be older than what servers have shown since. A file's
    record that lies between two server reads of an unchanged row then wins over the second of
    them, because what did not change is not written, its version included."""

    def __init__(self, seed, options):
        super().__init__(random.Random(seed), factline.Warehouse())
        self.stale_files = options.stale_files
        self.length = random.Random(seed).randint(5, options.steps)
        self.has_clock = self.rng.random() < 0.5
        self.hq = Installation(self.rng, clock.host() if self.has_clock else None)
        clock.step(-clock.offset())
        self.latest_clock = 0
        self.may_lack_staging = False
        self.loads = {}  # run key -> Load
        self.captured = {}  # batch id -> (read number, records)
        self.mended = {}  # reject's id -> its revision
        self.mentioned = defaultdict(set)
        self.steps = 0

    @staticmethod
    def add_options(parser):
        parser.add_argument(
            "--stale-files", action="store_true", help="load files older than the last server read"
        )

    @property
    def sql(self):
        return self.warehouse.sql

    def summary(self):
        return (
            f"{len(self.loads)} loads, {len(self.captured)} batches, "
            f"{len(self.records())} records"
        )

    def crashed(self):
        self.hq.lose_transactions()
        self.may_lack_staging = True

    # ---- loads ----

    def new_load(self, feed=None):
        rng, hq = self.rng, self.hq
        feed = feed or rng.choice(
            ["form"] * 4
            + ["synclog", "synclog", "location", "user", "group", "domain", "application"]
        )
        key = f"k{len(self.loads) + 1}"
        window = None
        options = []
        if rng.random() < 0.25:
            moments = [hq.past(), hq.past(), hq.now(), hq.now()] + hq.moments[-10:]
            window = tuple(sorted(rng.sample(moments, 2)))
            if window[0] == window[1]:
                window = None
            else:
                options = ["--since", window[0] + "Z", "--until", window[1] + "Z"]
        # A record of a file has its own time, which is later than that of reads after a step back.
        has_file = feed in hq.documents or (
            feed == "form"
            and not self.has_clock
            and (hq.dumps or not self.stale_files)
            and rng.random() < 0.25
        )
        if has_file:
            lines = self.lines_for(feed)
            path = self.warehouse.file([line for line, _, _, _ in lines])
            return Load(feed, key, ["--source", path, *options], lines=lines, window=window)
        servers = [hq.main]
        if feed == "form":
            servers = hq.shards if rng.random() < 0.8 else [rng.choice(hq.shards)]
        if not window:
            options = ["--overlap", rng.choice(["0s", "0s", "0.05s", "15min"])]
        sources = [word for server in servers for word in ("--source", server.spec)]
        return Load(feed, key, sources + options, servers=servers, window=window)

    def lines_for(self, feed):
        if feed == "form":
            if not self.stale_files:
                self.hq.dump_forms()
            lines = list(self.rng.choice(self.hq.dumps) if self.stale_files else self.hq.dumps[-1])
        else:
            revisions = self.hq.documents[feed]
            lines = (
                [self.rng.choice(revisions) for _ in range(self.rng.randint(0, 6))]
                if revisions
                else []
            )
        lines += self.rng.sample(lines, len(lines) // 4)
        for junk in ("", "{broken", '{"doc_type": "Other"}'):
            if self.rng.random() < 0.2 and feed != "form":
                lines.insert(self.rng.randint(0, len(lines)), (junk, None, None, None))
        return lines

    def load(self, load=None, *options):
        load = load or self.new_load()
        self.loads[load.feed, load.key] = load
        self.tell(f"load {load.feed} {load.key}")
        done = self.finish(
            [["load-staging", load.feed, "--run-key", load.key, *load.arguments, *options]]
        )
        if not done:
            self.wait_for_sessions()
        self.capture()
        return done

    def capture(self):
        """Notes what the batches staged since the last time, and checks it against the model."""
        for batch in self.sql.rows("""SELECT id, workflow, run_key, read_number, rows_staged
                                        FROM etl.batch
                                       WHERE state IN ('staged', 'complete')"""):
            key = (batch["workflow"], batch["run_key"])
            if (
                key not in self.loads
                or self.captured.get(batch["id"], (None,))[0] == batch["read_number"]
            ):
                continue
            load = self.loads[key]
            rows = self.sql.rows(f"""SELECT {KEY[load.feed]} AS key, read_number, version_time,
                                       line_no, is_tombstone
                FROM staging.{load.feed} WHERE batch_id = {batch['id']} ORDER BY line_no""")
            if self.may_lack_staging and not rows:
                continue  # a crash emptied it; only another load of it can complete the batch
            equal(len(rows), batch["rows_staged"], f"batch {batch['id']}: rows in staging")
            for row in rows:
                row["version_time"] = as_version(row["version_time"])
                if load.arguments != ["--replay-rejects"]:  # else it is that of the first read
                    equal(row["read_number"], batch["read_number"], "read number")
            take = self.capture_file if load.lines is not None else self.capture_servers
            self.captured[batch["id"]] = (batch["read_number"], take(load, batch, rows))
            self.mention(self.captured[batch["id"]][1])

    def capture_file(self, load, batch, rows):
        wanted = []
        for order, (line, key, stamp, doc) in enumerate(load.lines, 1):
            is_inside = not load.window or (
                stamp is not None and load.window[0] < stamp <= load.window[1]
            )
            if key is not None and (is_inside or stamp is None):
                wanted.append((order, key, stamp, doc))
        if load.window:  # whether deletions without time lie in a window is staging's to say
            there = {row["line_no"] for row in rows}
            wanted = [item for item in wanted if item[2] is not None or item[0] in there]
        same_rows(
            [
                (row["line_no"], row["key"], None if row["is_tombstone"] else row["version_time"])
                for row in rows
            ],
            [item[:3] for item in wanted],
            f"staging of {load.feed} {load.key}",
        )
        return [
            Record(
                load.feed,
                row["key"],
                (row["version_time"], row["read_number"]),
                row["line_no"],
                None if doc is None else {KEY[load.feed]: row["key"], **doc},
            )
            for row, (_, _, _, doc) in zip(rows, wanted)
        ]

    def capture_servers(self, load, batch, rows):
        wanted = {}
        for window in self.sql.rows(
            "SELECT * FROM etl.batch_source WHERE batch_id =" f" {batch['id']}"
        ):
            server = next(each for each in load.servers if each.name in window["source"])
            since, until = (
                " " if window[name] == "-infinity" else time_of(window[name])
                for name in ("since", "until")
            )
            find = {
                "form": self.hq.forms_in,
                "synclog": self.hq.synclogs_in,
                "location": self.hq.locations_in,
            }
            wanted.update(find[load.feed](server, since, until))
        same_rows([row["key"] for row in rows], list(wanted), f"staging of {load.feed} {load.key}")
        return [
            Record(
                load.feed,
                row["key"],
                (row["version_time"], row["read_number"]),
                row["line_no"],
                wanted[row["key"]],
            )
            for row in rows
        ]

    def mention(self, records):
        add = self.mentioned
        for record in records:
            add[record.feed].add(record.key)
            doc = record.doc or {}
            if record.feed in ("form", "synclog"):
                add["user"].add(doc["user_id"])
                add["application"].update((doc["app_id"], doc.get("build_id")))
                add["domain"].add(doc["domain"])
            add["user"].update(doc.get("user_ids", ()))
            for domain, _, locations in doc.get("memberships", ()):
                add["location"].update(locations)
                add["domain"].add(domain)
            if doc.get("domain"):
                add["domain"].add(doc["domain"])

    # ---- steps ----

    def staged(self):
        return self.sql.tuples(
            "SELECT workflow, id FROM etl.batch WHERE state = 'staged' ORDER BY" " id"
        )

    @staticmethod
    def transform_command(feed, batch):
        return [
            "transform-fact" if feed in factline.FACTS else "transform-dim",
            feed,
            "--batch-id",
            str(batch),
        ]

    def transform(self, only=None):
        waiting = [item for item in self.staged() if only in (None, item[0])]
        if waiting:
            feed, batch = self.rng.choice(waiting)
            self.tell(f"transform {feed} {batch}")
            self.faults["batches out of order"] += batch != min(
                other for name, other in waiting if name == feed
            )
            self.finish([self.transform_command(feed, batch)])

    def derive(self, options=()):
        side = self.rng.choice(["form", "synclog"])
        kind = self.rng.random()
        if kind < 0.1:
            options = ["--force"]
        self.steps += 1
        self.tell(f"app-status-from-fact {side} {options}")
        if self.finish([["app-status-from-fact", side, "--run-key", f"d{self.steps}", *options]]):
            self.check_derived()

    def together(self):
        """Several steps of several batches at the same moment."""
        commands = [self.transform_command(feed, batch) for feed, batch in self.staged()[:3]]
        self.steps += 1
        commands += [
            ["app-status-from-fact", side, "--run-key", f"d{self.steps}"]
            for side in ("form", "synclog")
        ]
        self.tell(f"together: {commands}")
        self.faults["steps side by side"] += len(commands)
        self.finish(commands)

    def repeat_old(self):
        if self.loads:
            load = self.loads[self.rng.choice(sorted(self.loads))]
            if load.arguments == ["--replay-rejects"]:
                load.lines = self.mend_rejects(load.feed, load.key)
            options = ["--force"] if self.rng.random() < 0.2 else []
            self.tell(f"once more {options}")
            self.faults["loads repeated"] += 1
            self.load(load, *options)

    def replay(self):
        """Rejects are read once more, now that they can be read."""
        feeds = self.sql.tuples("SELECT DISTINCT feed FROM etl.rejected_row ORDER BY feed")
        if feeds:
            (feed,), key = self.rng.choice(feeds), f"k{len(self.loads) + 1}"
            lines = self.mend_rejects(feed, key)
            self.faults["rejects replayed"] += len(lines)
            self.load(Load(feed, key, ["--replay-rejects"], lines=lines))

    def mend_rejects(self, feed, key):
        """Puts a revision of its own in the place of each reject that a replay under this run key
        has to read; gives their lines in the order of reading."""
        rejects = self.sql.tuples(f"""SELECT rejected.id FROM etl.rejected_row AS rejected
              JOIN etl.batch AS batch ON batch.id = rejected.batch_id
               AND batch.state IN ('staged', 'complete')
              LEFT JOIN etl.batch AS replay ON replay.id = rejected.replayed_batch_id
             WHERE rejected.feed = '{feed}'
               AND (replay.id IS NULL OR replay.state = 'superseded'
                    OR replay.run_key = '{key}' AND replay.state <> 'complete')
             ORDER BY rejected.id""")
        for (reject,) in rejects:
            if reject not in self.mended:
                self.mended[reject] = self.hq.revision(feed, self.hq.now())
                text = literal(json.dumps(self.mended[reject][0]))
                self.sql.run(f"""UPDATE etl.rejected_row SET bytes = convert_to({text}, 'UTF8')
                                  WHERE id = {reject}""")
        return [self.mended[reject] for (reject,) in rejects]

    def back_and_forth(self):
        """A change, a load, the change taken back, a load; transforms in any order, or later."""
        self.faults["changes taken back"] += 1
        take_back = self.hq.there_and_back()
        self.load(self.new_load("form"))
        take_back()
        self.load(self.new_load("form"))
        for _ in range(self.rng.randint(0, 2)):
            self.transform("form")
        if self.rng.random() < 0.5:
            self.derive()

    def move(self):
        self.move_zones(*self.hq.shards)

    def step_clock(self):
        """Sets the source's clock back; or forward, when all that was stamped behind is loaded: a
        turn back and one forward between two loads show as one, their sum. Even numbers of seconds,
        so that no sum is less than a load notices."""
        seconds = self.rng.choice([2, 10, 60, 600, -2, -10, -60, -600, -3600])
        self.tell(f"the source's clock is set by {seconds} s")
        self.faults["clock steps"] += 1
        if seconds > 0:
            self.load_all()
        clock.step(seconds)
        self.latest_clock = max(self.latest_clock, clock.offset())

    def lose_staging(self):
        self.faults["lost staging"] += 1
        feed = self.rng.choice(sorted(KEY))
        self.tell(f"staging of {feed} is lost")
        self.sql.run(f"TRUNCATE staging.{feed}")

    def clear(self):
        self.tell("clear-staging")
        self.faults["clearings"] += 1
        self.finish([["clear-staging"]])

    # ---- checks ----

    def records(self):
        complete = {
            row[0]
            for row in self.sql.tuples("SELECT id FROM etl.batch WHERE state =" " 'complete'")
        }
        return [
            record
            for batch, (_, records) in self.captured.items()
            if batch in complete
            for record in records
        ]

    def check_derived(self):
        self.warehouse.run("verify-app-status")

    def check_all(self, is_settled=False):
        """All tables; the derived ones only where nothing waits to be consumed."""
        unconsumed = self.sql.number("""SELECT count(*) FROM etl.batch AS b JOIN etl.consumer AS c
              ON c.source_workflow = b.workflow WHERE b.state = 'complete'
               AND b.rows_staged > 0 AND NOT EXISTS (SELECT
             FROM etl.batch_consumption AS x WHERE x.consumer = c.consumer
               AND x.source_batch_id = b.id)""")
        check(not (unconsumed and is_settled), f"{unconsumed} batches are not consumed")
        tables = [name for name in oracle.SEEN if name not in oracle.DERIVED or not unconsumed]
        return oracle.compare(self.sql, self.records(), self.mentioned, tables)

    def run(self):
        actions = (
            [self.load] * 6
            + [self.transform] * 7
            + [self.derive] * 4
            + [self.back_and_forth] * 3
            + [self.together] * 2
            + [self.repeat_old, self.replay] * 2
            + [self.lose_staging, self.clear, self.check_all, self.check_derived, self.move]
            + [self.step_clock] * (4 if self.has_clock else 0)
        )
        self.hq.live(self.rng.randint(0, 30))
        if self.rng.random() < 0.8:  # else the first derived run finds more than one batch
            self.load(self.new_load("form"))
            self.settle()
        for _ in range(self.length):
            self.hq.live(self.rng.choice([0, 1, 2, 5]))
            self.rng.choice(actions)()
            if self.rng.random() < 0.2:
                self.check_all()
        self.settle()
        self.converge()
        self.faults["late commits"] = self.hq.late_commits

    def settle(self):
        """All that waits is done; then everything must equal the recompute."""
        self.tell("settle")
        self.wait_for_sessions()
        self.capture()
        for feed, batch in self.staged():
            self.repeat(self.transform_command(feed, batch))
        for side in self.rng.sample(["form", "synclog"], 2):
            self.steps += 1
            self.repeat(["app-status-from-fact", side, "--run-key", f"d{self.steps}"])
        self.check_derived()
        self.check_all(is_settled=True)

    def converge(self):
        """Once no transaction is held, and the clock is past all stamps, one more load must bring
        all that the source has."""
        while self.hq.held:
            self.hq.release()
        if self.latest_clock > clock.offset():
            self.load_all()
            clock.step(self.latest_clock - clock.offset())
        self.load_all()
        # No row is stamped with its transaction's start, so without overlap nothing is lost.
        stored = {row[0]: row[1:] for row in oracle.seen_rows(self.sql, "form_fact")}
        for form_id, form in self.hq.forms.items():
            check(form_id in stored, f"form {form_id} of the source is not among the facts")
            seen = dict(
                zip(("received_on", "state", "deleted_on", "edited_on", "user_id"), stored[form_id])
            )
            wanted = {name: form[name] for name in seen}
            equal(seen, wanted, f"form {form_id}")
        logs = {row[0] for row in oracle.seen_rows(self.sql, "synclog_fact")}
        check(set(self.hq.synclogs) <= logs, "a sync log of the source is not among the facts")

    def load_all(self):
        """Everything that servers have, as far as their clocks are, becomes facts."""
        self.steps += 1
        for feed, servers in (
            ("form", self.hq.shards),
            ("synclog", [self.hq.main]),
            ("location", [self.hq.main]),
        ):
            sources = [word for server in servers for word in ("--source", server.spec)]
            load = Load(feed, f"all-{self.steps}", sources + ["--overlap", "0s"], servers=servers)
            self.loads[feed, load.key] = load
            self.repeat(["load-staging", feed, "--run-key", load.key, *load.arguments])
        self.settle()
