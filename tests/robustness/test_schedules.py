#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# time-limit: 600
# shares: 4
"""The property: after any schedule of loads, transforms, derived runs, kills and retries, the
warehouse equals a recompute from all records that completed batches staged.

    test_schedules.py [--seed N|random] [--schedules N] [--seconds N] [--steps N] [--tell]
                      [--stale-files]
"""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import campaign  # noqa: E402
import clock  # noqa: E402
import server  # noqa: E402
from schedule import Schedule  # noqa: E402

if __name__ == "__main__":
    server.own()
    clock.begin()
    campaign.main(Schedule, seconds=75)
