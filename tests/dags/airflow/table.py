#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The cases that the tests of both Airflow versions left in build/airflow, as one table."""

import json
import os

HERE = os.path.dirname(os.path.abspath(__file__))
HOME = os.path.join(HERE, "..", "..", "..", "build", "airflow")


def main():
    versions, expected, seen = {}, {}, {}
    for kind in ("runs", "kills"):
        for major in ("2", "3"):
            path = os.path.join(HOME, f"cases-{kind}-{major}.json")
            if not os.path.exists(path):
                continue
            with open(path) as file:
                table = json.load(file)
            versions[major] = table["version"]
            for case, wanted, found in table["cases"]:
                expected[case] = wanted
                seen[case, major] = found
    rows = [["case", "expected", *(f"seen ({number})" for number in versions.values())]]
    for case, wanted in expected.items():
        rows.append([case, wanted, *(seen.get((case, major), "failed") for major in versions)])
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    print()
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())


if __name__ == "__main__":
    main()
