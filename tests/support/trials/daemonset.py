"""A DaemonSet, its revisions and its nodes."""

from __future__ import annotations

import msgspec

from controllers import (
    daemonset,
)
from controllers.core.revisions import CONTROLLER_REVISIONS
from controllers.core.workloads import (
    DAEMON_SETS,
)
from controllers.daemonset.placement import node_of
from machinery.model.pods import is_ready
from machinery.model.resources import (
    NODES,
    PODS,
)
from tests.support import builders
from tests.support.controller_crashes import CrashWorld
from tests.support.controllers import (
    daemon_set,
    template,
)
from tests.support.trials.trial import Trial


async def daemons_follow_their_nodes(world: CrashWorld) -> None:
    """Two nodes; a pod is found, the template changes and is undone, one node comes, and one takes no daemons any more."""
    for name in ("node-1", "node-2"):
        await world.server.given(NODES, builders.node(name))
    found = builders.pod("found", node="node-1", labels={"app": "web"})
    await world.server.given(PODS, found)
    await world.server.given(DAEMON_SETS, daemon_set())
    await run_daemons(world)
    for image in ("app:2", "app:1"):
        patch = {"spec": {"template": template(image)}}
        await world.user.patch(DAEMON_SETS, "web", patch, namespace="default")
        await run_daemons(world)
    await world.server.given(NODES, builders.node("node-3"))
    taints = {"spec": {"taints": msgspec.to_builtins([builders.taint("wet", "NoExecute")])}}
    await world.user.patch(NODES, "node-1", taints)
    await run_daemons(world)
    pods = (await world.user.list(PODS)).items
    assert sorted((pod.spec.nodeName, pod.spec.containers[0].image) for pod in pods) == [
        ("node-2", "app:1"),
        ("node-3", "app:1"),
    ]
    revisions = (await world.user.list(CONTROLLER_REVISIONS)).items
    assert sorted(each.revision for each in revisions) == [2, 3]


async def run_daemons(world: CrashWorld) -> None:
    """Be the scheduler and the kubelets, until every pod is Ready or gone."""
    while True:
        await world.settle()
        for pod in (await world.user.list(PODS)).items:
            if not pod.spec.nodeName:
                await world.server.bind(pod.metadata.name, node_of(pod))
        pods = (await world.user.list(PODS)).items
        if all(map(is_ready, pods)) and not await world.cluster.end_pods():
            return
        await world.cluster.kubelet()


TRIALS = (Trial(daemons_follow_their_nodes, (daemonset.build,), writes=25),)
