"""How the CPUs of the nodes are spread over the zones, kept from change to change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from controllers.core.nodes import ZONE, is_node_ready
from controllers.endpointslice.shares import Shares
from machinery.model.k8s.core_v1 import Node
from machinery.model.quantity import cpu_millicores
from machinery.model.requests import EventType
from machinery.model.store import Change

NODE_FIELDS: Final = ("metadata.labels", "status.allocatable[cpu]", "status.conditions")
_NOT_FOR_PODS: Final = ("node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master")


@dataclass(frozen=True, slots=True)
class Part:
    """What a node adds."""

    zone: str
    cpu: str


class ZoneCpus:
    """The zones, by the Ready nodes in them that run users' pods."""

    def __init__(self) -> None:
        self._parts: dict[str, Part] = {}  # by node
        self._millicores: dict[str, int] = {}  # by zone
        self._unknown = 0  # nodes whose zone or CPUs are not known
        self._shares: Shares | None = None

    @property
    def shares(self) -> Shares | None:
        """The share of each zone; None where a node does not say its own, or there are not several zones."""
        if self._shares is None and not self._unknown and len(self._millicores) > 1:
            total = sum(self._millicores.values())
            self._shares = {zone: part / total for zone, part in sorted(self._millicores.items())}
        return self._shares

    def note(self, change: Change[Node], _now_s: float) -> None:
        """Note a node."""
        name = change.object.metadata.name
        new = part_of(change.object) if change.kind is not EventType.DELETED else None
        old = self._parts.pop(name, None)
        if new is not None:
            self._parts[name] = new
        if new != old:
            self._add(old, -1)
            self._add(new, 1)
            self._shares = None

    def _add(self, part: Part | None, sign: int) -> None:
        if part is None:
            return
        millicores = cpu_millicores(part.cpu)
        if not part.zone or not millicores:
            self._unknown += sign
            return
        left = self._millicores.pop(part.zone, 0) + sign * millicores
        if left:
            self._millicores[part.zone] = left


def part_of(node: Node) -> Part | None:
    """Return what a node adds, None for nothing."""
    labels = node.metadata.labels
    if not is_node_ready(node) or any(role in labels for role in _NOT_FOR_PODS):
        return None
    return Part(labels.get(ZONE, ""), node.status.allocatable.get("cpu", "0"))
