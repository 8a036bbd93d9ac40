# SPDX-License-Identifier: MIT
"""What the DAGs of factline share: how a step runs, which failures are worth a retry.

A DAG file is written in these words and says when the steps run and in which order:

    with workflow("commcare_form", "*/15 * * * *"):
        loaded = load("form", servers("commcare_form"))
        transform_fact("form", loaded, outlets=[FORM_FACT])

Runs on Airflow 2.11 and 3.x. Nothing is read and nobody is asked when a DAG file is parsed: the
connections are templates that are filled in when a step runs.
"""
import json
import os
from datetime import datetime, timedelta, timezone
from functools import cached_property

import jinja2

try:
    from airflow.sdk import DAG, Asset
except ImportError:  # 2.x
    from airflow import DAG
    from airflow.datasets import Dataset as Asset
try:
    from airflow.providers.standard.hooks.subprocess import SubprocessHook
    from airflow.providers.standard.operators.bash import BashOperator
except ImportError:  # 2.x without the provider
    from airflow.hooks.subprocess import SubprocessHook
    from airflow.operators.bash import BashOperator
try:
    from airflow.sdk.exceptions import AirflowFailException
except ImportError:  # before 3.2
    from airflow.exceptions import AirflowFailException

__all__ = ["Asset", "STATUS", "PERMANENT", "documents", "servers", "workflow", "on_event_or_daily",
           "step", "load", "transform_dim", "transform_fact", "derive", "fresh"]

# The exit statuses of the executables, as enum status in common/base/error.h has them.
STATUS = {
    "OK": 0, "USAGE": 64, "DATA": 65, "UNAVAILABLE": 69, "BUG": 70, "IO": 74, "TEMPORARY": 75,
    "PERMISSION": 77, "CONFIG": 78, "STALE": 79, "SKIP": 99,
}
# A retry cannot mend these; a person can. All else is tried again.
PERMANENT = frozenset(STATUS[name] for name in ("USAGE", "DATA", "PERMISSION", "CONFIG"))

# The folder of the executables is the worker's to say, when the step runs.
PROGRAM = '"${FACTLINE_BIN:-/usr/local/bin}"/'
WAREHOUSE = os.environ.get("FACTLINE_WAREHOUSE_CONNECTION", "warehouse")
RETRY_DELAY = float(os.environ.get("FACTLINE_RETRY_SECONDS", "60"))

FIELDS = {
    "PGHOST": "host or ''",
    "PGPORT": "port or ''",
    "PGUSER": "login or ''",
    "PGPASSWORD": "password or ''",
    "PGDATABASE": "schema or ''",
    "PGSSLMODE": "extra_dejson.get('sslmode', 'prefer')",
}


# Within the quotes of a connection string.
QUOTED = r"| replace('\\', '\\\\') | replace('\'', '\\\'')"


# ---- how a step runs ----

class FailFastHook(SubprocessHook):
    """Fails a task for good where its exit status says that a retry is no use."""

    def run_command(self, *args, **kwargs):
        result = super().run_command(*args, **kwargs)
        if result.exit_code in PERMANENT:
            raise AirflowFailException(f"exit status {result.exit_code}: {result.output}")
        return result


class FactlineOperator(BashOperator):
    """One executable; its result line becomes the XCom, as a dict."""

    ui_color = "#e3ecd9"

    # The hook is replaced rather than execute(), which 2.x does not like to be called from another.
    @cached_property
    def subprocess_hook(self):
        return FailFastHook()


def pg_environment(connection, prefix=""):
    """Templates of the variables by which libpq, or with SOURCE_ load-staging, finds a server.

    Fields and not a URI: libpq refuses or misreads what get_uri() makes of the extra.
    """
    return {prefix + name: "{{ conn.%s.%s }}" % (connection, field)
            for name, field in FIELDS.items()}


