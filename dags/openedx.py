# SPDX-License-Identifier: MIT
"""Open edX: from extracts of the platform's tables to enrollment data and daily metrics.

 openedx_dims       load_learner > transform_learner, and so on for structure and roles
 openedx_facts      load > transform for enrollments, student modules, their history, certificates;
                    wakes openedx_enrollment_data

None waits for another: an event is a wake-up and no work list, and a step that sleeps through one
finds its work in the warehouse the next time. README.md tells what is to be set, and which queries
give the extracts.

Airflow looks for DAGs only in files that name airflow and dag, as this one does here.
"""
from factline_dag import (Asset, derive, documents, fresh, load, on_event_or_daily, step,
                          transform_dim, transform_fact, workflow)

FACTS = Asset(uri="x-warehouse://student_module_fact")

# The worker's: the folder of the extracts, and options of load-staging.
FOLDER = "${OPENEDX_EXTRACTS:-/var/lib/factline/openedx}"
OPTIONS = "$OPENEDX_LOAD_OPTIONS"

with workflow("openedx_dims", "5 * * * *", "Learners, the structure of courses, roles in courses."):
    transform_dim("learner", load("learner", documents(f"{FOLDER}/learner.tsv")))
    transform_dim("course_block", load("course_block", documents(f"{FOLDER}/course_block.ndjson")))
    transform_dim("course_access_role",
                  load("course_access_role", documents(f"{FOLDER}/course_access_role.tsv")))

with workflow("openedx_facts", "25 * * * *", "Enrollments, student modules, certificates."):
    for feed in ("enrollment", "student_module", "student_module_history", "certificate"):
        loaded = load(feed, documents(f"{FOLDER}/{feed}.tsv"), OPTIONS)
        transform_fact(feed, loaded, outlets=[FACTS])

with workflow("openedx_enrollment_data", on_event_or_daily([FACTS], "37 3 * * *"),
              "What changed, into enrollment_data and course_daily_metrics."):
    derive("enrollment_data", "enrollment-data-from-fact")

with workflow("openedx_freshness", "45 * * * *", "Fails where the data is too old."):
    for name in ("student_module", "enrollment", "enrollment_data"):
        fresh(name, "26h")

with workflow("openedx_upkeep", "57 4 * * *",
              "Compares the table with a full recompute; removes staging that nobody needs."):
    step("verify_enrollment_data", "verify-enrollment-data")
    step("clear_staging", "clear-staging")
