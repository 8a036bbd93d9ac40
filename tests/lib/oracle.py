# SPDX-License-Identifier: MIT
"""What the warehouse must hold, recomputed in plain Python from all records of completed batches.

Shares nothing with the product: it knows the records (as the test made them), their versions and
the definitions of the design. Times are texts of one spelling (factline.time_of), so that they
compare; "" is the beginning of time.
"""

from collections import defaultdict, namedtuple

import factline
from harness import check, fail, same_rows

# One record of a completed batch. doc: column -> value, None for a true deletion. order: its place
# within the batch. version: (time, read number).
Record = namedtuple("Record", "feed key version order doc")

FEEDS = ("user", "group", "domain", "location", "application", "form", "synclog")
LEVELS = 8


def winners(records):
    """Per key: the document of the greatest version, None where there is none; and the latest
    deletion's version, None likewise."""
    best, gone = {}, {}
    for record in records:
        if record.doc is None:
            best.setdefault(record.key, None)
            gone[record.key] = max(gone.get(record.key, ("", -1)), record.version)
        else:
            before = best.get(record.key)
            if before is None or (before.version, before.order) <= (record.version, record.order):
                best[record.key] = record
    return {key: (record, gone.get(key)) for key, record in best.items()}


class Expected:
    """The tables, each a set of rows by natural keys."""

    def __init__(self, records):
        by_feed = defaultdict(list)
        for record in records:
            by_feed[record.feed].append(record)
        self.won = {feed: winners(by_feed[feed]) for feed in FEEDS}
        self.docs = {
            feed: {key: record.doc for key, (record, _) in won.items() if record}
            for feed, won in self.won.items()
        }
        self.forms = list(self.docs["form"].values())
        self.syncs = list(self.docs["synclog"].values())
        self.status = self.make_status()

    def is_deleted(self, feed, key):
        record, gone = self.won[feed][key]
        if record is None:
            return True
        return bool(record.doc.get("deleted")) or gone is not None and gone > record.version

    # ---- facts ----

    def form_fact(self):
        return [
            (
                form["form_id"],
                form["received_on"],
                form["state"],
                form["deleted_on"],
                form["edited_on"],
                form["user_id"],
                form["user_id"] or "",
                form["app_id"],
                form["app_id"] or "",
                form["build_id"],
                form["build_id"] or "",
                form["domain"],
                form["domain"],
                form["app_version"],
                form["commcare_version"],
                form["xmlns"],
            )
            for form in self.forms
        ]

    def synclog_fact(self):
        return [
            (
                sync["synclog_id"],
                sync["date"],
                sync["user_id"],
                sync["user_id"] or "",
                sync["app_id"],
                sync["app_id"] or "",
                sync["domain"],
                sync["domain"] or "",
                sync["duration"],
            )
            for sync in self.syncs
        ]

    # ---- dimensions: rows that a document made ----

    def dimension(self, feed, *columns):
        return [
            (key, *(doc[column] for column in columns), self.is_deleted(feed, key))
            for key, doc in self.docs[feed].items()
        ]

    def user_dim(self):
        return self.dimension("user", "username", "first_name", "doc_type", "user_type")

    def group_dim(self):
        return self.dimension("group", "name", "domain")

    def application_dim(self):
        return self.dimension("application", "name", "domain", "version", "copy_of")

    def domain_dim(self):
        best = {}
        for domain_id, doc in self.docs["domain"].items():
            record, _ = self.won["domain"][domain_id]
            rank = (not self.is_deleted("domain", domain_id), record.version, domain_id)
            if doc["domain"] not in best or rank > best[doc["domain"]][0]:
                best[doc["domain"]] = (rank, domain_id, doc)
        return [
            (name, domain_id, doc["hr_name"], not rank[0])
            for name, (rank, domain_id, doc) in best.items()
        ]

    def location_dim(self):
        by_number = {doc["sql_location_id"]: key for key, doc in self.docs["location"].items()}
        rows = []
        for key, doc in self.docs["location"].items():
            line, at, is_whole = [key], doc, True
            while at["sql_parent_location_id"] is not None:
                parent = by_number.get(at["sql_parent_location_id"])
                if parent is None or parent in line:
                    is_whole = False
                    break
                line.append(parent)
                at = self.docs["location"][parent]
            depth = len(line) - 1 if is_whole else None
            rows.append(
                (key, doc["name"], doc["domain"], depth, *(line + [None] * LEVELS)[:LEVELS])
            )
        return rows

    # ---- bridges ----

    def user_group_dim(self):
        return [
            (user, key, doc["domain"])
            for key, doc in self.docs["group"].items()
            if not self.is_deleted("group", key)
            for user in sorted(set(doc["user_ids"]) - {""})
        ]

    def user_location_dim(self):
        return sorted(
            {
                (key, location, domain)
                for key, doc in self.docs["user"].items()
                for domain, _, locations in doc["memberships"]
                for location in locations
                if location
            }
        )

    def domain_membership_dim(self):
        return [
            (key, domain, is_admin, self.is_deleted("user", key))
            for key, doc in self.docs["user"].items()
            for domain, is_admin, _ in doc["memberships"]
        ]

    # ---- app status ----

    def make_status(self):
        newest, last_sync = {}, {}
        for form in self.forms:
            if form["user_id"] and form["state"] == 1 and form["deleted_on"] is None:
                key = (form["user_id"], form["app_id"] or "")
                rank = (form["received_on"], form["form_id"].encode())
                if key not in newest or rank > newest[key][0]:
                    newest[key] = (rank, form)
        for sync in self.syncs:
            if sync["user_id"]:
                rank = (sync["date"], sync["synclog_id"])
                if sync["user_id"] not in last_sync or rank > last_sync[sync["user_id"]][0]:
                    last_sync[sync["user_id"]] = (rank, sync)
        rows = {}
        for (user, app), (_, form) in newest.items():
            sync = last_sync.get(user, (None, None))[1]
            rows[user, app] = {
                "form": form,
                "sync": sync and sync["date"],
                "domain": form["domain"] or (sync and sync["domain"]),
            }
        for user, (_, sync) in last_sync.items():
            if not any(key[0] == user for key in newest):
                rows[user, ""] = {
                    "form": None,
                    "sync": sync["date"],
                    "domain": sync["domain"] or None,
                }
        return rows

    def app_status_fact(self):
        rows = []
        for (user, app), row in self.status.items():
            form = row["form"] or defaultdict(lambda: None)
            rows.append(
                (
                    user,
                    app,
                    form["received_on"],
                    form["form_id"],
                    form["build_id"] or "",
                    form["app_version"],
                    form["commcare_version"],
                    row["sync"],
                    row["domain"],
                )
            )
        return rows

    def app_status_report(self):
        rows = []
        for user, doc in self.docs["user"].items():
            if doc["user_type"] != "mobile" or self.is_deleted("user", user):
                continue
            mine = [(app, row) for (who, app), row in self.status.items() if who == user]
            for app, row in mine or [("", {"form": None, "sync": None, "domain": None})]:
                form = row["form"] or defaultdict(lambda: None)
                build = self.docs["application"].get(form["build_id"] or "", {}).get("version")
                version = build if build is not None else form["app_version"]
                rows.append(
                    (
                        user,
                        doc["username"],
                        doc["first_name"],
                        row["domain"] or doc["domain"],
                        app or None,
                        self.docs["application"].get(app, {}).get("name") if app else None,
                        None if version is None else str(version),
                        form["commcare_version"],
                        form["received_on"],
                        row["sync"],
                    )
                )
        return rows


