"""How much of each zone is down, and how fast its nodes may be evicted for it.

https://kubernetes.io/docs/concepts/architecture/nodes/#rate-limits-on-eviction
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Final

from controllers.core.controller import EvictionRates
from controllers.core.nodes import REGION, ZONE, is_node_ready
from machinery.model.k8s.core_v1 import Node

EXCLUDED: Final = "node.kubernetes.io/exclude-disruption"  # label of nodes that say nothing about their zone
_RATES: Final = EvictionRates()


def zone_of(node: Node) -> str:
    """Name the failure domain of a node: region and zone; all that have neither share one."""
    labels = node.metadata.labels
    return f"{labels.get(REGION, '')}:{labels.get(ZONE, '')}"


def zone_key(node: Node) -> str:
    """Return what metrics call the failure domain of a node, as kube-controller-manager has it."""
    labels = node.metadata.labels
    region, zone = labels.get(REGION, ""), labels.get(ZONE, "")
    return f"{region}:\x00:{zone}" if region or zone else ""


@dataclass(frozen=True, slots=True)
class Disruption:
    """How far the cluster is down, for one zone."""

    everything: bool = False  # no node of any zone is Ready: then nobody is evicted, it may be our own view
    evictions_per_s: float = _RATES.per_s


class Zones:
    """Counts of nodes by zone and readiness."""

    def __init__(self, rates: EvictionRates = _RATES) -> None:
        self._rates = rates
        self._calm = Disruption(evictions_per_s=rates.per_s)
        self._nodes: dict[str, tuple[str, bool]] = {}
        self._ready: Counter[str] = Counter()
        self._total: Counter[str] = Counter()

    def put(self, node: Node) -> set[str]:
        """Note a node as it is now; return the zones whose disruption that changes. One that is excluded does not count."""
        if EXCLUDED in node.metadata.labels:
            return self.drop(node.metadata.name)
        return self._change(node.metadata.name, (zone_of(node), is_node_ready(node)))

    def drop(self, name: str) -> set[str]:
        """Drop a node; return the zones whose disruption that changes."""
        return self._change(name, None)

    def disruption(self, zone: str) -> Disruption:
        """Judge a zone. A zone that is wholly down beside others keeps the normal rate."""
        if self._total and not any(self._ready.values()):
            return Disruption(everything=True, evictions_per_s=0.0)
        total, ready = self._total[zone], self._ready[zone]
        down = total - ready
        rates = self._rates
        if ready and down > 2 and down / total >= rates.unhealthy_share:
            is_large = total > rates.large_zone
            return Disruption(evictions_per_s=rates.secondary_per_s if is_large else 0.0)
        return self._calm

    def _change(self, name: str, state: tuple[str, bool] | None) -> set[str]:
        old = self._nodes.get(name)
        if old == state:
            return set()
        before = self._judgements()
        if old is not None:
            self._count(*old, by=-1)
            del self._nodes[name]
        if state is not None:
            self._count(*state, by=1)
            self._nodes[name] = state
        after = self._judgements()
        calm = self._calm
        return {zone for zone in before.keys() | after if before.get(zone, calm) != after.get(zone, calm)}

    def _count(self, zone: str, ready: bool, *, by: int) -> None:  # noqa: FBT001 - half of a pair
        for counts, amount in ((self._total, by), (self._ready, by if ready else 0)):
            counts[zone] += amount
            if not counts[zone]:
                del counts[zone]

    def _judgements(self) -> dict[str, Disruption]:
        return {zone: self.disruption(zone) for zone in self._total}


class Throttle:
    """Admits so many nodes a second, for each zone; a node that has passed passes again without a new turn."""

    def __init__(self) -> None:
        self._last: dict[str, tuple[str, float]] = {}  # by zone: who passed, and when

    def take(self, zone: str, node: str, rate_per_s: float, now_s: float) -> float | None:
        """Pass (0), or return the seconds until the next turn; None where there is none at this rate."""
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
