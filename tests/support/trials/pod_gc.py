"""Pods that nobody ends."""

from __future__ import annotations

from controllers import (
    pod_gc,
)
from machinery.model.resources import (
    NODES,
    PODS,
)
from tests.support import builders
from tests.support.controller_crashes import CrashWorld
from tests.support.trials.trial import SILENT_S, Trial


async def pods_are_left_behind(world: CrashWorld) -> None:
    """On a node that is deleted, on none, and on one that is out of service."""
    out = builders.taint("node.kubernetes.io/out-of-service")
    await world.server.given(NODES, builders.node("gone"))
    await world.server.given(NODES, builders.node("out", ready=None, taints=[out]))
    for name, node in (("lost-1", "gone"), ("lost-2", "gone"), ("nowhere", ""), ("stranded", "out")):
        held = {"finalizers": ["test/hold"]} if name == "nowhere" else {}
        await world.server.given(PODS, builders.pod(name, node=node, phase="Running", meta_fields=held))
    for name in ("nowhere", "stranded"):
        await world.user.delete(PODS, name, namespace="default")
    await world.user.delete(NODES, "gone")
    await world.live(SILENT_S)
    free = {"metadata": {"finalizers": None}}
    await world.user.patch(PODS, "nowhere", free, namespace="default")
    await world.settle()
    assert await world.cluster.pods() == []


TRIALS = (Trial(pods_are_left_behind, (pod_gc.build,), writes=5),)