# ---- what is there ----

SEEN = {
    "form_fact": """
        SELECT f.form_id, f.received_on, f.state, f.deleted_on, f.edited_on, f.user_id,
          u.user_id AS u, f.app_id,
               a.application_id AS a, f.build_id, b.application_id AS b, f.domain, d.domain AS d,
               f.app_version, f.commcare_version, f.xmlns
          FROM warehouse.form_fact AS f
          LEFT JOIN warehouse.user_dim AS u ON u.id = f.user_dim_id
          LEFT JOIN warehouse.application_dim AS a ON a.id = f.app_dim_id
          LEFT JOIN warehouse.application_dim AS b ON b.id = f.build_dim_id
          LEFT JOIN warehouse.domain_dim AS d ON d.id = f.domain_dim_id""",
    "synclog_fact": """
        SELECT f.synclog_id, f.sync_date, f.user_id, u.user_id AS u, f.app_id,
          a.application_id AS a, f.domain,
               d.domain AS d, f.duration
          FROM warehouse.synclog_fact AS f
          LEFT JOIN warehouse.user_dim AS u ON u.id = f.user_dim_id
          LEFT JOIN warehouse.application_dim AS a ON a.id = f.app_dim_id
          LEFT JOIN warehouse.domain_dim AS d ON d.id = f.domain_dim_id""",
    "user_dim": """SELECT user_id, username, first_name, doc_type, user_type, deleted
                     FROM warehouse.user_dim WHERE id <> 0 AND NOT is_inferred""",
    "group_dim": """SELECT group_id, name, domain, deleted
                      FROM warehouse.group_dim WHERE id <> 0 AND NOT is_inferred""",
    "application_dim": """SELECT application_id, name, domain, version, copy_of, deleted
                            FROM warehouse.application_dim WHERE id <> 0 AND NOT is_inferred""",
    "domain_dim": """SELECT domain, domain_id, hr_name, deleted
                       FROM warehouse.domain_dim WHERE id <> 0 AND NOT is_inferred""",
    "location_dim": "SELECT l.location_id, l.name, l.domain, l.level, "
    + ", ".join(f"""(SELECT p.location_id FROM warehouse.location_dim AS p
              WHERE p.id = l.location_level_{n}) AS level{n}""" for n in range(LEVELS))
    + """
          FROM warehouse.location_dim AS l WHERE l.id <> 0 AND NOT l.is_inferred""",
    "user_group_dim": """
        SELECT u.user_id, g.group_id, x.domain FROM warehouse.user_group_dim AS x
          JOIN warehouse.user_dim AS u ON u.id = x.user_dim_id
          JOIN warehouse.group_dim AS g ON g.id = x.group_dim_id""",
    "user_location_dim": """
        SELECT u.user_id, l.location_id, x.domain FROM warehouse.user_location_dim AS x
          JOIN warehouse.user_dim AS u ON u.id = x.user_dim_id
          JOIN warehouse.location_dim AS l ON l.id = x.location_dim_id""",
    "domain_membership_dim": """
        SELECT u.user_id, x.domain, x.is_domain_admin, x.deleted
          FROM warehouse.domain_membership_dim AS x
          JOIN warehouse.user_dim AS u ON u.id = x.user_dim_id""",
    "app_status_fact": """
        SELECT u.user_id, a.application_id, s.last_form_submission_date, s.last_form_id,
          b.application_id AS b,
               s.last_form_app_version, s.last_form_commcare_version, s.last_sync_log_date, s.domain
          FROM warehouse.app_status_fact AS s
          LEFT JOIN warehouse.user_dim AS u ON u.id = s.user_dim_id
          LEFT JOIN warehouse.application_dim AS a ON a.id = s.app_dim_id
          LEFT JOIN warehouse.application_dim AS b ON b.id = s.last_form_build_dim_id""",
    "app_status_report": """
        SELECT user_id, username, first_name, domain, application_id, application_name,
          application_version,
               commcare_version, last_submission, last_sync
          FROM warehouse.app_status_report""",
}
TIMES = {
    "form_fact": (1, 3, 4),
    "synclog_fact": (1,),
    "app_status_fact": (2, 7),
    "app_status_report": (8, 9),
}
DERIVED = ("app_status_fact", "app_status_report")


