#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The statements that read a CommCare HQ database: windows, releases that lack columns, rejects
that complement what is read, binary rows that staging takes as they are, and plans by index."""

import os
import re
import subprocess

from statements import PIPELINE, Database, Warehouse, main, read

OPTIONS = "-c search_path=pg_catalog -c timezone=UTC -c jit=off"

FORMS = """
CREATE TABLE public.form_processor_xforminstancesql (
    id serial PRIMARY KEY, form_id varchar(255) NOT NULL UNIQUE, domain varchar(255) NOT NULL,
    app_id varchar(255), xmlns varchar(255) NOT NULL, user_id varchar(255),
    orig_id varchar(255), deprecated_form_id varchar(255), %s
    received_on timestamptz NOT NULL, edited_on timestamptz, deleted_on timestamptz,
    build_id varchar(255), state smallint NOT NULL%s);
CREATE INDEX ON public.form_processor_xforminstancesql (received_on);
CREATE TABLE public.form_processor_xformoperationsql (
    id serial PRIMARY KEY, form_id varchar(255) NOT NULL
        REFERENCES public.form_processor_xforminstancesql (form_id),
    user_id varchar(255), operation varchar(255) NOT NULL, date timestamptz NOT NULL);
CREATE INDEX ON public.form_processor_xformoperationsql (form_id);
"""
NEW = (
    "server_modified_on timestamptz,",
    ", time_end timestamptz, time_start timestamptz,"
    " commcare_version varchar(8), app_version integer",
)
SYNCS = """
CREATE TABLE public.phone_synclogsql (
    synclog_id uuid PRIMARY KEY, domain varchar(255), user_id varchar(255) NOT NULL,
    date timestamptz, doc jsonb NOT NULL, log_format varchar(10) NOT NULL,
    build_id varchar(255), duration integer%s);
CREATE INDEX ON public.phone_synclogsql (date);
"""
PLACES = """
CREATE TABLE public.locations_locationtype (
    id serial PRIMARY KEY, domain varchar(255) NOT NULL, name varchar(255) NOT NULL,
    code varchar(50), last_modified timestamptz NOT NULL);
CREATE TABLE public.locations_sqllocation (
    id serial PRIMARY KEY, domain varchar(255) NOT NULL, name varchar(255),
    location_id varchar(100) NOT NULL UNIQUE, location_type_id integer NOT NULL,
    site_code varchar(255) NOT NULL, external_id varchar(255), supply_point_id varchar(255), %s
    parent_id integer, latitude numeric(20,10), longitude numeric(20,10),
    is_archived boolean NOT NULL, created_at timestamptz NOT NULL,
    last_modified timestamptz NOT NULL);
