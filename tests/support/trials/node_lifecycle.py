"""A node that its kubelet does not report of."""

from __future__ import annotations

import asyncio

import msgspec

from controllers import (
    node_lifecycle,
)
from machinery.model.k8s.core_v1 import NodeCondition
from machinery.model.pods import is_ready
from machinery.model.resources import (
    NODES,
    PODS,
)
from tests.support import builders
from tests.support.controller_crashes import CrashWorld
from tests.support.trials.trial import SILENT_S, Trial


async def a_node_falls_silent(world: CrashWorld) -> None:
    """One of two, with a pod; then it is back."""
    for name in ("node-1", "node-2"):
        await world.server.given(NODES, builders.node(name))
    await world.server.given(PODS, builders.pod("lost", node="node-1", phase="Running", ready=True))
    beating = asyncio.ensure_future(_beat(world, "node-2"))
    await world.settle(SILENT_S)
    node = await world.user.get(NODES, "node-1")
    assert {taint.effect for taint in node.spec.taints} == {"NoSchedule", "NoExecute"}
    assert not is_ready(await world.user.get(PODS, "lost", namespace="default"))
    back = asyncio.ensure_future(_beat(world, "node-1"))
    await world.settle()
    beating.cancel()
    back.cancel()
    assert (await world.user.get(NODES, "node-1")).spec.taints == []


async def _beat(world: CrashWorld, name: str) -> None:
    """Be a kubelet that says every few seconds that its node is Ready."""
    beats = 0
    while True:
        beats += 1
        at = world.clock.timescale.format(world.clock.now())
        ready = NodeCondition(type="Ready", status="True", lastHeartbeatTime=at)
        status = {"conditions": msgspec.to_builtins([ready])}
        await world.user.patch(NODES, name, {"status": status}, subresource="status")
        await world.clock.sleep(10)


TRIALS = (Trial(a_node_falls_silent, (node_lifecycle.build,), writes=4),)
