# SPDX-License-Identifier: MIT
"""Airflow DAGs that only the tests run: each exit status, a missing result, a step that waits."""
from datetime import timedelta

from factline_dag import STATUS, batch_of, documents, load, step, transform_fact, workflow

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

# As commcare_form, but without a schedule that comes between.
with workflow("case_form", None):
    loaded = load("form", documents("$FACTLINE_MARKS/forms.ndjson"))
    transform_fact("form", loaded)

with workflow("case_timeout", None):
    loaded = load("form", documents("$FACTLINE_MARKS/forms.ndjson"))
    transform_fact("form", loaded, execution_timeout=timedelta(seconds=6))
