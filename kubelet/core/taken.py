"""What the pods that a node has taken ask of it, summed up: kept as their lives go on, so that none is summed up for another."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final

from kubelet.core.life import Life, Stage
from machinery.model.k8s.core_v1 import Pod
from machinery.model.placement import host_ports, requests_by_name
from machinery.model.pods import is_terminal, requests

_OVER: Final = frozenset({Stage.TERMINATED, Stage.FINISHED})


class Taken:
    """The sums."""

    def __init__(self, pods: Iterable[Pod] = ()) -> None:
        self.amounts: dict[str, int] = {}  # requested, by the names that a node's amounts have
        self._pods: dict[str, Pod] = {}  # that count, by uid
        self._ports: dict[tuple[str, int], dict[str, int]] = {}  # users by address, by protocol and number
        for pod in pods:
            self.put(pod)

    def __len__(self) -> int:
        """Return how many pods count."""
        return len(self._pods)

    def addresses(self, protocol: str, port: int) -> Collection[str]:
        """Return the addresses on which a port of the node is used."""
        return self._ports.get((protocol, port), {})

    def note(self, life: Life) -> None:
        """Note how it is with a pod now: one that is refused, over or gone from the API holds nothing.

        The scheduler gives the place of one that is gone to others at once, while its containers are being killed.
        """
        if life.is_known and life.verdict is None and life.stage not in _OVER:
            self.put(life.pod)
        else:
            self.drop(life.uid)

    def put(self, pod: Pod) -> None:
        """Count a pod as it is now; one that has ended holds nothing."""
        uid = pod.metadata.uid
        known = self._pods.get(uid)
        if known is pod:
            return
        if is_terminal(pod):
            self.drop(uid)
            return
        if known is None or known.spec != pod.spec:
            self.drop(uid)
            self._count(pod, 1)
        self._pods[uid] = pod

    def drop(self, uid: str) -> None:
        """Count a pod no more, if it was counted."""
        known = self._pods.pop(uid, None)
        if known is not None:
            self._count(known, -1)

    def _count(self, pod: Pod, sign: int) -> None:
        for name, amount in requests_by_name(requests(pod)).items():
            self.amounts[name] = self.amounts.get(name, 0) + sign * amount
        for port in host_ports(pod.spec):
            users = self._ports.setdefault((port.protocol, port.port), {})
            users[port.ip] = users.get(port.ip, 0) + sign
            if not users[port.ip]:
                del users[port.ip]
            if not users:
                del self._ports[port.protocol, port.port]
