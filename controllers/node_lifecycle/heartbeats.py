"""When each node last gave a sign of life.

A heartbeat is a *change* of the node's Lease or of its Ready condition's heartbeat time. When it was seen is what
counts, never what it says: the node's clock may be anywhere.
"""

from __future__ import annotations

from dataclasses import dataclass

from controllers.core.nodes import is_node_ready
from machinery.model.conditions import find
from machinery.model.k8s.coordination_v1 import Lease
from machinery.model.k8s.core_v1 import Node


@dataclass(slots=True)
class _Beat:
    mark: tuple[str, ...]
    at_s: float


class Heartbeats:
    """When each node last gave a sign of life. Times are monotonic cluster seconds."""

    def __init__(self) -> None:
        self._node_beats: dict[str, _Beat] = {}
        self._lease_beats: dict[str, _Beat] = {}
        self._unready_since: dict[str, float] = {}
        self._earliest_s = float("-inf")
        self._blind = False

    def saw_node(self, node: Node, now_s: float) -> None:
        """Note a node as it was listed or watched."""
        name, ready = node.metadata.name, find(node.status.conditions, "Ready")
        mark = (node.metadata.uid, (ready.lastHeartbeatTime or "") if ready else "")
        _note(self._node_beats, name, mark, now_s)
        if is_node_ready(node):
            self._unready_since.pop(name, None)
        else:
            self._unready_since.setdefault(name, now_s)

    def saw_lease(self, lease: Lease, now_s: float) -> None:
        """Note a node's lease as it was listed or watched."""
        mark = (lease.metadata.uid, lease.spec.renewTime or "", lease.spec.holderIdentity)
        _note(self._lease_beats, lease.metadata.name, mark, now_s)

    def forget(self, name: str) -> None:
        """Drop a node that is gone."""
        for known in (self._node_beats, self._lease_beats):
            known.pop(name, None)
        self._unready_since.pop(name, None)

    @property
    def is_blind(self) -> bool:
        """Whether the apiserver did not answer when it was last asked."""
        return self._blind

    def lose_sight(self) -> None:
        """Note that the apiserver does not answer: a node may beat, and nobody can see it."""
        self._blind = True

    def regain_sight(self, now_s: float) -> None:
        """Note that it answers; after a loss of sight every node's silence is counted from now on."""
        if self._blind:
            self._earliest_s = now_s
        self._blind = False

    def age_s(self, name: str, now_s: float) -> float:
        """Return the seconds since a node's last sign of life."""
        beats = [beats[name].at_s for beats in (self._node_beats, self._lease_beats) if name in beats]
        return now_s - max([*beats, self._earliest_s]) if beats else 0.0

    def unready_s(self, name: str, now_s: float) -> float:
        """Return for how many seconds a node has not been Ready, 0 where it is."""
        return now_s - self._unready_since.get(name, now_s)


def _note(beats: dict[str, _Beat], name: str, mark: tuple[str, ...], now_s: float) -> None:
    known = beats.get(name)
    if known is None or known.mark != mark:
        beats[name] = _Beat(mark, now_s)
