# SPDX-License-Identifier: MIT
"""A CommCare HQ database in small: forms with operations, sync logs, locations."""

import os

import factline

TABLES = {
    "form": """
CREATE TABLE form_processor_xforminstancesql (
    id serial PRIMARY KEY, form_id varchar(255) NOT NULL UNIQUE, domain varchar(255) NOT NULL,
    app_id varchar(255), xmlns varchar(255) NOT NULL, user_id varchar(255), orig_id varchar(255),
    deprecated_form_id varchar(255), server_modified_on timestamptz,
      received_on timestamptz NOT NULL,
    edited_on timestamptz, deleted_on timestamptz, build_id varchar(255),
    state smallint NOT NULL DEFAULT 1 CHECK (state >= 0), time_end timestamptz,
      time_start timestamptz,
    commcare_version varchar(8), app_version integer CHECK (app_version >= 0));
CREATE INDEX ON form_processor_xforminstancesql (received_on);
CREATE INDEX ON form_processor_xforminstancesql (server_modified_on);
CREATE TABLE form_processor_xformoperationsql (
    id serial PRIMARY KEY,
    form_id varchar(255) NOT NULL REFERENCES form_processor_xforminstancesql (form_id),
    user_id varchar(255), operation varchar(255) NOT NULL, date timestamptz NOT NULL);
CREATE INDEX ON form_processor_xformoperationsql (form_id);
""",
    "synclog": """
CREATE TABLE phone_synclogsql (
    synclog_id uuid PRIMARY KEY, domain varchar(255), user_id varchar(255) NOT NULL,
      date timestamptz,
    doc jsonb NOT NULL DEFAULT '{}', log_format varchar(10) NOT NULL DEFAULT 'livequery',
      build_id varchar(255),
    duration integer CHECK (duration >= 0), app_id varchar(255), device_id varchar(255),
    is_formplayer boolean, request_user_id varchar(255));
CREATE INDEX ON phone_synclogsql (date);
""",
    "location": """
CREATE TABLE locations_locationtype (
    id serial PRIMARY KEY, domain varchar(255) NOT NULL, name varchar(255) NOT NULL,
      code varchar(50),
    parent_type_id integer REFERENCES locations_locationtype (id),
      last_modified timestamptz NOT NULL,
    UNIQUE (domain, code), UNIQUE (domain, name));
CREATE TABLE locations_sqllocation (
    id serial PRIMARY KEY, domain varchar(255) NOT NULL, name varchar(255),
    location_id varchar(100) NOT NULL UNIQUE,
    location_type_id integer NOT NULL REFERENCES locations_locationtype (id),
      site_code varchar(255) NOT NULL,
    external_id varchar(255), supply_point_id varchar(255) UNIQUE, user_id varchar(255) NOT NULL,
    parent_id integer REFERENCES locations_sqllocation (id), latitude numeric(20,10),
      longitude numeric(20,10),
    is_archived boolean NOT NULL, created_at timestamptz NOT NULL,
      last_modified timestamptz NOT NULL);
INSERT INTO locations_locationtype (domain, name, code, last_modified)
VALUES ('river', 'Village', 'village', '2023-01-01Z');
""",
}

NAMES = {
    "form": "form_processor_xforminstancesql",
    "operation": "form_processor_xformoperationsql",
    "synclog": "phone_synclogsql",
    "location": "locations_sqllocation",
    "type": "locations_locationtype",
}


def literal(value):
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return str(value)
    return "'" + str(value).replace("'", "''") + "'"


def _make_all(name, host=None):
    session = factline.Session(name, host=host)
    session.run("\n".join(TABLES.values()))
    session.close()


class SourceDatabase:
    """One source database (a shard, or all in one); empty=True makes none of the tables. host: of
    another server than that of PG*, of which only the folder of its socket differs."""

    def __init__(self, empty=False, host=None):
        self.host = host
        self.name = factline.new_database(None if empty else _make_all, "source", host)
        self._session = None
        self.spec = self.spec_of()

    def spec_of(self, user=None, **more):
        """The connection string of the source."""
        user = user or os.environ.get("PGUSER") or "postgres"
        words = {
            "host": self.host or os.environ.get("PGHOST", "localhost"),
            "port": os.environ.get("PGPORT", "5432"),
            "dbname": self.name,
            "user": user,
            **more,
        }
        return " ".join(f"{name}={value}" for name, value in words.items())

    @property
    def sql(self):
        if self._session is None or self._session.process is None:
            self._session = factline.Session(self.name, host=self.host)
        return self._session

    def session(self, user=None):
        return factline.Session(self.name, user, self.host)

    def now(self):
        return self.sql.value("""SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC',
                                                'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')""")

    def insert(self, table, **values):
        self.sql.run(
            f"INSERT INTO {NAMES[table]} ({', '.join(values)})"
            f" VALUES ({', '.join(map(literal, values.values()))})"
        )

    def add_form(self, form_id, received_on=None, session=None, **more):
        """A submitted form; received now unless said otherwise."""
        values = {
            "form_id": form_id,
            "domain": "river",
            "app_id": "anc",
            "xmlns": "http://example.org/visit",
            "user_id": "asha",
            "build_id": "anc-18",
            "state": 1,
            "commcare_version": "2.47.1",
            "app_version": 18,
            **more,
        }
        stamp = literal(received_on) if received_on else "clock_timestamp()"
        modified = values.pop("server_modified_on", ...)
        modified = "received" if modified is ... else literal(modified)
        (session or self.sql).run(
            f"""INSERT INTO {NAMES['form']} (received_on, server_modified_on, {', '.join(values)})
                SELECT received, {modified}, {', '.join(map(literal, values.values()))}
                  FROM (SELECT {stamp}::timestamptz AS received) AS moment"""
        )

    def change_form(self, form_id, session=None, **values):
        """A save by the application: server_modified_on is now."""
        changes = ", ".join(f"{name} = {literal(value)}" for name, value in values.items())
        (session or self.sql).run(f"""UPDATE {NAMES['form']} SET {changes}{',' if changes else ''}
            server_modified_on = clock_timestamp() WHERE form_id = {literal(form_id)}""")

    def archive(self, form_id, state=2, operation="archive"):
        """As HQ does it at its worst: state and an operation row, no other stamp."""
        self.sql.run(f"""UPDATE {NAMES['form']} SET state = {state}
                           WHERE form_id = {literal(form_id)};
            INSERT INTO {NAMES['operation']} (form_id, operation, date)
            VALUES ({literal(form_id)}, {literal(operation)}, clock_timestamp())""")

    def unarchive(self, form_id):
        self.archive(form_id, 1, "unarchive")

    def add_synclog(self, number, date=None, **more):
        values = {
            "synclog_id": f"00000000-0000-4000-8000-{number:012d}",
            "user_id": "asha",
            "domain": "river",
            **more,
        }
        self.sql.run(f"""INSERT INTO {NAMES['synclog']} (date, {', '.join(values)})
            VALUES ({literal(date) if date else 'clock_timestamp()'}, {', '.join(map(literal,
              values.values()))})""")

    def add_location(self, location_id, number, parent=None, **more):
        values = {
            "id": number,
            "location_id": location_id,
            "domain": "river",
            "name": location_id.title(),
            "location_type_id": 1,
            "site_code": location_id,
            "user_id": "",
            "parent_id": parent,
            "is_archived": False,
            "created_at": "2023-01-01Z",
            **more,
        }
        self.sql.run(f"""INSERT INTO {NAMES['location']} (last_modified, {', '.join(values)})
            VALUES (clock_timestamp(), {', '.join(map(literal, values.values()))})""")
