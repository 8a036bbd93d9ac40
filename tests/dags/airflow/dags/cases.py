# SPDX-License-Identifier: MIT
"""DAGs that only the tests run: each exit status, a missing result, a step that waits."""
from datetime import timedelta

from factline_dag import STATUS, batch_of, step, workflow

# give STATUS [once]: ends so, at the first try only; else prints a result.
with workflow("case_statuses", None):
    for name, number in STATUS.items():
        step(f"always_{number}", f"give {number}", retries=1)
        if name not in ("OK", "SKIP"):
            step(f"once_{number}", f"give {number} once", retries=1)
    step("once_signal", "give signal once", retries=1)
    step("after_skip", "give 0").set_upstream(step("skipped", "give 99"))

with workflow("case_missing_result", None):
    empty = step("empty", "give nothing")
    step("needs_batch", 'give 0 --batch-id "$BATCH"', env={"BATCH": batch_of(empty)},
         retries=0).set_upstream(empty)

# transform-fact takes the batch of the DAG run's key: the tests load it beforehand.
with workflow("case_wait", None):
    step("transform_form", "transform-fact form", retries=2)

with workflow("case_timeout", None):
    step("transform_form", "transform-fact form", retries=2, execution_timeout=timedelta(seconds=5))
