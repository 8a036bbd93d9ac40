# SPDX-License-Identifier: MIT
"""Run by Airflow's own Python: the example for Kubernetes as the provider makes pods of it, and
what it makes of the exit statuses of pods. No cluster is asked. Prints one line of JSON.

    pods.py DAG_FILE STATUS...
"""

import json
import runpy
import sys
from unittest import mock

from kubernetes.client import models


class Results:
    """In place of the task instance, which templates ask for the result of the step before."""

    @staticmethod
    def xcom_pull(task_ids):
        return {"batch_id": f"batch-of-{task_ids}"}


def spec_of(task):
    task.render_template_fields({"dag": task.dag, "run_id": "manual__1", "ti": Results})
    return task.build_pod_request_obj().to_dict()["spec"]


def ended_pod(status):
    terminated = models.V1ContainerStateTerminated(exit_code=status, message="why")
    container = models.V1ContainerStatus(
        name="base",
        image="i",
        image_id="i",
        ready=False,
        restart_count=0,
        state=models.V1ContainerState(terminated=terminated),
    )
    return models.V1Pod(
        metadata=models.V1ObjectMeta(name="pod"),
        spec=models.V1PodSpec(containers=[]),
        status=models.V1PodStatus(
            phase="Failed" if status else "Succeeded", container_statuses=[container]
        ),
    )


def outcome_of(task, status):
    pod = ended_pod(status)
    kind = type(task)
    with (
        mock.patch.object(kind, "pod_manager"),
        mock.patch.object(kind, "hook"),
        mock.patch.object(kind, "process_pod_deletion"),
    ):
        try:
            task.cleanup(pod=pod, remote_pod=pod)
        except Exception as problem:
            return type(problem).__name__
    return "success"


def main():
    dag = runpy.run_path(sys.argv[1])["loaded"].dag
    outcomes = {status: outcome_of(dag.tasks[0], int(status)) for status in sys.argv[2:]}
    specs = {task.task_id: spec_of(task) for task in dag.tasks}
    print(json.dumps({"specs": specs, "outcomes": outcomes}))


main()
