#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# time-limit: 600
# shares: 4
"""The property for Open edX: after any order of loads, transforms, derived runs, repetitions and
accidents, enrollment data and daily metrics equal a recompute, by other means, of all records that
completed batches staged.

    test_learning_schedules.py [--seed N|random] [--schedules N] [--seconds N] [--steps N] [--tell]
"""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import campaign  # noqa: E402
import server  # noqa: E402
from learning_schedule import Schedule  # noqa: E402

if __name__ == "__main__":
    server.own()
    campaign.main(Schedule, seconds=45)
