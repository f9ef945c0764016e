"""Pods that do not tolerate a taint."""

from __future__ import annotations

import msgspec

from controllers import (
    taint_eviction,
)
from machinery.model.resources import (
    NODES,
    PODS,
)
from tests.support import builders
from tests.support.controller_crashes import CrashWorld
from tests.support.trials.trial import SILENT_S, Trial


async def a_node_is_tainted(world: CrashWorld) -> None:
    """Two pods do not tolerate it, one does for a while, one for good."""
    await world.server.given(NODES, builders.node("node-1"))
    for name, seconds in (("a", None), ("b", None), ("while", 60), ("good", -1)):
        tolerations = []
        if seconds is not None:
            limit = {"tolerationSeconds": seconds} if seconds > 0 else {}
            tolerations = [builders.toleration("wet", "NoExecute", **limit)]
        pod = builders.pod(name, node="node-1", phase="Running", ready=True, tolerations=tolerations)
        await world.server.given(PODS, pod)
    taint = msgspec.to_builtins(builders.taint("wet", "NoExecute"))
    await world.user.patch(NODES, "node-1", {"spec": {"taints": [taint]}})
    await world.settle(SILENT_S)
    assert sorted(await world.cluster.end_pods()) == ["a", "b", "while"]
    assert await world.cluster.pods() == ["good"]


TRIALS = (Trial(a_node_is_tainted, (taint_eviction.build,), writes=6),)
