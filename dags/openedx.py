# SPDX-License-Identifier: MIT
"""Open edX: from extracts of the platform's tables to enrollment data.

 openedx_dims               load_learner > transform_learner, and so on for each dimension
 openedx_student_module     load, transform ................ wakes openedx_enrollment_data
 openedx_enrollment         load, transform; found by the next run of openedx_enrollment_data

The platform keeps its tables in MySQL, which another program extracts (README.md has a query for
each feed); its files are read here. An extract that is not there yet is tried again.

Airflow looks for DAGs only in files that name airflow and dag, as this one does here.
"""
from factline_dag import (Asset, derive, documents, fresh, load, on_event_or_daily, step,
                          transform_dim, transform_fact, workflow)

STUDENT_MODULE_FACT = Asset(uri="x-warehouse://student_module_fact")

# The worker's: the folder of the extracts, and options of load-staging.
FOLDER = "${OPENEDX_EXTRACTS:-/var/lib/factline/openedx}"
OPTIONS = "$OPENEDX_LOAD_OPTIONS"

with workflow("openedx_dims", "5 * * * *", "Learners, roles and the structure of courses."):
    transform_dim("learner", load("learner", documents(f"{FOLDER}/learner.tsv"), OPTIONS))
    transform_dim("course_access_role", load("course_access_role",
                                             documents(f"{FOLDER}/course_access_role.tsv"),
                                             OPTIONS))
    transform_dim("course_block", load("course_block", documents(f"{FOLDER}/course_block.ndjson"),
                                       OPTIONS))

with workflow("openedx_student_module", "*/15 * * * *", "Student modules, to their facts."):
    loaded = load("student_module", documents(f"{FOLDER}/student_module.tsv"), OPTIONS)
    transform_fact("student_module", loaded, outlets=[STUDENT_MODULE_FACT])

with workflow("openedx_enrollment", "*/15 * * * *", "Enrollments, to their facts."):
    loaded = load("enrollment", documents(f"{FOLDER}/enrollment.tsv"), OPTIONS)
    transform_fact("enrollment", loaded)

with workflow("openedx_enrollment_data",
              # Two assets would mean both; enrollments without student modules wait for the next.
              on_event_or_daily([STUDENT_MODULE_FACT], "37 3 * * *"),
              "What changed, into enrollment data and daily metrics."):
    derive("enrollment_data", "enrollment-data-from-fact")

with workflow("openedx_freshness", "50 * * * *", "Fails where the data is too old."):
    for name in ("student_module", "enrollment", "enrollment_data"):
        fresh(name, "26h")

with workflow("openedx_upkeep", "57 4 * * *", "Compares the table with a full recompute."):
    step("verify_enrollment_data", "verify-enrollment-data")
