# SPDX-License-Identifier: MIT
"""CommCare: from the records of CommCare HQ to the Application Status report.

 commcare_dims      load_user > transform_user, and so on for each dimension
 commcare_form      load_form > transform_form ............ wakes commcare_app_status_form
 commcare_synclog   load_synclog > transform_synclog ...... wakes commcare_app_status_synclog

None waits for another: an event is a wake-up and no work list, and a step that sleeps through one
finds its work in the warehouse the next time. README.md tells what is to be set.

Airflow looks for DAGs only in files that name airflow and dag, as this one does here.
"""
import os

from factline_dag import (Asset, derive, documents, fresh, load, on_event_or_daily, servers, step,
                          transform_dim, transform_fact, workflow)

FORM_FACT = Asset(uri="x-warehouse://form_fact")
SYNCLOG_FACT = Asset(uri="x-warehouse://synclog_fact")

# Airflow connections; several form databases are several names with blanks between them.
FORM_SERVERS = os.environ.get("COMMCARE_FORM_CONNECTIONS", "commcare_form").split()
SYNCLOG_SERVERS = os.environ.get("COMMCARE_SYNCLOG_CONNECTIONS", "commcare_synclog").split()
LOCATION_SERVERS = os.environ.get("COMMCARE_LOCATION_CONNECTIONS", "commcare_main").split()
# The worker's: the folder of the extracts, and options of load-staging such as --start.
FOLDER = "${COMMCARE_DOCUMENTS:-/var/lib/factline/commcare}"
OPTIONS = "$COMMCARE_LOAD_OPTIONS"

with workflow("commcare_dims", "5 * * * *", "Users, groups, projects, applications and places."):
    for feed in ("user", "group", "domain", "application"):
        transform_dim(feed, load(feed, documents(f"{FOLDER}/{feed}s.ndjson")))
    transform_dim("location", load("location", servers(*LOCATION_SERVERS), OPTIONS))

with workflow("commcare_form", "*/15 * * * *", "Forms, from HQ's form databases to form_fact."):
    loaded = load("form", servers(*FORM_SERVERS), OPTIONS)
    transform_fact("form", loaded, outlets=[FORM_FACT])

with workflow("commcare_synclog", "*/15 * * * *", "Sync logs, from HQ to synclog_fact."):
    loaded = load("synclog", servers(*SYNCLOG_SERVERS), OPTIONS)
    transform_fact("synclog", loaded, outlets=[SYNCLOG_FACT])

with workflow("commcare_app_status_form", on_event_or_daily([FORM_FACT], "17 3 * * *"),
              "Forms that changed, into app_status_fact."):
    derive("app_status_form", "app-status-from-fact form")

with workflow("commcare_app_status_synclog", on_event_or_daily([SYNCLOG_FACT], "27 3 * * *"),
              "Sync logs that changed, into app_status_fact."):
    derive("app_status_synclog", "app-status-from-fact synclog")

with workflow("commcare_freshness", "40 * * * *", "Fails where the data is too old."):
    for name in ("form", "synclog", "app_status_form", "app_status_synclog"):
        fresh(name, "26h")

with workflow("commcare_upkeep", "47 4 * * *",
              "Compares the table with a full recompute; removes staging that nobody needs."):
    # Neither waits for the other: a drift that somebody has to look into must not fill the disk.
    step("verify_app_status", "verify-app-status")
    step("clear_staging", "clear-staging")
