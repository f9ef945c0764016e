"""A ReplicaSet."""

from __future__ import annotations

from typing import Any

from controllers import (
    replicaset,
)
from controllers.core.workloads import (
    REPLICA_SETS,
)
from machinery.model.resources import (
    PODS,
    Resource,
)
from tests.support import builders
from tests.support.controller_crashes import CrashWorld
from tests.support.controllers import (
    replica_set,
    replication_controller,
)
from tests.support.trials.trial import Trial


async def a_replica_set_scales(world: CrashWorld, resource: Resource[Any] = REPLICA_SETS) -> None:
    """It adopts a pod, makes others, lets one go that is relabelled, and deletes some."""
    made = replica_set if resource is REPLICA_SETS else replication_controller
    await world.server.given(PODS, builders.pod("found", labels={"app": "web"}))
    await world.server.given(resource, made(replicas=3))
    await world.run_pods()
    other = {"metadata": {"labels": {"app": "other"}}}
    await world.user.patch(PODS, "found", other, namespace="default")
    await world.run_pods()
    await world.user.patch(resource, "web-1", {"spec": {"replicas": 1}}, namespace="default")
    await world.run_pods()
    pods = (await world.user.list(PODS)).items
    assert sorted(len(pod.metadata.ownerReferences) for pod in pods) == [0, 1]
    assert "found" in {pod.metadata.name for pod in pods}


TRIALS = (Trial(a_replica_set_scales, (replicaset.build,), writes=9, quick=True),)
