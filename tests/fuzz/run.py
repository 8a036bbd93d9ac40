#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs fuzz targets that are built, each for some seconds, and tells what they did.

    run.py [--seconds N] TARGET...   executions, coverage and findings; status 1 if there are any
    run.py --keep TARGET...          adds to the corpus that is kept what reaches more of the code

What the fuzzers find gathers in build/fuzz/corpus; an input that a target fails on is in
build/fuzz/findings and is repeated by build/asan/tests/fuzz/fuzz_TARGET FILE.
"""

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
LONGEST = 4096  # bytes of an input
KEPT_LONGEST = 600  # of one that is kept, unless it is there already

# What each target is to reach.
MODULES = {
    "json": ("io/json.c", "io/json_value.c", "io/json_token.c", "io/json_key.c"),
    "csv": ("io/csv.c", "io/csv_header.c", "io/csv_split.c", "io/utf8.c"),
    "tsv": ("io/csv.c", "io/csv_header.c", "io/csv_split.c", "io/utf8.c"),
    "copy": ("io/copy.c",),
    "key": ("etl/opaque_key.c", "etl/opaque_text.c"),
    "time": ("base/clock.c",),
    "record": (
        "etl/document.c",
        "etl/field.c",
        "etl/field_table.c",
        "etl/value.c",
        "etl/value_float.c",
        "etl/extract.c",
    ),
}

ESCAPES = {ord("\n"): "\\n", ord("\r"): "\\r", ord("\t"): "\\t", ord("\\"): "\\\\"}
LETTERS = {escape[1]: byte for byte, escape in ESCAPES.items()}


def encode(data):
    text = "".join(
        ESCAPES.get(byte) or (chr(byte) if 32 <= byte < 127 else f"\\x{byte:02x}") for byte in data
    )
    return text[:-1] + "\\x20" if text.endswith(" ") else text  # no line ends with a blank


def decode(line):
    def one(match):
        escape = match.group(1)
        return chr(int(escape[1:], 16) if escape[0] == "x" else LETTERS[escape])

    return re.sub(r"\\(x..|.)", one, line).encode("latin-1")


def corpus_file(target):
    return os.path.join(ROOT, "tests", "fuzz", "corpus", f"{target}.txt")


def folder(*names):
    path = os.path.join(ROOT, "build", "fuzz", *names)
    os.makedirs(path, exist_ok=True)
    return path


def read_corpus(target):
    with open(corpus_file(target), encoding="ascii") as file:
        return [decode(line.rstrip("\n")) for line in file]


def unpack(target, path):
    for data in read_corpus(target):
        with open(os.path.join(path, hashlib.sha256(data).hexdigest()[:40]), "wb") as file:
            file.write(data)


def program(variant, target):
    return os.path.join(ROOT, "build", variant, "tests", "fuzz", f"fuzz_{target}")


def cover(target, path):
    """Lines and branches of the modules that the inputs reach, by the coverage variant."""
    objects = os.path.join(ROOT, "build", "coverage", "common")
    with tempfile.TemporaryDirectory() as work:
        depth = len(os.path.realpath(ROOT).strip("/").split("/"))
        env = {**os.environ, "GCOV_PREFIX": work, "GCOV_PREFIX_STRIP": str(depth)}
        files = [os.path.join(path, name) for name in sorted(os.listdir(path))]
        for begin in range(0, len(files), 500):
            command = [program("coverage", target), *files[begin : begin + 500]]
            subprocess.run(command, env=env, check=True, stdout=subprocess.DEVNULL)
        counts = [0.0, 0, 0.0, 0]
        for module in MODULES[target]:
            notes = os.path.splitext(module)[0] + ".gcno"
            where = os.path.join(work, "build", "coverage", "common", os.path.dirname(module))
            shutil.copy(os.path.join(objects, notes), where)
            text = subprocess.run(
                ["gcov", "-n", "-b", "-o", where, os.path.join("common", module)],
                cwd=ROOT,
                check=True,
                capture_output=True,
                text=True,
            ).stdout
            own = text[text.index(f"File 'common/{module}'") :]
            for place, word in ((0, "Lines executed"), (2, "Taken at least once")):
                share, total = re.search(rf"{word}:([0-9.]+)% of (\d+)", own).groups()
                counts[place] += float(share) * int(total) / 100
                counts[place + 1] += int(total)
        return (100 * counts[0] / counts[1], 100 * counts[2] / counts[3])


def fuzz(target, seconds):
    """One target: a line of the table, and how many findings."""
    path, findings = folder("corpus", target), folder("findings")
    before = set(os.listdir(findings))
    unpack(target, path)
    command = [
        program("fuzz", target),
        f"-max_total_time={seconds}",
        f"-max_len={LONGEST}",
        "-timeout=20",
        "-rss_limit_mb=2048",
        "-print_final_stats=1",
        f"-artifact_prefix={findings}/{target}-",
        path,
    ]
    words = os.path.join(ROOT, "tests", "fuzz", f"{target}.dict")
    if os.path.exists(words):
        command.insert(-1, f"-dict={words}")
    with open(os.path.join(folder("logs"), f"{target}.log"), "w+", encoding="utf-8") as log:
        subprocess.run(command, stdout=log, stderr=log, check=False, cwd=ROOT)
        log.seek(0)
        text = log.read()
    runs = re.findall(r"number_of_executed_units: (\d+)", text) or re.findall(
        r"^#(\d+)", text, re.M
    )
    edges = re.findall(r"cov: (\d+)", text)
    found = sorted(set(os.listdir(findings)) - before)
    lines, branches = cover(target, path) if not found else (0, 0)
    print(
        f"{target:8} {int(runs[-1]) if runs else 0:13,} {edges[-1] if edges else '-':>7} "
        f"{len(os.listdir(path)):>7,} {lines:6.1f} % {branches:6.1f} %  {len(found)}",
        flush=True,
    )
    for name in found:
        print(f"    {os.path.relpath(os.path.join(findings, name))}", flush=True)
    return len(found)


def keep(target):
    """The corpus and, of what was found, what reaches more than it does."""
    with tempfile.TemporaryDirectory() as work:
        unpack(target, work)
        before = set(os.listdir(work))
        subprocess.run(
            [
                program("fuzz", target),
                "-merge=1",
                "-use_counters=0",  # edges, not how often they are passed: few inputs do
                f"-max_len={KEPT_LONGEST}",
                work,
                folder("corpus", target),
            ],
            check=True,
            capture_output=True,
            cwd=ROOT,
        )
        added = []
        for name in sorted(set(os.listdir(work)) - before):
            with open(os.path.join(work, name), "rb") as file:
                added.append(file.read())
    with open(corpus_file(target), "a", encoding="ascii") as file:
        for data in sorted(added, key=lambda data: (len(data), data)):
            file.write(encode(data) + "\n")
    print(f"{target}: {len(added)} inputs added to {len(before)}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("targets", nargs="+", choices=sorted(MODULES))
    options = parser.parse_args()
    if options.keep:
        for target in options.targets:
            keep(target)
        return
    print("target      executions   edges  corpus    lines branches  findings", flush=True)
    sys.exit(sum([fuzz(target, options.seconds) for target in options.targets]) > 0)


if __name__ == "__main__":
    main()
