# SPDX-License-Identifier: MIT
"""A CommCare installation that lives: forms on shards, sync logs, locations, documents with
revisions. Every change is made at the source and in the model alike, at random.
"""

import documents as shape
from factline import time_of
from source import NAMES, SourceDatabase, literal

USERS = ["ann", "bob", "cid", "dee", "eve", "Zoe"]
WEB_USERS = ["web1", "web2"]
APPS = ["anc", "pnc", "tb"]
BUILDS = ["anc-1", "anc-2", "pnc-1", "tb-9"]
DOMAINS = ["river", "hill", "sea"]
GROUPS = ["north", "south"]
FORM_TIMES = ("received_on", "server_modified_on", "edited_on", "deleted_on")
FORM_COLUMNS = FORM_TIMES + (
    "form_id",
    "domain",
    "app_id",
    "xmlns",
    "user_id",
    "build_id",
    "state",
    "commcare_version",
    "app_version",
)


class Held:
    """A transaction at a source that has stamped its rows and not committed yet."""

    def __init__(self, shard):
        self.shard, self.session, self.forms = shard, shard.session(), []
        self.session.run("BEGIN; SELECT 1")


class Installation:
    def __init__(self, rng):
        self.rng = rng
        self.shards = [SourceDatabase(), SourceDatabase()]
        self.main = self.shards[0]
        self.forms = {}  # form_id -> columns, "shard", "operations"
        self.synclogs = {}  # synclog_id -> columns
        self.locations = {}  # location_id -> columns
        self.type_modified = "2023-01-01T00:00:00.000000"
        self.documents = {"user": [], "group": [], "domain": [], "application": []}  # all revisions
        self.dumps = []  # files of forms, as of some time
        self.held = []
        self.late_commits = 0
        self.count = 0
        self.last = ""
        self.moments = []  # some of the times that passed

    def number(self):
        self.count += 1
        return self.count

    def now(self):
        return time_of(self.main.now())

    def past(self):
        return (
            f"2024-{self.rng.randint(1, 4):02d}-{self.rng.randint(1, 28):02d}T"
            f"{self.rng.randint(0, 23):02d}:00:00.{self.rng.choice([0, 0, 1, 999999]):06d}"
        )

    # ---- forms ----

    def random_form(self):
        choose = self.rng.choice
        now = self.now()
        return {
            "form_id": choose(["f", "F", "ff-"]) + str(self.number()),
            "domain": choose(DOMAINS),
            "app_id": choose(APPS + [None, ""]),
            "xmlns": f"http://example.org/{choose('xyz')}",
            "user_id": choose(USERS + USERS + [None, "", "web1"]),
            "build_id": choose(BUILDS + [None]),
            "received_on": choose([now, now, self.past(), "2024-03-31T23:59:59.999999"]),
            "server_modified_on": now,
            "edited_on": None,
            "deleted_on": None,
            "state": choose([1] * 6 + [2, 4, 8, 16]),
            "commcare_version": choose(["2.47.1", "2.53", None]),
            "app_version": choose([None, 7, 18]),
        }

    def insert_form(self, form, shard, session=None):
        values = {
            name: (value + "Z" if name in FORM_TIMES and value else value)
            for name, value in form.items()
        }
        (session or shard.sql).run(
            f"INSERT INTO {NAMES['form']} ({', '.join(values)}) VALUES"
            f" ({', '.join(map(literal, values.values()))})"
        )

    def add_form(self):
        shard, form = self.rng.choice(self.shards), self.random_form()
        self.insert_form(form, shard)
        self.forms[form["form_id"]] = {**form, "shard": shard, "operations": []}

    def update_form(self, form, **changes):
        values = {
            name: (value + "Z" if name in FORM_TIMES and value else value)
            for name, value in changes.items()
        }
        form["shard"].sql.run(
            f"UPDATE {NAMES['form']} SET "
            + ", ".join(f"{name} = {literal(value)}" for name, value in values.items())
            + f" WHERE form_id = {literal(form['form_id'])}"
        )
        form.update(changes)

    def some_form(self):
        """One of a few, so that the same form changes again and again."""
        names = sorted(self.forms)
        return self.forms[self.rng.choice(names[:5] if self.rng.random() < 0.6 else names)]

    def submit(self):
        """A new form while there are few, later mostly a change."""
        is_new = len(self.forms) < 12 or self.rng.random() < 0.2
        return self.add_form() if is_new else self.change_form()

    def there_and_back(self):
        """A change that leaves no stamp but an operation; calling the answer takes it back."""
        normal = [name for name in sorted(self.forms)[:6] if self.forms[name]["state"] in (1, 2)]
        if not normal:
            return self.submit
        form = self.forms[self.rng.choice(normal)]
        before = form["state"]
        self.archive(form, 3 - before)
        return lambda: form["form_id"] in self.forms and self.archive(form, before)

    def archive(self, form, state):
        now = self.now()
        self.update_form(form, state=state)
        form["shard"].insert(
            "operation",
            form_id=form["form_id"],
            operation="archive" if state == 2 else "unarchive",
            date=now + "Z",
        )
        form["operations"].append(now)

    def change_form(self):
        if not self.forms:
            return self.add_form()
        form = self.some_form()
        now = self.now()
        kind = self.rng.choice(
            [
                "archive",
                "archive",
                "unarchive",
                "unarchive",
                "edit",
                "delete",
                "undelete",
                "save",
                "user",
                "user",
                "app",
                "month",
                "remove",
            ]
        )
        if kind in ("archive", "unarchive"):
            self.archive(form, 2 if kind == "archive" else 1)
        elif kind == "edit":
            copy = {name: form[name] for name in FORM_COLUMNS}
            copy.update(
                form_id=f"old-{self.number()}", state=4, edited_on=now, server_modified_on=now
            )
            self.insert_form(copy, form["shard"])
            self.forms[copy["form_id"]] = {**copy, "shard": form["shard"], "operations": []}
            self.update_form(
                form, edited_on=now, server_modified_on=now, build_id=self.rng.choice(BUILDS)
            )
        elif kind == "delete":
            self.update_form(form, deleted_on=now, server_modified_on=now)
        elif kind == "undelete":
            self.update_form(form, deleted_on=None, server_modified_on=now)
        elif kind == "save":
            self.update_form(form, server_modified_on=now)
        elif kind == "user":
            self.update_form(form, user_id=self.rng.choice(USERS + [None]), server_modified_on=now)
        elif kind == "app":
            self.update_form(form, app_id=self.rng.choice(APPS + [None]), server_modified_on=now)
        elif kind == "month":
            self.update_form(form, received_on=self.past(), server_modified_on=now)
        elif self.rng.random() < 0.3:
            name = literal(form["form_id"])
            form["shard"].sql.run(
                f"DELETE FROM {NAMES['operation']} WHERE form_id = {name};"
                f" DELETE FROM {NAMES['form']} WHERE form_id = {name}"
            )
            del self.forms[form["form_id"]]

    def hold(self):
        """Stamps rows in a transaction that commits only later."""
        held = Held(self.rng.choice(self.shards))
        for _ in range(self.rng.randint(1, 3)):
            form = self.random_form()
            self.insert_form(form, held.shard, held.session)
            held.forms.append(form)
        self.held.append(held)

    def release(self):
        """Commits (or gives up) a transaction that was held."""
        if not self.held:
            return
        held = self.held.pop(self.rng.randrange(len(self.held)))
        if self.rng.random() < 0.8:
            held.session.run("COMMIT")
            self.late_commits += 1
            for form in held.forms:
                self.forms[form["form_id"]] = {**form, "shard": held.shard, "operations": []}
        else:
            held.session.run("ROLLBACK")
        held.session.close()

    def lose_transactions(self):
        """The server crashed: what was not committed is gone."""
        self.held.clear()

    # ---- sync logs and locations ----

    def add_synclog(self):
        choose = self.rng.choice
        number = self.number()
        log = {
            "synclog_id": f"{number * 7919 % 2**32:08x}-0000-4000-8000-{number:012d}",
            "date": self.now(),
            "user_id": choose(USERS + ["", "web1"]),
            "domain": choose(DOMAINS + [None]),
            "app_id": choose(APPS + [None]),
            "duration": choose([None, 0, 3]),
        }
        self.main.insert("synclog", **{**log, "date": log["date"] + "Z"})
        self.synclogs[log["synclog_id"]] = log

    def expire_synclog(self):
        if self.synclogs:
            name = self.rng.choice(sorted(self.synclogs))
            self.main.sql.run(f"DELETE FROM {NAMES['synclog']} WHERE synclog_id = {literal(name)}")
            del self.synclogs[name]

    def change_location(self):
        now = self.now()
        parents = [None] + [location["sql_location_id"] for location in self.locations.values()]
        if not self.locations or len(self.locations) < 12 and self.rng.random() < 0.7:
            number = len(self.locations) + 1
            location = {
                "location_id": f"loc{number}",
                "name": f"Place {number}",
                "domain": self.rng.choice(DOMAINS),
                "sql_location_id": number,
                "sql_parent_location_id": self.rng.choice(parents + parents[-2:]),
                "last_modified": now,
            }
            self.main.sql.run(f"""INSERT INTO {NAMES['location']} (id, location_id, name, domain,
                                    parent_id,
                location_type_id, site_code, user_id, is_archived, created_at, last_modified)
                  VALUES ({number},
                {literal(location['location_id'])}, {literal(location['name'])},
                  {literal(location['domain'])},
                {literal(location['sql_parent_location_id'])}, 1, 's', '', false, '2023-01-01Z',
                  '{now}Z')""")
            self.locations[location["location_id"]] = location
        else:
            location = self.locations[self.rng.choice(sorted(self.locations))]
            location.update(
                sql_parent_location_id=self.rng.choice(parents),
                last_modified=now,
                name=f"Place {self.number()}",
            )
            self.main.sql.run(f"""UPDATE {NAMES['location']} SET last_modified = '{now}Z',
                name = {literal(location['name'])},
                  parent_id = {literal(location['sql_parent_location_id'])}
                WHERE location_id = {literal(location['location_id'])}""")

    def change_type(self):
        self.type_modified = self.now()
        self.main.sql.run(
            "UPDATE locations_locationtype SET last_modified =" f" '{self.type_modified}Z'"
        )

    # ---- documents: (line, key, version time, what the oracle sees) per revision ----

    def modified(self):
        """A modification time: mostly now, at times long ago, none, or the last one again."""
        kind = self.rng.random()
        if kind < 0.15 and self.last:
            return self.last
        if kind < 0.2:
            return ""
        self.last = self.now() if kind < 0.7 else self.past()
        return self.last

    def revise(self):
        feed = self.rng.choice(sorted(self.documents))
        self.documents[feed].append(self.revision(feed, self.modified()))

    def revision(self, feed, time):
        stamp = time + "Z" if time else ...
        key, line, seen = getattr(self, f"revise_{feed}")(stamp)
        kind = self.rng.random()
        if kind < 0.4:
            line = shape.change(line) if kind < 0.3 else shape.all_docs_row(line)
        return line, key, time, seen

    def revise_user(self, stamp):
        choose = self.rng.choice
        locations = [f"loc{n}" for n in range(1, 7) if self.rng.random() < 0.3]
        name = f"name{self.number()}"
        deleted = self.rng.random() < 0.15
        base = "CouchUser-Deleted" if deleted else "CouchUser"
        if self.rng.random() < 0.75:
            key, domain = choose(USERS + ["demo_user"]), choose(DOMAINS)
            line = shape.user(
                key, stamp, domain, first_name=name, base_doc=base, assigned_location_ids=locations
            )
            memberships = [(domain, False, locations)]
        else:
            key = choose(WEB_USERS)
            domain = None
            memberships = [
                (
                    each,
                    self.rng.random() < 0.5,
                    [place for place in locations if self.rng.random() < 0.5],
                )
                for each in DOMAINS
                if self.rng.random() < 0.5
            ]
            line = shape.web_user(key, stamp, memberships, first_name=name, base_doc=base)
        return (
            key,
            line,
            {
                "username": line["username"],
                "first_name": name,
                "doc_type": line["doc_type"],
                "domain": domain,
                "user_type": "demo" if key == "demo_user" else "mobile" if domain else "web",
                "deleted": deleted,
                "memberships": memberships,
            },
        )

    def revise_group(self, stamp):
        key, users = self.rng.choice(GROUPS), [
            user for user in USERS + ["new-user"] if self.rng.random() < 0.4
        ]
        deleted = self.rng.random() < 0.15
        line = shape.group(
            key,
            users,
            stamp,
            name=f"team{self.number()}",
            doc_type="Group-Deleted" if deleted else "Group",
        )
        return (
            key,
            line,
            {"name": line["name"], "domain": "river", "user_ids": users, "deleted": deleted},
        )

    def revise_domain(self, stamp):
        number, deleted = self.rng.randint(1, 2 * len(DOMAINS)), self.rng.random() < 0.3
        key, name = f"dom{number}", DOMAINS[number % len(DOMAINS)]
        line = shape.domain(
            key,
            name,
            stamp,
            hr_name=f"project{self.number()}",
            doc_type="Domain-Deleted" if deleted else "Domain",
        )
        return key, line, {"domain": name, "hr_name": line["hr_name"], "deleted": deleted}

    def revise_application(self, stamp):
        key, deleted = self.rng.choice(APPS + BUILDS), self.rng.random() < 0.15
        version = self.rng.choice([None, self.rng.randint(1, 40)])
        line = shape.app(
            key,
            f"app{self.number()}",
            version,
            stamp,
            copy_of=key.split("-")[0] if "-" in key else None,
            doc_type=self.rng.choice(["Application", "LinkedApplication", "RemoteApp"])
            + ("-Deleted" if deleted else ""),
        )
        return (
            key,
            line,
            {
                "name": line["name"],
                "domain": "river",
                "version": version,
                "copy_of": line["copy_of"],
                "deleted": deleted,
            },
        )

    def remove_document(self):
        """A true deletion: its line has no time."""
        feed = self.rng.choice(sorted(self.documents))
        key = self.rng.choice(
            {
                "user": USERS + WEB_USERS,
                "group": GROUPS,
                "application": APPS + BUILDS,
                "domain": [f"dom{n}" for n in range(1, 7)],
            }[feed]
        )
        self.documents[feed].append((shape.deletion(key), key, None, None))

    # ---- what a load must find ----

    def dump_forms(self):
        """A file of the forms as they are now; it may be loaded much later."""
        names = [name for name in sorted(self.forms) if self.rng.random() < 0.6]
        self.rng.shuffle(names)
        lines = []
        for name in names:
            form = self.forms[name]
            line = {column: form[column] for column in FORM_COLUMNS}
            line.update({column: form[column] + "Z" for column in FORM_TIMES if form[column]})
            line["operations"] = [
                {"operation": "archive", "date": date + "Z"} for date in form["operations"]
            ]
            version = max([form[column] or "" for column in FORM_TIMES] + form["operations"])
            lines.append((line, name, version, {column: form[column] for column in FORM_COLUMNS}))
        self.dumps.append(lines)

    def forms_in(self, shard, since, until):
        """Forms of a shard that have a stamp in (since, until]."""
        found = []
        for form in self.forms.values():
            stamps = [form["received_on"], form["server_modified_on"]] + form["operations"]
            if form["shard"] is shard and any(since < stamp <= until for stamp in stamps):
                found.append((form["form_id"], {column: form[column] for column in FORM_COLUMNS}))
        return found

    def synclogs_in(self, shard, since, until):
        return [
            (key, dict(log)) for key, log in self.synclogs.items() if since < log["date"] <= until
        ]

    def locations_in(self, shard, since, until):
        return [
            (key, dict(place))
            for key, place in self.locations.items()
            if since < place["last_modified"] <= until or since < self.type_modified <= until
        ]

    def live(self, times=1):
        """Some time passes."""
        actions = (
            [self.submit] * 4
            + [self.change_form] * 3
            + [
                self.add_synclog,
                self.add_synclog,
                self.change_location,
                self.revise,
                self.revise,
                self.revise,
            ]
        )
        for _ in range(times):
            self.moments.append(self.now())
            kind = self.rng.random()
            if kind < 0.04 and len(self.held) < 2:
                self.hold()
            elif kind < 0.10:
                self.release()
            elif kind < 0.13:
                self.remove_document()
            elif kind < 0.15:
                self.expire_synclog()
            elif kind < 0.16:
                self.change_type()
            elif kind < 0.20:
                self.dump_forms()
            else:
                self.rng.choice(actions)()
