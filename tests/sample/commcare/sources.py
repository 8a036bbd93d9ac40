# SPDX-License-Identifier: MIT
"""The sample's events and places as SQL for databases shaped like CommCare HQ's.

The history is COPY into fresh tables. The next day is one transaction per database that may run
twice: new rows are inserted unless they are there, changed ones are set to what they became.
"""

import json
import os
from collections import defaultdict

from chance import DAY, HOUR, day_name, sql_time
from events import rows_at

SHARDS = 2
FORM = "form_processor_xforminstancesql"
OPERATION = "form_processor_xformoperationsql"
FORM_COLUMNS = (
    "id form_id domain app_id xmlns user_id orig_id deprecated_form_id server_modified_on "
    "received_on edited_on deleted_on build_id state time_end time_start commcare_version "
    "app_version"
).split()
OPERATION_COLUMNS = "id form_id user_id operation date".split()
SYNC_COLUMNS = (
    "synclog_id domain user_id date doc log_format build_id duration app_id device_id "
    "is_formplayer request_user_id"
).split()
TYPE_COLUMNS = "id domain name code parent_type_id last_modified".split()
LOCATION_COLUMNS = (
    "id domain name location_id location_type_id site_code external_id supply_point_id user_id "
    "parent_id latitude longitude is_archived created_at last_modified"
).split()
TIMES = {
    "server_modified_on",
    "received_on",
    "edited_on",
    "deleted_on",
    "time_end",
    "time_start",
    "date",
    "created_at",
    "last_modified",
}


def _copy_value(column, value):
    if value is None:
        return "\\N"
    if column in TIMES:
        return sql_time(value)
    if isinstance(value, bool):
        return "t" if value else "f"
    return str(value).replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n")


def _literal(column, value):
    if value is None:
        return "NULL"
    if column in TIMES:
        return f"'{sql_time(value)}'"
    if isinstance(value, (bool, int)):
        return str(value)
    return "'" + str(value).replace("'", "''") + "'"


def _copy(out, table, columns, rows):
    out.write(f"COPY {table} ({', '.join(columns)}) FROM STDIN;\n")
    for row in rows:
        out.write("\t".join(_copy_value(column, row[column]) for column in columns) + "\n")
    out.write("\\.\n")


def _add(out, table, columns, rows, key):
    """Inserts rows whose key is not there yet."""
    if not rows:
        return
    out.write(
        "CREATE TEMPORARY TABLE incoming ON COMMIT DROP AS "
        f"SELECT {', '.join(columns)} FROM public.{table} WITH NO DATA;\n"
    )
    _copy(out, "incoming", columns, rows)
    out.write(
        f"INSERT INTO public.{table} ({', '.join(columns)}) SELECT * FROM incoming AS new\n"
        f" WHERE NOT EXISTS (SELECT FROM public.{table} AS old\n"
        f"                    WHERE old.{key} = new.{key});\n"
        "DROP TABLE incoming;\n"
    )


def _change(out, table, columns, before, after, key):
    changed = [c for c in columns if before[c] != after[c]]
    if changed:
        sets = ", ".join(f"{column} = {_literal(column, after[column])}" for column in changed)
        out.write(f"UPDATE public.{table} SET {sets} WHERE {key} = {_literal(key, after[key])};\n")


# -- forms


def _shard_of(form_id):
    return int(form_id[0], 16) % SHARDS


class _Shard:
    """The rows of one form database at the end of the history and a day later."""

    def __init__(self):
        self.before, self.after = {}, {}
        self.operations_before, self.operations_after = [], []

    def number(self):
        """Serial ids as HQ gives them: in order of arrival, those of the next day last."""
        order = sorted(
            self.after.values(),
            key=lambda row: (row["form_id"] not in self.before, row["received_on"], row["form_id"]),
        )
        for number, row in enumerate(order, 1):
            row["id"] = number
            if row["form_id"] in self.before:
                self.before[row["form_id"]]["id"] = number
        self.operations_after.sort(key=lambda operation: (operation["date"], operation["form_id"]))
        for number, operation in enumerate(self.operations_after, 1):
            operation["id"] = number
        self.operations_before.sort(key=lambda operation: (operation["date"], operation["form_id"]))
        for number, operation in enumerate(self.operations_before, 1):
            operation["id"] = number


def form_shards(world, events):
    shards = [_Shard() for _ in range(SHARDS)]
    for form in events.forms:
        rows, operations = rows_at(form, world.next_end)
        for row in rows:
            shards[_shard_of(row["form_id"])].after[row["form_id"]] = row
        for operation in operations:
            shards[_shard_of(operation["form_id"])].operations_after.append(operation)
        if form["seen_late"]:
            continue
        rows, operations = rows_at(form, world.history_end)
        for row in rows:
            shards[_shard_of(row["form_id"])].before[row["form_id"]] = row
        for operation in operations:
            shards[_shard_of(operation["form_id"])].operations_before.append(operation)
    for shard in shards:
        shard.number()
    return shards


