#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# time-limit: 1200
"""The DAGs under Airflow 2.11, by `airflow dags test`."""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "..", "lib")]
import harness  # noqa: E402
import runs  # noqa: E402

if __name__ == "__main__":
    runs.begin("2")
    try:
        harness.main()
    finally:
        runs.end()
