"""The cluster as the scheduler believes it to be: nodes, the pods on them, and the pods that it has just decided on.

Fed by the watch (`set_node`, `set_pod`, …) and by the loop (`assume`, `forget`). A decision counts at once as if the
pod were on its node; the watch confirms it, a failed binding forgets it, and one that nothing confirms for too long
is reported by `unconfirmed`, for somebody to ask. Whoever derives something from nodes reads `changes_since`: which
nodes are not what they were.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from machinery.model.k8s.core_v1 import Node
from machinery.model.k8s.policy_v1 import PodDisruptionBudget
from scheduler.core.affinity import Namespaces, Terms
from scheduler.core.budgets import Budget, Budgets
from scheduler.core.devices.inventory import Devices
from scheduler.core.node import NodeInfo, count
from scheduler.core.nominations import Nominations
from scheduler.core.owners import Owners
from scheduler.core.pod import ClaimKey, PodInfo
from scheduler.core.storage import Storage

_LOG_LIMIT: Final = 20_000  # changes that are remembered; who is further behind looks at every node


@dataclass(slots=True)
class _Assumed:
    pod: PodInfo
    bound_s: float | None = None  # monotonic; None while the binding is under way


class Snapshot:
    """Nodes by index (an index is reused once its node is gone), pods by uid."""

    def __init__(self) -> None:
        self.nodes: list[NodeInfo] = []
        self.node_count = 0  # nodes that exist
        self.image_nodes: dict[str, int] = {}  # how many nodes have an image
        self.images_version = 0
        self.storage = Storage()
        self.owners = Owners()
        self.namespaces = Namespaces()
        self.terms = Terms(self.namespaces)  # of affinity, that pods on nodes have
        self.devices = Devices(self.touch)
        self.claims: Counter[ClaimKey] = Counter()  # pods on nodes by the claims that they use
        self.nominations = Nominations()
        self.budgets = Budgets()
        self._by_name: dict[str, NodeInfo] = {}
        self._free: list[int] = []
        self._pods: dict[str, PodInfo] = {}  # on a node, assumed ones too
        self._assumed: dict[str, _Assumed] = {}
        self._leaving: set[str] = set()  # pods whose deletion, for a pod of higher priority, is under way
        self._priorities: Counter[int] = Counter()  # of the pods
        self._log: list[int] = []
        self._log_start = 0

    # -- nodes --

    def node(self, name: str) -> NodeInfo | None:
        """Return a node that exists."""
        found = self._by_name.get(name)
        return found if found is not None and found.exists else None

    def existing_nodes(self) -> Iterator[NodeInfo]:
        """Yield the nodes that exist."""
        return (node for node in self.nodes if node.exists)

    def set_node(self, node: Node) -> None:
        """Add or replace a node."""
        info = self._named(node.metadata.name)
        before, known = info.images, info.exists
        info.describe(node)
        self.node_count += not known
        self._count_images(before, info.images, nodes_changed=not known)
        self._note(info)

    def remove_node(self, name: str) -> None:
        """Remove a node; pods that are still said to be there are kept in mind."""
        info = self.node(name)
        if info is None:
            return
        before = info.images
        info.vanish()
        self.node_count -= 1
        self._count_images(before, {}, nodes_changed=True)
        self._note(info)
        self._drop_if_empty(info)

    # -- pods --

    def pod(self, uid: str) -> PodInfo | None:
        """Return a pod that is on a node, or assumed to be."""
        return self._pods.get(uid)

    def is_assumed(self, uid: str) -> bool:
        """Whether the pod was decided on and the watch has not confirmed it."""
        return uid in self._assumed

    def set_pod(self, pod: PodInfo) -> None:
        """Add or replace a pod that has a node; this confirms or corrects what was assumed of it."""
        self._assumed.pop(pod.uid, None)
        self.withdraw(pod.uid)
        self._put(pod)

    def remove_pod(self, uid: str) -> PodInfo | None:
        """Remove a pod and return it; None where it is not there."""
        self._assumed.pop(uid, None)
        self._leaving.discard(uid)
        return self._take(uid)

    def assume(self, pod: PodInfo, node: str) -> None:
        """Count a pod on the node that was chosen for it."""
        bound = pod.on(node)
        self.withdraw(pod.uid)
        self._assumed[pod.uid] = _Assumed(bound)
        self._put(bound)

    def finish_binding(self, uid: str, now_s: float) -> None:
        """Note that an assumed pod is bound: the watch should say so soon."""
        if (assumed := self._assumed.get(uid)) is not None:
            assumed.bound_s = now_s

    def forget(self, uid: str) -> PodInfo | None:
        """Undo what was assumed of a pod; one that the watch has confirmed stays."""
        if self._assumed.pop(uid, None) is None:
            return None
        self._leaving.discard(uid)
        return self._take(uid)

    def unconfirmed(self, before_s: float) -> list[PodInfo]:
        """Return the assumed pods whose binding ended before `before_s` without a word from the watch."""
        return [
            assumed.pod
            for assumed in self._assumed.values()
            if assumed.bound_s is not None and assumed.bound_s < before_s
        ]

    def has_lower(self, priority: int) -> bool:
        """Whether a pod on some node has a lower priority."""
        return min(self._priorities, default=priority) < priority

    # -- preemption --

    def nominate(self, pod: PodInfo, node: str) -> None:
        """Keep a node for a pod that waits, and no other one."""
        self.withdraw(pod.uid)
        self.nominations.put(pod, node)
        self.terms.add(pod.terms)
        self.touch(node)

    def withdraw(self, uid: str) -> str:
        """Keep no node for a pod; return the one that was kept, "" for none."""
        node = self.nominations.node_of(uid)
        if node and (pod := self.nominations.drop(uid)) is not None:
            self.terms.remove(pod.terms)
            self.touch(node)
        return node

    def note_leaving(self, uid: str) -> None:
        """Note that the deletion of a pod, for one of higher priority, is under way."""
        self._leaving.add(uid)

    def note_staying(self, uid: str) -> None:
        """Note that it has failed."""
        self._leaving.discard(uid)

    def is_leaving(self, pod: PodInfo) -> bool:
        """Whether a pod is being taken away for one of higher priority."""
        return pod.is_preempted or pod.uid in self._leaving

    def set_budget(self, budget: PodDisruptionBudget) -> None:
        """Add or replace a PodDisruptionBudget."""
        self._concern(self.budgets.set(budget))

    def remove_budget(self, budget: PodDisruptionBudget) -> None:
        """Forget a PodDisruptionBudget."""
        self._concern(self.budgets.remove(budget))

    def _concern(self, budgets: Sequence[Budget]) -> None:
        """Note that who may be taken away from the nodes of the pods that some budgets cover has changed."""
        if budgets:
            for node in self.existing_nodes():
                if any(each.covers(pod.labels) for pod in node.pods.values() for each in budgets):
                    self._note(node)

    # -- changes --

    @property
    def position(self) -> int:
        """The number of changes so far."""
        return self._log_start + len(self._log)

    def changes_since(self, position: int) -> set[int] | None:
        """Return the indexes of the nodes that have changed since; None if that is not known any more."""
        if position < self._log_start:
            return None
        return set(self._log[position - self._log_start :])

    def touch(self, name: str) -> None:
        """Note that what can be had on a node has changed."""
        if (info := self.node(name)) is not None:
            self._note(info)

    def _named(self, name: str) -> NodeInfo:
        info = self._by_name.get(name)
        if info is None:
            index = self._free.pop() if self._free else len(self.nodes)
            info = NodeInfo(name, index)
            if index == len(self.nodes):
                self.nodes.append(info)
            else:
                info.version = self.nodes[index].version + 1
                self.nodes[index] = info
            self._by_name[name] = info
        return info

    def _put(self, pod: PodInfo) -> None:
        self._take(pod.uid)
        self._pods[pod.uid] = pod
        self._count(pod, 1)
        info = self._named(pod.node)
        info.add(pod)
        self._note(info)

    def _take(self, uid: str) -> PodInfo | None:
        pod = self._pods.pop(uid, None)
        if pod is None:
            return None
        self._count(pod, -1)
        info = self._by_name[pod.node]
        info.add(pod, -1)
        self._note(info)
        self._drop_if_empty(info)
        return pod

    def _count(self, pod: PodInfo, sign: int) -> None:
        count(self._priorities, pod.priority, sign)
        if pod.needs.has_terms:
            (self.terms.add if sign > 0 else self.terms.remove)(pod.terms)
        if pod.needs.claims:
            for claim in pod.claims:
                count(self.claims, claim.key, sign)

    def _drop_if_empty(self, info: NodeInfo) -> None:
        if not info.exists and not info.pod_count and info.name in self._by_name:
            del self._by_name[info.name]
            self._free.append(info.index)

    def _count_images(self, before: dict[str, int], after: dict[str, int], *, nodes_changed: bool) -> None:
        for name in before.keys() - after.keys():
            self.image_nodes[name] -= 1
            if not self.image_nodes[name]:
                del self.image_nodes[name]
        for name in after.keys() - before.keys():
            self.image_nodes[name] = self.image_nodes.get(name, 0) + 1
        self.images_version += nodes_changed or before.keys() != after.keys()

    def _note(self, info: NodeInfo) -> None:
        if len(self._log) >= _LOG_LIMIT:
            half = _LOG_LIMIT // 2
            self._log_start += half
            del self._log[:half]
        self._log.append(info.index)
