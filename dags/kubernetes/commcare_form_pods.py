# SPDX-License-Identifier: MIT
"""An example for Airflow on Kubernetes: the DAG of the forms, each step a pod of the image.

Needs apache-airflow-providers-cncf-kubernetes and the image of ci/Containerfile. A pod's result is
the file /airflow/xcom/return.json. A pod is told neither DAG nor run, so the run key is passed.
"""
from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator
from airflow.providers.cncf.kubernetes.secret import Secret

from factline_dag import PERMANENT, AirflowFailException, Asset, batch_of, workflow

IMAGE = "registry.example.org/factline:1.0.0"
# A secret with pg_service.conf and the passwords, which come as variables: libpq takes no password
# file that others may read, as those of a volume are. The arguments name services and no password.
SECRETS = [Secret("volume", "/etc/factline", "factline-connections"),
           Secret("env", "PGPASSWORD", "factline-connections", "warehouse_password"),
           Secret("env", "SOURCE_PGPASSWORD", "factline-connections", "source_password")]
RUN_KEY = "{{ dag.dag_id }}/{{ run_id }}"


class PodStep(KubernetesPodOperator):
    """A step in a pod; the exit statuses mean what they mean elsewhere."""

    def cleanup(self, pod, remote_pod, *more, **named):
        try:
            super().cleanup(pod, remote_pod, *more, **named)
        except Exception as problem:
            if exit_status(remote_pod) in PERMANENT:
                raise AirflowFailException(str(problem)) from problem
            raise


def exit_status(pod):
    for container in (pod.status.container_statuses if pod else None) or []:
        if container.name == "base" and container.state.terminated:
            return container.state.terminated.exit_code
    return None


def pod_step(task_id, command, *arguments, **more):
    return PodStep(
        task_id=task_id, name=task_id.replace("_", "-"), image=IMAGE, cmds=[command],
        arguments=[*arguments, "--run-key", RUN_KEY, "--result-file", "/airflow/xcom/return.json"],
        do_xcom_push=True, skip_on_exit_code=99, secrets=SECRETS, retries=5,
        retry_exponential_backoff=True,
        env_vars={"PGSERVICEFILE": "/etc/factline/pg_service.conf", "PGSERVICE": "warehouse",
                  "SOURCE_PGSERVICE": "hq_form"},
        # The last line of the log is the reason, in Airflow's message, too.
        termination_message_policy="FallbackToLogsOnError",
        # Longer than a task needs to cancel its statement and roll back.
        termination_grace_period=30, on_finish_action="delete_succeeded_pod", **more)


with workflow("commcare_form_pods", "*/15 * * * *", "Forms, by pods."):
    loaded = pod_step("load_form", "load-staging", "form", "--skip-if-empty")
    loaded >> pod_step("transform_form", "transform-fact", "form", "--batch-id", batch_of(loaded),
                       outlets=[Asset(uri="x-warehouse://form_fact")])
