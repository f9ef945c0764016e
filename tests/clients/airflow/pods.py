"""A DAG of pods, as users write it, run to its end in this process.

One pod has its logs read and its result handed on, the next one is given that, one fails; all of them are deleted at
their ends. The assertions look at what Airflow says of its tasks, and at what is left in the namespace.
"""

from __future__ import annotations

import os

from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator
from airflow.sdk import DAG
from airflow.utils.db import initdb
from kubernetes import client, config

NAMESPACE = os.environ["NAMESPACE"]
COMMON = {
    "namespace": NAMESPACE,
    "image": "busybox:1.36",
    "in_cluster": False,
    "config_file": os.environ["KUBECONFIG"],
    "startup_check_interval_seconds": 1,
    "termination_grace_period": 1,
}

with DAG("pods", schedule=None) as dag:
    speak = KubernetesPodOperator(
        task_id="speak",
        cmds=["sh", "-c"],
        arguments=["echo hello from a pod; sleep 1; echo '{\"answer\": 42}' > /airflow/xcom/return.json"],
        do_xcom_push=True,
        labels={"course": "physics"},
        **COMMON,
    )
    answer = KubernetesPodOperator(
        task_id="answer",
        cmds=["sh", "-c", "echo the answer is $ANSWER; test $ANSWER = 42"],
        env_vars={"ANSWER": "{{ ti.xcom_pull('speak')['answer'] }}"},
        **COMMON,
    )
    fail = KubernetesPodOperator(
        task_id="fail",
        cmds=["sh", "-c", "echo no good; exit 3"],
        on_finish_action="keep_pod",
        **COMMON,
    )
    speak >> answer


def main() -> None:
    initdb()
    run = dag.test()
    states = {each.task_id: str(each.state) for each in run.get_task_instances()}
    assert states == {"speak": "success", "answer": "success", "fail": "failed"}, states
    config.load_kube_config()
    (kept,) = client.CoreV1Api().list_namespaced_pod(NAMESPACE).items
    assert kept.metadata.labels["task_id"] == "fail"
    assert kept.status.container_statuses[0].state.terminated.exit_code == 3


if __name__ == "__main__":
    main()
