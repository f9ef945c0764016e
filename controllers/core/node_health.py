"""Which nodes live: heartbeats by our own clock, and how much of a zone is down.

https://kubernetes.io/docs/concepts/architecture/nodes/#node-controller
A heartbeat is a *change* of the node's Lease or of its Ready condition's heartbeat time. When it was seen is what
counts, never what it says: the node's clock may be anywhere.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from machinery.model.conditions import find, is_true
from machinery.model.k8s.coordination_v1 import Lease
from machinery.model.k8s.core_v1 import Node

LEASE_NAMESPACE: Final = "kube-node-lease"
EVICTIONS_PER_S: Final = 0.1  # nodes of a zone that get the NoExecute taint; the first one at once
SECONDARY_EVICTIONS_PER_S: Final = 0.01  # in a zone that is largely down
LARGE_ZONE: Final = 50  # nodes; a smaller zone that is largely down has no evictions at all
UNHEALTHY_SHARE: Final = 0.55
_REGION: Final = "topology.kubernetes.io/region"
_ZONE: Final = "topology.kubernetes.io/zone"


def zone_of(node: Node) -> str:
    """Name the failure domain of a node: region and zone; all that have neither share one."""
    labels = node.metadata.labels
    return f"{labels.get(_REGION, '')}:{labels.get(_ZONE, '')}"


def is_node_ready(node: Node) -> bool:
    """Tell whether the Ready condition is True."""
    return is_true(node.status.conditions, "Ready")


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
        """Take a node as it was listed or watched."""
        name, ready = node.metadata.name, find(node.status.conditions, "Ready")
        mark = (node.metadata.uid, (ready.lastHeartbeatTime or "") if ready else "")
        _note(self._node_beats, name, mark, now_s)
        if is_node_ready(node):
            self._unready_since.pop(name, None)
        else:
            self._unready_since.setdefault(name, now_s)

    def saw_lease(self, lease: Lease, now_s: float) -> None:
        """Take a node's lease as it was listed or watched."""
        mark = (lease.metadata.uid, lease.spec.renewTime or "", lease.spec.holderIdentity)
        _note(self._lease_beats, lease.metadata.name, mark, now_s)

    def forget(self, name: str) -> None:
        """Drop a node that is gone."""
        for known in (self._node_beats, self._lease_beats):
            known.pop(name, None)
        self._unready_since.pop(name, None)

    def lose_sight(self) -> None:
        """Note that the apiserver does not answer: a node may beat, and nobody can see it."""
        self._blind = True

    def regain_sight(self, now_s: float) -> None:
        """Note that it answers; after a loss of sight every node's silence is counted from now on."""
        if self._blind:
            self._earliest_s = now_s
        self._blind = False

    def age_s(self, name: str, now_s: float) -> float:
        """Give the seconds since a node's last sign of life."""
        beats = [beats[name].at_s for beats in (self._node_beats, self._lease_beats) if name in beats]
        return now_s - max([*beats, self._earliest_s]) if beats else 0.0

    def unready_s(self, name: str, now_s: float) -> float:
        """Give for how many seconds a node has not been Ready, 0 where it is."""
        return now_s - self._unready_since.get(name, now_s)


def _note(beats: dict[str, _Beat], name: str, mark: tuple[str, ...], now_s: float) -> None:
    known = beats.get(name)
    if known is None or known.mark != mark:
        beats[name] = _Beat(mark, now_s)


@dataclass(frozen=True, slots=True)
class Disruption:
    """How far the cluster is down, for one zone."""

    everything: bool = False  # no node of any zone is Ready: then nobody is evicted, it may be our own view
    evictions_per_s: float = EVICTIONS_PER_S


class Zones:
    """Counts of nodes by zone and readiness."""

    def __init__(self) -> None:
        self._nodes: dict[str, tuple[str, bool]] = {}
        self._ready: Counter[str] = Counter()
        self._total: Counter[str] = Counter()

    def put(self, node: Node) -> bool:
        """Take a node as it is now; tells whether that changes the disruption of any zone."""
        return self._change(node.metadata.name, (zone_of(node), is_node_ready(node)))

    def drop(self, name: str) -> bool:
        """Take a node out; tells whether that changes the disruption of any zone."""
        return self._change(name, None)

    def disruption(self, zone: str) -> Disruption:
        """Judge a zone. A zone that is wholly down beside others keeps the normal rate."""
        if self._total and not any(self._ready.values()):
            return Disruption(everything=True, evictions_per_s=0.0)
        total, ready = self._total[zone], self._ready[zone]
        down = total - ready
        if ready and down > 2 and down / total >= UNHEALTHY_SHARE:
            return Disruption(evictions_per_s=SECONDARY_EVICTIONS_PER_S if total > LARGE_ZONE else 0.0)
        return Disruption()

    def _change(self, name: str, state: tuple[str, bool] | None) -> bool:
        old = self._nodes.get(name)
        if old == state:
            return False
        before = self._judgements()
        if old is not None:
            self._count(*old, by=-1)
            del self._nodes[name]
        if state is not None:
            self._count(*state, by=1)
            self._nodes[name] = state
        return self._judgements() != before

    def _count(self, zone: str, ready: bool, *, by: int) -> None:  # noqa: FBT001 - half of a pair
        for counts, amount in ((self._total, by), (self._ready, by if ready else 0)):
            counts[zone] += amount
            if not counts[zone]:
                del counts[zone]

    def _judgements(self) -> dict[str, Disruption]:
        return {zone: self.disruption(zone) for zone in self._total}


class Throttle:
    """Lets so many nodes a second pass, for each zone; a node that has passed passes again without a new turn."""

    def __init__(self) -> None:
        self._last: dict[str, tuple[str, float]] = {}  # by zone: who passed, and when

    def take(self, zone: str, node: str, rate_per_s: float, now_s: float) -> float | None:
        """Pass (0), or give the seconds until the next turn; None where there is none at this rate."""
        last = self._last.get(zone)
        if last is not None and last[0] == node:
            return 0.0
        if rate_per_s <= 0:
            return None
        wait_s = 0.0 if last is None else last[1] + 1 / rate_per_s - now_s
        if wait_s > 0:
            return wait_s
        self._last[zone] = (node, now_s)
        return 0.0


def zones_by_node(nodes: Iterable[Node]) -> dict[str, str]:
    """Give every node's topology zone, "" for none."""
    return {node.metadata.name: node.metadata.labels.get(_ZONE, "") for node in nodes}
