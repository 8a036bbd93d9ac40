#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes a sample CommCare installation, the same bytes for the same arguments.

generate.py installation DIR [--scale N] [--history-end DATE]
    DIR/history and DIR/next: SQL for two form databases, a sync log database and a main database
    (form_1.sql, form_2.sql, synclog.sql, main.sql), and users.ndjson, groups.ndjson,
    domains.ndjson, applications.ndjson. history is thirty days up to DATE (2026-10-01); next is
    what the day after it changed. DIR/schema is not written: see schema/ beside this program.
generate.py forms COUNT FILE [--history-end DATE] [--days N] [--users N]
    plain forms for `load-staging form --source FILE`.
"""

import argparse
import os
import sys

sys.dont_write_bytecode = True

# pylint: disable=wrong-import-position
import bulk  # noqa: E402
import documents  # noqa: E402
import sources  # noqa: E402
from chance import parse_day, parse_times  # noqa: E402
from events import Events  # noqa: E402
from world import World  # noqa: E402


def write_installation(options):
    world = World(options.history_end, options.scale)
    events = Events(world)
    shards = sources.form_shards(world, events)
    for day in ("history", "next"):
        folder = os.path.join(options.folder, day)
        os.makedirs(folder, exist_ok=True)
        sources.write_forms(shards, folder, day)
        sources.write_sync_logs(world, events, folder, day)
        sources.write_locations(world, folder, day)
        documents.write_documents(world, folder, day)
    forms = sum(len(shard.before) for shard in shards)
    print(
        f"sample installation: {len(world.workers)} mobile workers, "
        f"{len(world.projects)} projects, {forms} forms in 30 days",
        file=sys.stderr,
    )


def write_bulk(options):
    bulk.write_forms(options.file, options.count, options.history_end, options.days, options.users)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(required=True, metavar="installation|forms")
    installation = commands.add_parser("installation")
    installation.add_argument("folder")
    installation.add_argument("--scale", type=parse_times, default=1, help="times the workers (1)")
    installation.set_defaults(run=write_installation)
    forms = commands.add_parser("forms")
    forms.add_argument("count", type=parse_times)
    forms.add_argument("file")
    forms.add_argument("--days", type=parse_times, default=30)
    forms.add_argument("--users", type=parse_times)
    forms.set_defaults(run=write_bulk)
    for command in (installation, forms):
        command.add_argument(
            "--history-end",
            type=parse_day,
            metavar="DATE",
            default=parse_day("2026-10-01"),
            help="midnight, UTC, at which the history ends (2026-10-01)",
        )
    options = parser.parse_args()
    options.run(options)


if __name__ == "__main__":
    main()
