"""Which pods that wait have a node kept for them, until the pods that were taken away for them are gone.

https://kubernetes.io/docs/concepts/scheduling-eviction/pod-priority-preemption/#user-exposed-information

A nomination is a wish: the pod may go somewhere else, and a pod of higher priority may take the place. To pods of equal or lower
priority it counts as if the pod were on the node already.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from scheduler.core.node import count
from scheduler.core.pod import PodInfo

_NOBODY: Final[dict[str, PodInfo]] = {}


class Nominations:
    """Pods by the nodes that are kept for them, whether or not these exist."""

    def __init__(self) -> None:
        self._nodes: dict[str, str] = {}  # uid → node
        self._pods: dict[str, dict[str, PodInfo]] = {}  # node → uid → pod
        self._priorities: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._nodes)

    def node_of(self, uid: str) -> str:
        """Return the node that is kept for a pod, "" for none."""
        return self._nodes.get(uid, "")

    def on(self, node: str) -> Collection[PodInfo]:
        """Return the pods that a node is kept for."""
        return self._pods.get(node, _NOBODY).values()

    def on_from(self, node: str, floor: int, without: str = "") -> list[PodInfo]:
        """Return those of at least some priority, in an order that is theirs alone, and except for one (its uid)."""
        found = [pod for pod in self.on(node) if pod.priority >= floor and pod.uid != without]
        return sorted(found, key=lambda pod: pod.uid) if len(found) > 1 else found

    def floor(self, priority: int) -> int | None:
        """Return the lowest priority of nominated pods that is not below a pod's own; None where there is none.

        What is kept for pods of at least this priority is what a pod of the given priority has to leave alone.
        """
        if not self._priorities:
            return None
        return min((each for each in self._priorities if each >= priority), default=None)

    def put(self, pod: PodInfo, node: str) -> None:
        """Keep a node for a pod, and no other one."""
        self.drop(pod.uid)
        self._nodes[pod.uid] = node
        self._pods.setdefault(node, {})[pod.uid] = pod
        count(self._priorities, pod.priority, 1)

    def drop(self, uid: str) -> PodInfo | None:
        """Keep nothing for a pod; return the pod as it was known, None where nothing was kept for it."""
        node = self._nodes.pop(uid, None)
        if node is None:
            return None
        pod = self._pods[node].pop(uid)
        if not self._pods[node]:
            del self._pods[node]
        count(self._priorities, pod.priority, -1)
        return pod