def write_forms(shards, folder, day):
    for number, shard in enumerate(shards, 1):
        with open(os.path.join(folder, f"form_{number}.sql"), "w", encoding="utf-8") as out:
            out.write("BEGIN;\nSET LOCAL client_min_messages = warning;\n")
            if day == "history":
                rows = sorted(shard.before.values(), key=lambda row: row["id"])
                _copy(out, "public." + FORM, FORM_COLUMNS, rows)
                _copy(out, "public." + OPERATION, OPERATION_COLUMNS, shard.operations_before)
            else:
                new = [row for key, row in shard.after.items() if key not in shard.before]
                _add(out, FORM, FORM_COLUMNS, sorted(new, key=lambda row: row["id"]), "form_id")
                for key, row in sorted(shard.before.items()):
                    _change(out, FORM, FORM_COLUMNS, row, shard.after[key], "form_id")
                made = shard.operations_after[len(shard.operations_before) :]
                _add(out, OPERATION, OPERATION_COLUMNS, made, "id")
            for table in (FORM, OPERATION):
                out.write(
                    f"SELECT setval('public.{table}_id_seq', max(id))\n"
                    f"  FROM public.{table} \\g /dev/null\n"
                )
            out.write("COMMIT;\n")


# -- sync logs


def _week(time):
    """Monday, 00:00, of the week of a time; 1970-01-01 was a Thursday."""
    return time - (time - 4 * DAY) % (7 * DAY)


def _sync_row(log):
    doc = {
        "_id": log["synclog_id"],
        "doc_type": "SimplifiedSyncLog",
        "user_id": log["user_id"],
        "date": sql_time(log["date"]),
        "case_ids_on_phone": [log["synclog_id"][:8]] * 12,
        "dependent_case_ids_on_phone": [],
        "purged": False,
    }
    return dict(log, doc=json.dumps(doc), log_format="livequery")


def write_sync_logs(world, events, folder, day):
    """In tables by week of the date, as HQ keeps them; a log without date lies in the parent."""
    weeks = defaultdict(list)
    for log in events.sync_logs:
        is_next = log["date"] is not None and log["date"] >= world.history_end
        if is_next == (day == "next"):
            weeks[None if log["date"] is None else _week(log["date"])].append(_sync_row(log))
    with open(os.path.join(folder, "synclog.sql"), "w", encoding="utf-8") as out:
        out.write("BEGIN;\nSET LOCAL client_min_messages = warning;\n")
        for week in sorted(weeks, key=lambda start: start or 0):
            rows = sorted(weeks[week], key=lambda row: (row["date"] or 0, row["synclog_id"]))
            table = "phone_synclogsql"
            if week is not None:
                table += "_" + day_name(week).replace("-", "_")
                end = week + 7 * DAY
                out.write(
                    f"CREATE TABLE IF NOT EXISTS public.{table} (PRIMARY KEY (synclog_id),\n"
                    f"    CHECK (date >= '{sql_time(week)}' AND date < '{sql_time(end)}'))\n"
                    "    INHERITS (public.phone_synclogsql);\n"
                    f"CREATE INDEX IF NOT EXISTS {table}_date ON public.{table} (date);\n"
                )
            _add(out, table, SYNC_COLUMNS, rows, "synclog_id")
        out.write("COMMIT;\n")


# -- locations


def _location_row(place):
    row = {
        "id": place["id"],
        "domain": place["domain"],
        "name": place["name"],
        "location_id": place["location_id"],
        "location_type_id": place["type"],
        "site_code": place["site_code"],
        "external_id": None,
        "supply_point_id": None,
        "user_id": "",
        "parent_id": place["parent"],
        "latitude": None,
        "longitude": None,
        "is_archived": place["archived"],
        "created_at": place["created"],
        "last_modified": place["modified"],
    }
    if place["id"] % 4 == 0:
        row.update(
            latitude=f"{5 + place['id'] / 16:.10f}", longitude=f"{70 + place['id'] / 32:.10f}"
        )
    return row


def _moved_places(world):
    """By id, what the next day does: a village and a block move, two other villages change."""
    first = world.projects[0]["name"]
    villages, blocks, districts = (
        world.places(first, code) for code in ("village", "block", "district")
    )
    changes = {
        villages[0]["id"]: {"parent_id": blocks[-1]["id"]},
        blocks[0]["id"]: {"parent_id": districts[-1]["id"]},
        villages[5]["id"]: {"name": villages[5]["name"] + " (new)"},
        villages[7]["id"]: {"is_archived": True},
    }
    for change in changes.values():
        change["last_modified"] = world.history_end + 7 * HOUR
    return changes


def write_locations(world, folder, day):
    with open(os.path.join(folder, "main.sql"), "w", encoding="utf-8") as out:
        out.write("BEGIN;\nSET LOCAL client_min_messages = warning;\n")
        if day == "history":
            _copy(
                out,
                "public.locations_locationtype",
                TYPE_COLUMNS,
                [
                    {
                        "id": kind["id"],
                        "domain": kind["domain"],
                        "name": kind["name"],
                        "code": kind["code"],
                        "parent_type_id": kind["parent"],
                        "last_modified": kind["modified"],
                    }
                    for kind in world.location_types
                ],
            )
            _copy(
                out,
                "public.locations_sqllocation",
                LOCATION_COLUMNS,
                [_location_row(place) for place in world.locations],
            )
        else:
            changes = _moved_places(world)
            for place in world.locations:
                row = _location_row(place)
                after = {**row, **changes.get(place["id"], {})}
                _change(out, "locations_sqllocation", LOCATION_COLUMNS, row, after, "id")
        out.write("COMMIT;\n")
