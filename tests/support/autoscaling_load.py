"""Load that comes and goes, as an autoscaler sees it: pods of a target, and what their node says that they use."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any
from unittest.mock import patch

from apiserver.node_usages import NodeUsages
from controllers.core.workloads import DEPLOYMENTS
from controllers.horizontal_pod_autoscaler.target import AUTOSCALERS
from machinery.model.resources import PODS
from machinery.wire.node import messages as pb
from tests.support import builders
from tests.support.autoscaling import autoscaler
from tests.support.controller_crashes import CrashWorld
from tests.support.controllers import deployment

MINUTES_S = 100.0
LONG_AGO = "2025-01-01T00:00:00Z"


class Load:
    """What the pods use together, as their node says it."""

    def __init__(self) -> None:
        self.millicores = 0
        self.pods: list[Any] = []

    async def of(self, nodes: Collection[str]) -> Mapping[str, Any]:
        """Answer for a kubelet."""
        assert set(nodes) <= {"node-1"}
        each = self.millicores * 1_000_000 // max(1, len(self.pods))
        window = pb.UsageWindow(
            end_ns=4_000_000_000 * 10**9, length_ns=10**9, cpu_nano_cores=each, memory_bytes=2**20
        )
        usage = [pb.ContainerUsage(container="main", usage=window)]
        reply = pb.UsageReply(node=window)
        for pod in self.pods:
            reply.pods.append(pb.PodUsage(pod_uid=pod.metadata.uid, containers=usage))
        return {"node-1": reply}


async def run_pods(world: CrashWorld, load: Load, millicores: int) -> None:
    """Be the Deployment's controller and the kubelets: as many pods as are wanted, which have been there for long."""
    load.millicores = millicores
    for _ in range(2):
        wanted = (await world.user.get(DEPLOYMENTS, "web", namespace="default")).spec.replicas
        labels, requests = {"app": "web"}, {"cpu": "100m"}
        for number in range(len(load.pods), wanted):
            pod = builders.pod(
                f"web-{number}", node="node-1", phase="Running", ready=True, labels=labels, requests=requests
            )
            started = builders.changed(pod, status__startTime=LONG_AGO)
            load.pods.append(await world.server.given(PODS, started))
        await world.live(MINUTES_S)


async def load_comes_and_goes(world: CrashWorld) -> None:
    """It scales up, and down again."""
    load = Load()
    with patch.object(NodeUsages, "of", load.of):
        await _come_and_go(load, world)


async def _come_and_go(load: Load, world: CrashWorld) -> None:
    await world.server.given(DEPLOYMENTS, deployment(2))
    behavior = {"scaleDown": {"stabilizationWindowSeconds": 60}}
    await world.server.given(AUTOSCALERS, autoscaler(behavior=behavior))
    await run_pods(world, load, 400)
    assert (await world.user.get(DEPLOYMENTS, "web", namespace="default")).spec.replicas == 8
    await run_pods(world, load, 10)
    found = await world.user.get(DEPLOYMENTS, "web", namespace="default")
    assert found.spec.replicas == 1
    told = await world.user.get(AUTOSCALERS, "web", namespace="default")
    assert (told.status.currentReplicas, told.status.desiredReplicas) == (1, 1)
