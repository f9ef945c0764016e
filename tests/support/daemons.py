"""A DaemonSet at work in a `SmallWorld`, with nodes that come and go: for tests of whole courses."""

from __future__ import annotations

from typing import Any

import msgspec

from controllers.core.actions import Facts, Plan
from controllers.core.revisions import CONTROLLER_REVISIONS
from controllers.core.workloads import DAEMON_SETS, DaemonSet
from controllers.daemonset.history import name_to_choose
from controllers.daemonset.placement import Verdict, judge, node_of, read_wish
from controllers.daemonset.plan import Seen, plan
from machinery.model.k8s.core_v1 import Pod
from machinery.model.pods import is_active, is_ready
from machinery.model.resources import NODES, PODS
from tests.support import builders
from tests.support.controllers import Crashed, SmallWorld, pods_of, set_ready

TAINT = builders.taint("wet", "NoExecute")


class Daemons:
    """The world of the DaemonSet default/web; its nodes are called node-0, node-1 and so on."""

    def __init__(self, world: SmallWorld, nodes: int) -> None:
        self.world = world
        for number in range(nodes):
            self.world.add(NODES, builders.node(f"node-{number}"))

    @property
    def daemon_set(self) -> DaemonSet:
        """Return the DaemonSet."""
        found: DaemonSet = self.world.list(DAEMON_SETS)[0]
        return found

    def step(self) -> bool:
        """Plan, and do it; a crash only ends it."""
        try:
            return self.world.run(self._plan)
        except Crashed:
            return True

    def bind(self) -> bool:
        """Be the scheduler: bind each pod to the node that it names, if that is there."""
        nodes = {node.metadata.name for node in self.world.list(NODES)}
        waiting = [pod for pod in pods_of(self.world) if not pod.spec.nodeName and node_of(pod) in nodes]
        for pod in waiting:
            self.world.change(PODS, pod.metadata.name, {"spec": {"nodeName": node_of(pod)}})
        return bool(waiting)

    def make_ready(self, most: int = 1_000) -> bool:
        """Be the kubelets: make so many pods Ready."""
        waiting = [pod for pod in self._bound() if not is_ready(pod) and pod.status.phase != "Failed"][:most]
        for pod in waiting:
            set_ready(self.world, pod)
        return bool(waiting)

    def fail_one(self) -> None:
        """Have a pod fail."""
        for pod in self._bound()[:1]:
            self.world.change(PODS, pod.metadata.name, {"status": {"phase": "Failed", "conditions": []}})

    def taint(self, number: int, *, tainted: bool) -> None:
        """Keep daemons off a node, or not."""
        taints = msgspec.to_builtins([TAINT]) if tainted else []
        self.world.change(NODES, f"node-{number}", {"spec": {"taints": taints}})

    def settle(self) -> None:
        """Have turns until nothing happens."""
        for _ in range(300):
            if not any([self.step(), self.bind(), self.make_ready()]):
                return
        raise AssertionError("the daemons do not come to rest")

    def by_node(self) -> dict[str, list[Pod]]:
        """Return the pods that count, by node."""
        found: dict[str, list[Pod]] = {}
        for pod in pods_of(self.world):
            if is_active(pod):
                found.setdefault(node_of(pod), []).append(pod)
        return found

    def suiting(self) -> list[str]:
        """Name the nodes that have to have a pod."""
        wish = read_wish(self.daemon_set.spec.template)
        return [node.metadata.name for node in self.world.list(NODES) if judge(wish, node) is Verdict.RUN]

    def ready_nodes(self) -> int:
        """How many nodes have a Ready pod."""
        return sum(any(map(is_ready, pods)) for pods in self.by_node().values())

    def outcome(self) -> dict[str, Any]:
        """Describe what matters at the end."""
        revisions = self.world.list(CONTROLLER_REVISIONS)
        return {
            "pods": {
                node: [pod.spec.containers[0].image for pod in pods] for node, pods in self.by_node().items()
            },
            "revisions": sorted((each.revision, each.metadata.name) for each in revisions),
            "status": msgspec.to_builtins(self.daemon_set.status),
        }

    def _bound(self) -> list[Pod]:
        return [pod for pod in pods_of(self.world) if pod.spec.nodeName and is_active(pod)]

    def _plan(self, facts: Facts) -> Plan:
        ds = self.daemon_set
        revisions = self.world.list(CONTROLLER_REVISIONS)
        chosen = name_to_choose(ds)
        named = {each.metadata.name: each for each in revisions if each.metadata.name == chosen}
        seen = Seen(ds, self.world.list(NODES), pods_of(self.world), revisions, named, {})
        return plan(seen, self.world.moment, facts)
