#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# time-limit: 1200
"""The DAGs under Airflow 3, with a scheduler that ends tasks."""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "..", "lib")]
import harness  # noqa: E402
import kills  # noqa: E402

if __name__ == "__main__":
    kills.begin("3")
    try:
        harness.main()
    finally:
        kills.end()
