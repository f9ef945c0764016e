"""The controllers are killed at random while a batch runs: each index is done once, and counted once."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from typing import Any

import pytest

from kubarium import Cluster
from tests.support.clusters import clusters
from tests.support.kubectl import Kubectl, eventually
from tests.support.requirements import need
from tests.support.waiting import rest

pytestmark = [pytest.mark.cluster, pytest.mark.etcd, pytest.mark.timeout(600)]

SEED = int(os.environ.get("KUBARIUM_SEED") or random.randrange(2**32))
COMPLETIONS = int(os.environ.get("KUBARIUM_COMPLETIONS") or 60)
PARALLELISM = min(COMPLETIONS // 2, 250)
KILLS = int(os.environ.get("KUBARIUM_KILLS") or 6)
PATIENCE_S = 200 + COMPLETIONS / 4


@pytest.fixture
def hollow() -> Iterator[Cluster]:
    """Three nodes of simulated containers, with Kubernetes' own intervals four times as fast."""
    need("etcd", "kubectl")
    with clusters() as start:
        yield start("batch", nodes=3, runtime="hollow", time_scale=4)


def batch() -> dict[str, Any]:
    """A Job whose pods end by themselves."""
    ends = {"hollow.kubarium.dev/main.exit-after": "2s"}
    containers = [{"name": "main", "image": "busybox:1.36", "resources": {"requests": {"cpu": "1m"}}}]
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "batch"},
        "spec": {
            "completions": COMPLETIONS,
            "parallelism": PARALLELISM,
            "completionMode": "Indexed",
            "template": {
                "metadata": {"annotations": ends},
                "spec": {"restartPolicy": "Never", "containers": containers},
            },
        },
    }


def test_a_batch_is_counted_once_whoever_is_killed(hollow: Cluster):
    """As many pods as indexes, no more; KUBARIUM_COMPLETIONS makes it larger, KUBARIUM_SEED repeats a run."""
    print(f"KUBARIUM_SEED={SEED}")
    rng = random.Random(SEED)
    kubectl = Kubectl(hollow.kubeconfig)
    eventually(lambda: kubectl.run("get", "serviceaccount", "default").code == 0)
    kubectl.apply(batch())
    counts, kills = [0], iter(range(KILLS))

    def status() -> dict[str, Any]:
        found: dict[str, Any] = kubectl.get("job", "batch").get("status", {})
        counts.append(found.get("succeeded", 0))
        return found

    def is_done_after_a_kill() -> bool:
        if any(each["type"] == "Complete" for each in status().get("conditions", [])):
            return True
        if next(kills, None) is not None:
            hollow.kill("controllers", restart=True)
        rest(rng.uniform(0.5, 2.5), "the next kill comes at any moment")
        return False

    eventually(is_done_after_a_kill, timeout_s=PATIENCE_S, what=f"the end of the batch (seed {SEED})")
    found = status()
    assert counts == sorted(counts)
    assert (found["succeeded"], found.get("failed", 0)) == (COMPLETIONS, 0)
    assert found["completedIndexes"] == f"0-{COMPLETIONS - 1}"
    pods = kubectl.pods()
    assert sorted(map(index_of, pods)) == list(range(COMPLETIONS))
    assert {pod["status"]["phase"] for pod in pods} == {"Succeeded"}
    eventually(
        lambda: not any(pod["metadata"].get("finalizers") for pod in kubectl.pods()), what="no finalizer left"
    )


def index_of(pod: dict[str, Any]) -> int:
    """Return a pod's index."""
    return int(pod["metadata"]["annotations"]["batch.kubernetes.io/job-completion-index"])