def step(task_id, command, env=None, **more):
    """A task that runs one executable: COMMAND is its name and arguments, for bash.

    Values come by env and are used as "$NAME", since bash would read what a template inserts.
    exec makes the executable the process that Airflow signals; its standard input would be
    Airflow's own.
    """
    settings = {
        "retries": 5,
        "retry_delay": timedelta(seconds=RETRY_DELAY),
        "retry_exponential_backoff": True,
        "max_retry_delay": timedelta(minutes=30),
        # The server gives up before (--lock-timeout, statement_timeout), and says why.
        "execution_timeout": timedelta(hours=7),
        "output_processor": json.loads,
    }
    settings.update(more)
    return FactlineOperator(
        task_id=task_id, bash_command=f"exec {PROGRAM}{command} </dev/null", append_env=True,
        env={**pg_environment(WAREHOUSE), **(env or {})}, **settings)


# ---- where records come from: (arguments, environment) of load-staging ----

def servers(*connections):
    """Databases by their Airflow connections; several are shards, which share a password."""
    if len(connections) == 1:
        return "", pg_environment(connections[0], "SOURCE_")
    arguments, env = "", {}
    for number, connection in enumerate(connections, 1):
        arguments += f' --source "$SOURCE_{number}"'
        env[f"SOURCE_{number}"] = " ".join(
            "%s='{{ (conn.%s.%s or '') | string %s }}'" % (keyword, connection, field, QUOTED)
            for keyword, field in (("host", "host"), ("port", "port"), ("dbname", "schema"),
                                   ("user", "login")))
    shared = pg_environment(connections[0], "SOURCE_")
    env.update({name: shared[name] for name in ("SOURCE_PGPASSWORD", "SOURCE_PGSSLMODE")})
    return arguments, env


def documents(path):
    """A file; PATH is for bash and may name variables of the worker."""
    return f' --source "{path}"', {}


# ---- the steps ----

def batch_of(task):
    """The batch id of a task's result. Where there is none, rendering fails and nothing runs."""
    return "{{ ti.xcom_pull(task_ids='%s')['batch_id'] }}" % task.task_id


def load(feed, source, options="", **more):
    """Opens a batch and fills staging.FEED. Without news it is skipped, and so is what follows."""
    arguments, env = source
    command = f"load-staging {feed}{arguments} --skip-if-empty {options}".rstrip()
    return step(f"load_{feed}", command, env=env, **more)


def transform(program, feed, loaded, **more):
    task = step(f"transform_{feed}", f'{program} {feed} --batch-id "$BATCH"',
                env={"BATCH": batch_of(loaded)}, **more)
    loaded.set_downstream(task)
    return task


def transform_dim(feed, loaded, **more):
    return transform("transform-dim", feed, loaded, **more)


def transform_fact(feed, loaded, **more):
    return transform("transform-fact", feed, loaded, **more)


def derive(task_id, command, **more):
    """A step that asks the warehouse itself which batches it has not consumed."""
    return step(task_id, command, **more)


def fresh(name, max_lag):
    """Fails when the workflow's data is older than that."""
    return step(f"fresh_{name}", f"batch-status {name} --json --max-lag {max_lag}", retries=1)


# ---- DAGs ----

def workflow(dag_id, schedule, text="", **more):
    return DAG(
        dag_id=dag_id, schedule=schedule, start_date=datetime(2024, 1, 1, tzinfo=timezone.utc),
        catchup=False, max_active_runs=1, template_undefined=jinja2.StrictUndefined,
        doc_md=text, tags=["factline"], **more)


def on_event_or_daily(assets, cron):
    """Wakes at each update of the assets, and by cron, so that a lost event costs a day."""
    try:
        from airflow.sdk import AssetOrTimeSchedule, CronTriggerTimetable  # 3.2 and later
    except ImportError:
        from airflow.timetables.trigger import CronTriggerTimetable
        try:
            from airflow.timetables.assets import AssetOrTimeSchedule  # 3.0, 3.1
        except ImportError:
            from airflow.timetables.datasets import DatasetOrTimeSchedule
            return DatasetOrTimeSchedule(timetable=CronTriggerTimetable(cron, timezone="UTC"),
                                         datasets=assets)
    return AssetOrTimeSchedule(timetable=CronTriggerTimetable(cron, timezone="UTC"), assets=assets)