"""
SINCE, UNTIL = "2026-03-01T00:00:00Z", "2026-03-02T00:00:00Z"
BEFORE, WITHIN, AFTER = "2026-02-15T00:00:00Z", "2026-03-01T12:00:00Z", "2026-03-02T00:00:01Z"


def settings(batch, since=SINCE, until=UNTIL, clock=UNTIL, pages=(0, 4294967295)):
    values = {
        "batch_id": batch,
        "since": since,
        "until": until,
        "clock": clock,
        "source": "shard1",
        "first_page": pages[0],
        "end_page": pages[1],
    }
    return " ".join("-c factline.%s=%s" % item for item in values.items())


def relay(source, warehouse, stem, into, **window):
    """Sends what the statement gives into a table, byte for byte; gives the rows as counted."""
    batch = warehouse.stage(stem.split("_")[0], [])
    environment = dict(os.environ, PGOPTIONS=OPTIONS + " " + settings(batch, **window))
    out = subprocess.run(
        ["psql", "-XAtqd", source.name, "-c", read(PIPELINE, "sql", stem + ".sql")],
        stdout=subprocess.PIPE,
        env=environment,
        check=True,
    )
    subprocess.run(
        [
            "psql",
            "-XAtqd",
            warehouse.name,
            "-v",
            "ON_ERROR_STOP=1",
            "-c",
            "COPY %s FROM STDIN (FORMAT binary)" % into,
        ],
        input=out.stdout,
        check=True,
        env=dict(os.environ, PGOPTIONS=OPTIONS),
    )
    return batch


def stage(source, warehouse, feed, **window):
    """The columns that load-staging puts before each row are left out, but for the batch."""
    columns = re.search(r"\((.*?)\)", read(PIPELINE, "sql", feed + "_staging.sql"), re.S).group(1)
    own = columns.split("is_tombstone,")[1]
    warehouse.sql("CREATE TABLE public.read (LIKE staging.%s)" % feed)
    warehouse.sql("ALTER TABLE public.read ALTER batch_id DROP NOT NULL")
    batch = relay(source, warehouse, feed + "_source", "public.read (%s)" % own, **window)
    warehouse.sql("UPDATE public.read SET batch_id = %d" % batch)
    warehouse.sql("INSERT INTO staging.%s SELECT * FROM public.read; DROP TABLE public.read" % feed)
    return batch


def reject(source, warehouse, feed, **window):
    return relay(
        source,
        warehouse,
        feed + "_source_rejects",
        "etl.rejected_row (batch_id, feed, source, position, column_name, reason, bytes,"
        " full_length)",
        **window
    )


def staged(warehouse, feed, batch, columns):
    return sorted(
        warehouse.sql("SELECT %s FROM staging.%s WHERE batch_id = %d" % (columns, feed, batch))
    )


def add_form(source, form_id, received_on=BEFORE, state=1, **columns):
    columns = dict(
        {
            "form_id": form_id,
            "domain": "river",
            "xmlns": "x",
            "received_on": received_on,
            "state": state,
        },
        **columns
    )
    source.sql(
        "INSERT INTO public.form_processor_xforminstancesql (%s) VALUES (%s)"
        % (", ".join(columns), ", ".join("'%s'" % value for value in columns.values()))
    )


def add_operation(source, form_id, date):
    source.sql(
        "INSERT INTO public.form_processor_xformoperationsql (form_id, operation, date)"
        " VALUES ('%s', 'archive', '%s')" % (form_id, date)
    )


class World:
    """A source and a warehouse."""

    def __init__(self, name):
        self.source = Database("source_" + name)
        self.warehouse = Warehouse(name)

    def close(self):
        self.source.close()
        self.warehouse.close()


def forms_received_saved_archived_or_undeleted_in_the_window_are_read_once(world):
    source = world.source
    source.sql(FORMS % NEW)
    add_form(source, "received", WITHIN, server_modified_on=WITHIN)
    add_form(source, "at-since", SINCE)
    add_form(source, "at-until", UNTIL)
    add_form(source, "saved", server_modified_on=WITHIN)
    add_form(source, "archived", state=2, server_modified_on=BEFORE)
    add_operation(source, "archived", WITHIN)
    add_operation(source, "archived", WITHIN)
    add_form(source, "archived-before", state=2)
    add_operation(source, "archived-before", BEFORE)
    add_form(source, "both", WITHIN, server_modified_on=WITHIN)
    add_operation(source, "both", WITHIN)
    add_form(source, "edited-without-save", edited_on=WITHIN)
    add_form(source, "deleted-without-save", deleted_on=WITHIN)
    add_form(source, "edited-saved-later", edited_on=WITHIN, server_modified_on=AFTER)
    add_form(source, "received-later", AFTER, server_modified_on=AFTER)
    add_form(source, "received-later-saved-now", AFTER, server_modified_on=WITHIN)
    batch = stage(source, world.warehouse, "form")
    assert [row[0] for row in staged(world.warehouse, "form", batch, "form_id")] == sorted(
        [
            "received",
            "at-until",
            "saved",
            "archived",
            "both",
            "edited-without-save",
            "deleted-without-save",
            "received-later-saved-now",
        ]
    )
    batch = stage(source, world.warehouse, "form", since="-infinity")
    rows = [row[0] for row in staged(world.warehouse, "form", batch, "form_id")]
    assert len(rows) == len(set(rows)) == 11 and "received-later" not in rows, rows


def a_form_is_staged_with_every_column_and_the_version_of_the_read(world):
    source = world.source
    source.sql(FORMS % NEW)
    add_form(
        source,
        "f1",
        WITHIN,
        state=2,
        app_id="a1",
        user_id="u1",
        build_id="b1",
        server_modified_on=WITHIN,
        edited_on=WITHIN,
        deleted_on=WITHIN,
        time_end=BEFORE,
        time_start=BEFORE,
        commcare_version="2.47.1",
        app_version=18,
    )
    batch = stage(source, world.warehouse, "form")
    row = staged(world.warehouse, "form", batch, "to_jsonb(form) - 'batch_id'")
    for text in (
        '"state": 2',
        '"app_id": "a1"',
        '"user_id": "u1"',
        '"build_id": "b1"',
        '"app_version": 18',
        '"commcare_version": "2.47.1"',
        '"xmlns": "x"',
        '"time_end": "2026-02-15',
        '"time_start": "2026-02-15',
        '"edited_on": "2026-03-01',
        '"domain": "river"',
    ):
        assert text in row[0][0], (text, row)


def a_release_without_the_dated_columns_reads_edits_and_deletions_by_their_own_times(world):
    source = world.source
    source.sql(FORMS % ("", ""))
    add_form(source, "received", WITHIN)
    add_form(source, "edited", edited_on=WITHIN)
    add_form(source, "deleted", deleted_on=WITHIN)
    add_form(source, "old", edited_on=BEFORE)
    batch = stage(source, world.warehouse, "form")
    assert staged(world.warehouse, "form", batch, "form_id, server_modified_on, app_version") == [
        ("deleted", "", ""),
        ("edited", "", ""),
        ("received", "", ""),
    ]
    reject(source, world.warehouse, "form")
    assert world.warehouse.one("SELECT count(*) FROM etl.rejected_row") == "0"


def what_is_read_and_what_is_rejected_complement_each_other(world):
    source = world.source
    source.sql(FORMS % NEW)
    add_form(source, "good", WITHIN)
    add_form(source, "", WITHIN)
    add_form(source, "before-2005", "2004-12-31T23:59:59Z", server_modified_on=WITHIN)
    add_form(source, "from-2005", "2005-01-01T00:00:00Z", server_modified_on=WITHIN)
    add_form(source, "a-day-ahead", "2026-03-03T00:00:00Z", server_modified_on=WITHIN)
    add_form(source, "more-than-a-day", "2026-03-03T00:00:01Z", server_modified_on=WITHIN)
    add_form(source, "never", "infinity", server_modified_on=WITHIN)
    batch = stage(source, world.warehouse, "form")
    assert [row[0] for row in staged(world.warehouse, "form", batch, "form_id")] == [
        "a-day-ahead",
        "from-2005",
        "good",
    ]
    reject(source, world.warehouse, "form")
    rows = world.warehouse.sql(
        "SELECT convert_from(bytes, 'UTF8')::jsonb ->> 'form_id', column_name, reason, feed,"
        " source, full_length = length(bytes) FROM etl.rejected_row ORDER BY 1"
    )
    assert rows == [
        ("", "form_id", "missing_field", "form", "shard1", "t"),
        ("before-2005", "received_on", "time_out_of_range", "form", "shard1", "t"),
        ("more-than-a-day", "received_on", "time_out_of_range", "form", "shard1", "t"),
        ("never", "received_on", "time_out_of_range", "form", "shard1", "t"),
    ], rows


def sync_logs_are_read_by_date_in_old_and_new_releases_without_their_documents(world):
    for release in (
        "",
        ", app_id varchar(255), device_id varchar(255), is_formplayer boolean,"
        " request_user_id varchar(255)",
    ):
        source = world.source
        source.sql("DROP TABLE IF EXISTS public.phone_synclogsql;" + SYNCS % release)
        number = 0
        for date, duration in (
            (WITHIN, 3),
            (UNTIL, None),
            (SINCE, 1),
            (AFTER, 1),
            (None, 1),
            (WITHIN, -5),
        ):
            number += 1
            source.sql(
                "INSERT INTO public.phone_synclogsql (synclog_id, user_id, date, doc,"
                " log_format, duration) VALUES ('00000000-0000-0000-0000-00000000000%d',"
                " 'u1', %s, '{}', 'simplified', %s)"
                % (
                    number,
                    "'%s'" % date if date else "NULL",
                    "NULL" if duration is None else duration,
                )
            )
        batch = stage(source, world.warehouse, "synclog")
        assert staged(
            world.warehouse, "synclog", batch, "right(synclog_id, 1), duration, app_id"
        ) == [("1", "3", ""), ("2", "", "")]
        world.warehouse.sql("DELETE FROM etl.rejected_row")
        reject(source, world.warehouse, "synclog")
        assert world.warehouse.sql(
            "SELECT column_name, reason, bytes::text LIKE '%doc%' FROM" " etl.rejected_row"
        ) == [("duration", "bad_integer", "f")]


def locations_are_read_when_they_or_their_type_changed(world):
    for release in ("", "user_id varchar(255) NOT NULL DEFAULT '',"):
        source = world.source
        source.sql(
            "DROP TABLE IF EXISTS public.locations_locationtype,"
            " public.locations_sqllocation;" + PLACES % release
        )
        source.sql(
            "INSERT INTO public.locations_locationtype (domain, name, code, last_modified)"
            " VALUES ('river', 'village', 'v', '%s'), ('river', 'block', 'b', '%s')"
            % (BEFORE, WITHIN)
        )
        for location_id, kind, changed in (
            ("own", 1, WITHIN),
            ("type", 2, BEFORE),
            ("none", 1, BEFORE),
            ("late", 1, AFTER),
            ("", 1, WITHIN),
        ):
            source.sql(
                "INSERT INTO public.locations_sqllocation (domain, name, location_id,"
                " location_type_id, site_code, is_archived, created_at, last_modified,"
                " latitude, parent_id) VALUES ('river', 'n', '%s', %d, 's', false, '%s',"
                " '%s', 1.5, 1)" % (location_id, kind, BEFORE, changed)
            )
        batch = stage(source, world.warehouse, "location")
        assert staged(
            world.warehouse,
            "location",
            batch,
            "location_id, location_type_name," " latitude::numeric, sql_parent_location_id",
        ) == [("own", "village", "1.5000000000", "1"), ("type", "block", "1.5000000000", "1")]
        world.warehouse.sql("DELETE FROM etl.rejected_row")
        reject(source, world.warehouse, "location")
        rows = world.warehouse.sql("SELECT column_name, reason, position FROM etl.rejected_row")
        assert rows == [("location_id", "missing_field", "5")]


def plan(source, stem, **window):
    text = read(PIPELINE, "sql", stem + ".sql")
    select = text[text.index("COPY (") + 6 : text.rindex(") TO STDOUT")]
    out = subprocess.run(
        ["psql", "-XAtqd", source.name, "-c", "EXPLAIN " + select],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        env=dict(os.environ, PGOPTIONS=OPTIONS + " " + settings(1, **window)),
    )
    return out.stdout


def a_day_of_a_large_shard_is_read_by_its_indexes(world):
    source = world.source
    source.sql(FORMS % NEW)
    source.sql("CREATE INDEX ON public.form_processor_xforminstancesql (server_modified_on)")
    source.sql(
        "INSERT INTO public.form_processor_xforminstancesql (form_id, domain, xmlns,"
        " received_on, server_modified_on, state)"
        " SELECT md5(n::text), 'river', 'x', at, at, 1 FROM generate_series(1, 60000) AS n,"
        " LATERAL (SELECT '2026-03-02'::timestamptz - n * interval '10 min' AS at) AS t;"
        " ANALYZE"
    )
    text = plan(source, "form_source")
    assert "Seq Scan on form_processor_xforminstancesql" not in text, text
    for index in ("received_on_idx", "server_modified_on_idx"):
        assert index in text, text
    text = plan(source, "form_source", since="-infinity", pages=(100, 200))
    assert "Tid Range Scan on form_processor_xforminstancesql" in text, text


TESTS = [
    value
    for value in list(globals().values())
    if hasattr(value, "__code__")
    and value.__module__ == __name__
    and value.__code__.co_varnames[: value.__code__.co_argcount] == ("world",)
]

if __name__ == "__main__":
    main(TESTS, World)