def seen_rows(session, table):
    rows = session.tuples(SEEN[table])
    for place in TIMES.get(table, ()):
        rows = [row[:place] + (factline.time_of(row[place]),) + row[place + 1 :] for row in rows]
    return rows


def compare(session, records, mentioned, tables=None):
    """Checks the tables against the records of completed batches. mentioned: per dimension, keys
    that any record ever loaded has named; only these may be inferred members."""
    expected = Expected(records)
    for table in tables or SEEN:
        rows = seen_rows(session, table)
        wanted = getattr(expected, table)()
        if table == "location_dim":
            # The depth under a parent that is not known, or within a circle, is nobody's guess.
            unknown = {row[0] for row in wanted if row[3] is None}
            rows, wanted = (
                [row[:3] + row[4:5] for row in both if row[0] in unknown]
                + [row for row in both if row[0] not in unknown]
                for both in (rows, wanted)
            )
        same_rows(rows, wanted, table)
    for feed, table, key in (
        ("user", "user_dim", "user_id"),
        ("group", "group_dim", "group_id"),
        ("application", "application_dim", "application_id"),
        ("domain", "domain_dim", "domain"),
        ("location", "location_dim", "location_id"),
    ):
        inferred = session.tuples(
            f"SELECT {key}, deleted FROM warehouse.{table} WHERE id <> 0 AND" " is_inferred"
        )
        for name, deleted in inferred:
            if name not in mentioned[feed]:
                fail(f"{table}: the inferred member {name!r} is named by no record")
            gone = name in expected.won[feed] and feed != "domain"
            check(deleted == gone, f"{table}: inferred member {name!r}: deleted is {deleted}")
    return expected
