# SPDX-License-Identifier: MIT
"""A random schedule of loads, transforms and derived runs of Open edX with accidents, and the
comparison of enrollment data and daily metrics with a recompute by other means. Of the metrics
those that no run's day has a part in.
"""

import calendar
import datetime
import random
import time
from fractions import Fraction

from accident import Accidents
from harness import check, equal, same_rows
from learning import FACTS, Site, block, enrollment, module, usage

COURSES = ["course-v1:edX+X+26", "course-v1:edX+Y+26", "edX/Old/2014"]
LIBRARY = "lib:edX:bank"
OTHER_FEEDS = [
    "course_block",
    "course_block",
    "student_module_history",
    "certificate",
    "course_access_role",
]
USERS = [101, 102, 103, 104]
PROBLEMS = ["p1", "p2", "p3", "b1", "b2", "b3"]
WEIGHTED = {"p3": 2.0}
KEYS = {
    "student_module": ("student_id", "course_id", "module_id"),
    "enrollment": ("user_id", "course_id"),
}
STAMPS = {"student_module": ("modified",), "enrollment": ("history_date", "created")}


def name_of(line, key):
    return tuple(line[name] for name in key)


def key_of(course, kind, name):
    if course.startswith("course-v1:"):
        return usage(name, kind, course)
    return f"i4x://edX/Old/{kind}/{name}"


