#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Ten thousand lines, fifty of them bad in ten ways, one of a hundred megabytes: the others are
loaded, the bad ones are kept with their reasons, told to nobody, repaired and loaded."""

import collections
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import documents as doc  # noqa: E402
from factline import BIN, Run, Warehouse, environment  # noqa: E402
from harness import check, equal, for_each, lacks, main, test  # noqa: E402

LINES, BAD = 10_000, 50
MARK = "telltale"
LONG = 100_000_000
RESIDENT_MAX = 32 * 1024  # KiB, DESIGN.md, part 11


def good(number):
    return json.dumps(doc.form(f"f{number}", xmlns=f"{MARK}-{number}"))


def without(name):
    return lambda line: json.dumps(
        {key: value for key, value in json.loads(line).items() if key != name}
    )


def with_value(name, text):
    return lambda line: f'{without(name)(line)[:-1]}, "{name}": {text}}}'


# How a good line is broken, and the reason and column for which it is rejected.
KINDS = [
    (lambda line: line[:-30], "bad_json", ""),
    (lambda line: line + f" {MARK}", "trailing_text", ""),
    (lambda line: line.replace(MARK, MARK + "\udcff"), "bad_encoding", ""),
    (lambda line: line.replace(MARK, MARK + "\\u0000"), "nul_character", ""),
    (lambda line: f'{line[:-1]}, "xmlns": "{MARK}"}}', "duplicate_key", ""),
    (with_value("app_version", "9007199254740993"), "bad_integer", "app_version"),
    (without("form_id"), "missing_field", "form_id"),
    (with_value("user_id", f'["{MARK}"]'), "wrong_type", "user_id"),
    (with_value("received_on", '"9999-12-31T00:00:00Z"'), "time_out_of_range", "received_on"),
    (None, "too_long", ""),  # no tree of it, and only its head is kept
]
EVERY = LINES // BAD


def kind_of(number):
    """The kind of a bad line; of the last one there is one alone, of the first all others."""
    if number % EVERY != 0:
        return None
    place = number // EVERY
    return KINDS[-1] if place == BAD // 2 else KINDS[place % (len(KINDS) - 1)]


def lines():
    for number in range(LINES):
        kind = kind_of(number)
        line = good(number)
        if kind == KINDS[-1]:
            head = line[:-1] + f', "extra": "{MARK}'
            line = head + "x" * (LONG - len(head) - 2) + '"}'
        elif kind:
            line = kind[0](line)
        yield line.encode("utf-8", "surrogateescape") + b"\n"


def write(warehouse):
    path = os.path.join(warehouse.folder, "forms.ndjson")
    with open(path, "wb") as file:
        file.writelines(lines())
    return path


def resident(pid):
    try:
        with open(f"/proc/{pid}/status", encoding="ascii") as file:
            return max((int(line.split()[1]) for line in file if "VmHWM" in line), default=0)
    except OSError:
        return 0


def measured(warehouse, *arguments):
    """A run of load-staging, and the most memory that it had, in KiB."""
    command = [os.path.join(BIN, "load-staging"), *arguments, "--verbose"]
    peak = 0
    with subprocess.Popen(
        command,
        env=environment(warehouse.name),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        while True:
            try:
                out, err = process.communicate(timeout=0.005)
                return Run(command, process.returncode, out, err, 0), peak
            except subprocess.TimeoutExpired:
                peak = max(peak, resident(process.pid))


def tells_nothing(warehouse, *runs):
    """No stream and no column of the ledger, the kept bytes apart, holds a text of a record."""
    for run in runs:
        lacks(run.output, MARK, f"output of {run}")
    for table in ("batch", "batch_step", "batch_source", "workflow"):
        lacks(json.dumps(warehouse.sql.rows(f"SELECT * FROM etl.{table}")), MARK, table)
    texts = warehouse.sql.rows("""SELECT feed, column_name, reason, position, full_length, sha256
                                    FROM etl.rejected_row""")
    lacks(json.dumps(texts), MARK, "rejected_row")


def repaired(path):
    """The exported lines as a person would mend them."""
    with open(path, "rb") as file:
        for line in file.read().splitlines():
            text = line.decode("utf-8", "ignore").replace("\\u0000", "")
            number = int(text[text.index(MARK) + len(MARK) + 1 :].split('"')[0])
            yield json.loads(good(number))


@test
def ten_thousand_lines_with_fifty_bad_ones_are_loaded_rejected_repaired_and_loaded():
    warehouse = Warehouse()
    path = write(warehouse)
    run, peak = measured(warehouse, "form", "--source", path, "--max-rejects", "50")
    run.ended(0)
    equal(
        (run["rows_read"], run["rows_staged"], run["rows_rejected"]),
        (LINES, LINES - BAD, BAD),
        "counts",
    )
    expected = {
        number + 1: (kind[1], kind[2]) for number in range(LINES) if (kind := kind_of(number))
    }
    seen = {
        position: (reason, column)
        for position, reason, column in warehouse.sql.tuples(
            "SELECT position, reason, column_name FROM etl.rejected_row"
        )
    }
    equal(seen, expected, "reasons")
    long = warehouse.sql.tuples("""SELECT full_length, length(bytes) FROM etl.rejected_row
                                    WHERE sha256 IS NOT NULL""")
    equal(long, [(LONG, 65536)], "the long line")
    tally = collections.Counter(reason for reason, _ in seen.values())
    print(f"# {', '.join(f'{count} {reason}' for reason, count in sorted(tally.items()))}")
    print(f"# at most {peak / 1024:.1f} MiB resident")
    if os.environ.get("FACTLINE_VARIANT", "release") == "release":
        check(0 < peak <= RESIDENT_MAX, f"{peak} KiB resident")

    done = warehouse.transform("form", run, "--verbose")
    exported = os.path.join(warehouse.folder, "rejects.ndjson")
    export = warehouse.run("load-staging", "form", "--export-rejects", exported, "--verbose")
    equal(export["rows_exported"], BAD - 1, "exported; of the long line only the head is kept")
    tells_nothing(warehouse, run, done, export)

    mended = {record["form_id"]: record for record in repaired(exported)}
    equal(len(mended), BAD - 1, "repaired lines")
    mended[f"f{LINES // 2}"] = json.loads(good(LINES // 2))
    again = warehouse.load("form", list(mended.values()), "--max-rejects", "0")
    warehouse.transform("form", again)
    equal(warehouse.sql.number("SELECT count(*) FROM warehouse.form_fact"), LINES, "facts")


@for_each(["49", "0.4%"])
def over_the_budget_nothing_is_staged(budget):
    warehouse = Warehouse()
    run, _ = measured(warehouse, "form", "--source", write(warehouse), "--max-rejects", budget)
    run.ended(65)
    equal(warehouse.sql.number("SELECT count(*) FROM staging.form"), 0, "staged rows")
    equal(warehouse.sql.number("SELECT count(*) FROM etl.rejected_row"), BAD, "rejects kept")
    tells_nothing(warehouse, run)


if __name__ == "__main__":
    main()