class Schedule(Accidents):
    """Records of batches, in the order of their reads, and what was done."""

    def __init__(self, seed, options):
        super().__init__(random.Random(seed), Site())
        self.chance, self.site = self.rng, self.warehouse
        self.length = random.Random(seed).randint(10, 20 + options.steps)
        self.loads = {}  # run key -> feed, lines, file
        self.reads = {}  # batch id -> feed, read number, lines
        self.records = []  # of the batches that are complete
        self.steps = self.rows = self.days = 0
        self.day = datetime.date(2026, 3, 10)

    @staticmethod
    def add_options(parser):
        pass

    def summary(self):
        return f"{len(self.loads)} loads, {len(self.reads)} batches, {self.rows} rows"

    def time(self):
        """With the fraction that the time of a list has, so that their texts compare."""
        day, hour = self.chance.randint(1, 20), self.chance.randint(0, 23)
        return f"2026-03-{day:02d}T{hour:02d}:00:00.000000Z"

    # ---- records ----

    def make_student_module(self):
        if self.chance.random() < 0.1:
            key = f"lb:edX:bank:problem:{self.chance.choice(PROBLEMS)}"
            user = self.chance.choice(USERS)
            return module(user, "", 1.0, 1.0, self.time(), LIBRARY, module_id=key)
        made = self.make_module_of_a_course()
        agent = self.chance.choice([None] * 5 + ["bot/1", "Mozilla/5.0 bot/1"])
        return {**made, "user_agent": agent} if agent else made

    def make_module_of_a_course(self):
        course, name, user = (self.chance.choice(things) for things in (COURSES, PROBLEMS, USERS))
        if self.chance.random() < 0.15:
            shown = [["problem", each] for each in PROBLEMS[3:] if self.chance.random() < 0.6]
            state = '{"selected": [%s]}' % ", ".join(
                f'["{kind}", "{each}"]' for kind, each in shown
            )
            return module(
                user,
                "",
                None,
                None,
                self.time(),
                course,
                "library_content",
                state=state,
                module_id=key_of(course, "library_content", "bank"),
            )
        made = module(
            user,
            "",
            self.chance.choice([None, 0.0, 1.0, 2.5]),
            self.chance.choice([None, 3.0, 4.0, 0.0]),
            self.time(),
            course,
            module_id=key_of(course, "problem", name),
        )
        return {**made, "deleted": True} if self.chance.random() < 0.1 else made

    def make_enrollment(self):
        made = enrollment(
            self.chance.choice(USERS),
            self.chance.choice(COURSES),
            is_active=self.chance.randint(0, 1),
            history_date=self.time(),
        )
        return {**made, "deleted": True} if self.chance.random() < 0.15 else made

    def make_student_module_history(self):
        """The platform updates a row in place, but not its student module nor its time."""
        number = self.chance.randint(1, 40)
        name, user = PROBLEMS[number % len(PROBLEMS)], USERS[number % len(USERS)]
        return {
            "id": number,
            "student_module_id": module(
                user, "", module_id=key_of(COURSES[number % 2], "problem", name)
            )["id"],
            "created": f"2026-03-{1 + number % 20:02d}T12:00:00Z",
            "state": '{"attempts": %d}' % self.chance.randint(1, 3),
            "grade": 1.0,
            "max_grade": 4.0,
        }

    def make_certificate(self):
        return {
            "user_id": self.chance.choice(USERS),
            "course_id": self.chance.choice(COURSES),
            "status": self.chance.choice(["downloadable", "downloadable", "notpassing"]),
            "created_date": self.chance.choice([self.time(), self.time(), None]),
        }

    def make_course_access_role(self):
        return {
            "user_id": self.chance.choice(USERS),
            "org": "edX",
            "course_id": self.chance.choice(["", *COURSES]),
            "role": self.chance.choice(["staff", "instructor", "beta_testers", "beta_testers"]),
        }

    def make_structure(self):
        course, version = self.chance.choice(COURSES), f"V{self.chance.randint(1, 9)}"
        published, lines = self.time(), []
        absent = self.chance.choice(PROBLEMS + [None] * 4)

        def add(kind, name, parent, ordinal, **more):
            if name != absent:
                line = block(name, kind, None, ordinal, version, published, **more)
                lines.append(
                    {
                        **line,
                        "course_id": course,
                        "usage_key": key_of(course, kind, name),
                        "parent": parent and key_of(course, *parent),
                    }
                )

        add("sequential", "s1", None, 1)
        add("sequential", "s2", None, 2)
        for place, name in enumerate(PROBLEMS[:3]):
            add(
                "problem",
                name,
                ("sequential", "s1" if place < 2 else "s2"),
                10 + place,
                has_score=True,
                max_score=self.chance.choice([None, 2.0, 5.0]),
                weight=WEIGHTED.get(name),
                visible_to_staff_only=self.chance.random() < 0.1,
            )
        add(
            "library_content",
            "bank",
            ("sequential", "s2"),
            20,
            extra={"max_count": self.chance.choice([-1, 1, 2])},
        )
        for place, name in enumerate(PROBLEMS[3:]):
            add(
                "problem",
                name,
                ("library_content", "bank"),
                21 + place,
                has_score=True,
                max_score=1.0,
            )
        return lines

    # ---- what happens ----

    def load(self, key=None):
        if key is None:
            feed = self.chance.choice(["student_module"] * 3 + ["enrollment"] * 2 + OTHER_FEEDS)
            if feed == "course_block":
                lines = self.make_structure()
            else:
                make = getattr(self, f"make_{feed}")
                many = 2 if feed == "course_access_role" else 30
                lines = [make() for _ in range(self.chance.randint(1, many))]
            key = f"k{len(self.loads) + 1}"
            path = self.site.file(lines)
            lines = [line for line in lines if not (line.get("user_agent") or "").startswith("bot")]
            self.loads[key] = (feed, lines, path)
        feed, lines, path = self.loads[key]
        self.tell(f"load {feed} {key}: {lines}")
        command = ["load-staging", feed, "--source", path, "--run-key", key]
        if feed == "student_module":
            command += ["--crawler-agents", "bot, ,"]
        if not self.finish([command]):
            self.wait_for_sessions()
        for batch, run_key, read in self.site.sql.tuples(
            "SELECT id, run_key, read_number FROM etl.batch WHERE state IN ('staged', 'complete')"
        ):
            if run_key in self.loads:
                feed, lines, _ = self.loads[run_key]
                self.reads[batch] = (feed, read, lines)

    def load_again(self):
        if self.loads:
            self.faults["loads repeated"] += 1
            self.load(self.chance.choice(sorted(self.loads)))

    def staged(self):
        return self.site.sql.tuples(
            "SELECT workflow, id FROM etl.batch WHERE state = 'staged' ORDER BY id"
        )

    @staticmethod
    def transform_command(feed, batch):
        task = "transform-fact" if feed in FACTS else "transform-dim"
        return [task, feed, "--batch-id", str(batch)]

    def reconcile(self):
        """A list of some of the keys, taken now or on a day of the records' month."""
        feed = self.chance.choice(sorted(KEYS))
        key, stamps = KEYS[feed], STAMPS[feed]
        self.wait_for_sessions()
        self.records = self.complete()
        keys = {
            name_of(line, key) for own, _, lines in self.records for line in lines if own == feed
        }
        keys = sorted(name for name in keys if self.chance.random() < 0.8)
        since = time.time() - calendar.timegm((2026, 3, self.chance.randint(1, 20), 0, 0, 0))
        overlap = max(0, self.chance.choice([0, int(since)]))
        run = self.site.load(
            feed,
            [dict(zip(key, name)) for name in keys],
            *("--reconcile", "--overlap", f"{overlap}s", "--expect-rows", len(keys)),
            expect=(0, 75),
        )
        if run.status == 75:
            unfinished = f"workflow = '{feed}' AND state IN ('open', 'staged', 'failed')"
            waiting = self.site.sql.number(f"SELECT count(*) FROM etl.batch WHERE {unfinished}")
            check(waiting > 1, "a list waits for nothing")
            return
        until = datetime.datetime.fromisoformat(run["until"].replace("Z", "+00:00"))
        listed_at = (until - datetime.timedelta(seconds=overlap)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        lines = [
            {**dict(zip(key, name)), stamps[0]: listed_at, "deleted": True}
            for name, line in self.winners(feed, lambda line: name_of(line, key), stamps).items()
            if name not in keys and not line.get("deleted")
            if max(line.get(stamp) or "" for stamp in stamps) <= listed_at
        ]
        self.tell(f"reconcile {feed} {run['batch_id']}: {lines}")
        equal(run["rows_staged"], len(lines), "what a list deletes")
        self.faults["lists of keys"] += 1
        read = self.site.sql.number(
            f"SELECT read_number FROM etl.batch WHERE id = {run['batch_id']}"
        )
        self.reads[int(run["batch_id"])] = (feed, read, lines)

    def transform(self):
        waiting = self.staged()
        if waiting:
            feed, batch = self.chance.choice(waiting)
            self.tell(f"transform {feed} {batch}")
            self.faults["batches out of order"] += batch != min(
                other for name, other in waiting if name == feed
            )
            if self.finish([self.transform_command(feed, batch)]) and self.chance.random() < 0.2:
                self.site.transform(feed, str(batch))

    def derive_command(self):
        """On the day of the last run again, or on a later one."""
        self.steps += 1
        self.day += datetime.timedelta(self.chance.randint(0, 2))
        as_of = str(self.day)
        return ["enrollment-data-from-fact", "--as-of", as_of, "--run-key", f"d{self.steps}"]

    def derive(self):
        self.tell("derive")
        self.finish([self.derive_command()])

    def together(self):
        commands = [self.transform_command(*each) for each in self.staged()[:3]]
        commands.append(self.derive_command())
        self.tell(f"together: {commands}")
        self.faults["steps side by side"] += len(commands)
        self.finish(commands)

    def lose_staging(self):
        feed = self.chance.choice(["student_module", "enrollment", "course_block"])
        self.tell(f"staging of {feed} is lost")
        self.faults["lost staging"] += 1
        self.site.sql.run(f"TRUNCATE staging.{feed}")

    def clear(self):
        self.tell("clear-staging")
        self.faults["clearings"] += 1
        self.finish([["clear-staging"]])

    def run(self):
        actions = (
            [self.load] * 6
            + [self.transform] * 6
            + [self.derive] * 3
            + [self.load_again, self.together, self.clear, self.reconcile]
        )
        rare = [self.lose_staging, self.move_zones]
        for _ in range(self.length):
            self.chance.choice(rare if self.chance.random() < 0.05 else actions)()
        self.wait_for_sessions()
        for feed, batch in self.staged():
            self.repeat(self.transform_command(feed, batch))
        self.repeat(self.derive_command())
        self.site.verify()
        self.compare()

    def complete(self):
        """What completed batches have read."""
        return [
            self.reads[batch]
            for (batch,) in self.site.sql.tuples(
                "SELECT id FROM etl.batch WHERE state = 'complete' AND rows_staged > 0 ORDER BY id"
            )
            if batch in self.reads
        ]

    def compare(self):
        self.records = self.complete()
        seen = self.site.sql.tuples(
            """SELECT data.user_id, context.context_key, data.is_enrolled, data.points_earned,
                      data.points_possible, data.sections_worked, data.sections_possible,
                      data.is_completed, data.is_estimated
                 FROM warehouse.enrollment_data AS data
                 JOIN warehouse.learning_context_dim AS context ON context.id = data.context_id"""
        )
        same_rows(
            [
                tuple(
                    (
                        round(float(value), 9)
                        if type(value) in (int, float) and place in (3, 4)
                        else value
                    )
                    for place, value in enumerate(row)
                )
                for row in seen
            ],
            self.expected(),
            "rows",
        )
        self.rows = len(seen)
        self.check_metrics()
        kept = self.metrics()
        self.site.derive("--force", as_of=str(self.day))
        # a course has its rows up to the day of the last run that touched it
        anew = self.metrics()
        same_rows(
            kept.items(), [(day, anew.get(day)) for day in kept], "metrics, kept and computed anew"
        )

    def metrics(self):
        """By course and day."""
        return dict(
            ((course, day), numbers)
            for course, day, numbers in self.site.sql.tuples(
                """SELECT metrics.context_id, metrics.metric_date, to_jsonb(metrics) - 'batch_id'
                     FROM warehouse.course_daily_metrics AS metrics"""
            )
        )

    # ---- the oracle: one record after the other, no statement shared with the product ----

    def check_metrics(self):
        seen = self.site.sql.tuples(
            """SELECT context.context_key, metrics.metric_date, metrics.active_learners,
                      metrics.mau_to_date, metrics.enrollment_count, metrics.certificates
                 FROM warehouse.course_daily_metrics AS metrics
                 JOIN warehouse.learning_context_dim AS context
                   ON context.id = metrics.context_id"""
        )
        active, enrolled, awarded = self.activity(), self.enrolled(), self.awarded()
        for course, day, *numbers in seen:
            visitors = [user for user, days in active[course].items() if day in days]
            month = [
                user
                for user, days in active[course].items()
                if any(day[:7] == each[:7] and each <= day for each in days)
            ]
            there = 0
            for events in enrolled[course].values():
                past = [event for event in events if event[0][:10] <= day]
                there += bool(past) and past[-1][1]
            certificates = sum(1 for given in awarded[course] if given[:10] <= day)
            equal(
                numbers,
                [len(visitors), len(month), there, certificates],
                f"{course} on {day}: active, month, enrolled, certificates",
            )
        self.days = len(seen)

    def activity(self):
        """Per course and learner the days that any student module, or history of one, tells of."""
        days = {course: {} for course in COURSES}
        owners = {}
        for feed, _, lines in self.records:
            for line in lines if feed == "student_module" else []:
                owners.setdefault(line.get("id"), set()).add(
                    (line["course_id"], line["student_id"])
                )
                if line["course_id"] in days and not line.get("deleted"):
                    seen = days[line["course_id"]].setdefault(line["student_id"], set())
                    seen.update((line["created"][:10], line["modified"][:10]))
        for feed, _, lines in self.records:
            for line in lines if feed == "student_module_history" else []:
                for course, user in owners.get(line["student_module_id"], ()):
                    if course in days:
                        days[course].setdefault(user, set()).add(line["created"][:10])
        return days

    def staff(self):
        """Pairs of user and course; None is any course."""
        return {
            (line["user_id"], line["course_id"] or None)
            for feed, _, lines in self.records
            for line in lines
            if feed == "course_access_role" and line["role"] != "beta_testers"
        }

    def enrolled(self):
        """Per course and learner the events, the later record of a moment wins."""
        best, staff = {}, self.staff()
        for feed, read, lines in self.records:
            for place, line in enumerate(lines if feed == "enrollment" else []):
                key = (line["course_id"], line["user_id"], line["history_date"])
                if best.get(key, ((),))[0] < (read, place):
                    is_active = bool(line.get("is_active")) and not line.get("deleted")
                    best[key] = ((read, place), is_active)
        events = {course: {} for course in COURSES}
        for course, user, moment in sorted(best):
            if (user, course) not in staff and (user, None) not in staff:
                active = best[course, user, moment][1]
                events[course].setdefault(user, []).append((moment, active))
        return events

    def awarded(self):
        given = self.winners("certificate", lambda line: (line["user_id"], line["course_id"]), [])
        return {
            course: [
                line["created_date"]
                for (_, of), line in given.items()
                if of == course and line["status"] == "downloadable" and line["created_date"]
            ]
            for course in COURSES
        }

    def winners(self, feed, key, stamps):
        best = {}
        for own, read, lines in self.records:
            for place, line in enumerate(lines if own == feed else []):
                version = (
                    max([line.get(stamp) or "" for stamp in stamps], default=""),
                    read,
                    place,
                )
                if best.get(key(line), ((),))[0] < version:
                    best[key(line)] = (version, line)
        return {name: line for name, (_, line) in best.items()}

    def structures(self):
        best = {}
        for feed, read, lines in self.records:
            if feed == "course_block":
                version = (lines[0]["published_at"], read)
                if best.get(lines[0]["course_id"], ((),))[0] < version:
                    best[lines[0]["course_id"]] = (version, lines)
        return {course: lines for course, (_, lines) in best.items()}

    def expected(self):
        modules = self.winners(
            "student_module",
            lambda line: name_of(line, KEYS["student_module"]),
            STAMPS["student_module"],
        )
        modules = {key: line for key, line in modules.items() if not line.get("deleted")}
        structures = self.structures()
        enrollments = self.winners(
            "enrollment",
            lambda line: name_of(line, KEYS["enrollment"]),
            STAMPS["enrollment"],
        )
        for (user, course), line in enrollments.items():
            if not line.get("deleted"):
                yield (
                    user,
                    course,
                    bool(line["is_active"]),
                    *self.score(user, course, structures.get(course, []), modules),
                )

    def score(self, user, course, structure, modules):
        sections, is_estimated = {}, False
        blocks = {line["usage_key"]: line for line in structure}
        for line in structure:
            parent = blocks.get(line["parent"])
            if not line["has_score"] or line.get("visible_to_staff_only") or not parent:
                continue
            if parent["block_type"] == "library_content":
                shown, guess = self.shown(user, course, parent, blocks, modules)
                if line["usage_key"] not in shown:
                    continue
                is_estimated = is_estimated or line["usage_key"] in guess
                parent = blocks[parent["parent"]]
            own = modules.get((user, course, line["usage_key"]), {})
            if own.get("max_grade") is not None:
                earned, possible = Fraction(own["grade"] or 0), Fraction(own["max_grade"])
            elif line["max_score"] is not None:
                earned, possible = Fraction(0), Fraction(line["max_score"])
            else:
                continue
            if line["weight"] is not None and possible:
                earned, possible = earned * Fraction(line["weight"]) / possible, Fraction(
                    line["weight"]
                )
            total = sections.setdefault(parent["usage_key"], [0, 0])
            total[0] += earned
            total[1] += possible
        counted = [total for total in sections.values() if total[1] > 0]
        worked = sum(1 for total in counted if total[0] > 0)
        return (
            round(float(sum(total[0] for total in sections.values())), 9),
            float(sum(total[1] for total in sections.values())),
            worked,
            len(counted),
            worked > 0 and worked == len(counted),
            is_estimated,
        )

    @staticmethod
    def shown(user, course, parent, blocks, modules):
        choice = modules.get((user, course, parent["usage_key"]), {}).get("state") or ""
        children = [line for line in blocks.values() if line["parent"] == parent["usage_key"]]

        def place(line):
            own = modules.get((user, course, line["usage_key"]))
            name = line["usage_key"].rsplit("@" if "@" in line["usage_key"] else "/", 1)[1]
            if f'"{name}"' in choice:
                return (0, "", line["ordinal"])
            if own:
                return (
                    1,
                    "".join(chr(0x7E - ord(letter) + 0x20) for letter in own["modified"]),
                    line["ordinal"],
                )
            return (2, "", line["ordinal"])

        ranked = sorted(children, key=place)
        limit = parent["extra"]["max_count"]
        if limit < 0:
            return {line["usage_key"] for line in ranked}, set()
        ranked = ranked[:limit]
        return (
            {line["usage_key"] for line in ranked},
            {line["usage_key"] for line in ranked if place(line)[0] == 2},
        )
