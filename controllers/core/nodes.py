"""What several controllers read from nodes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from machinery.model.conditions import is_true
from machinery.model.k8s.core_v1 import Node
from machinery.model.taints import NOT_READY, UNREACHABLE

REGION: Final = "topology.kubernetes.io/region"
ZONE: Final = "topology.kubernetes.io/zone"
UNHEALTHY_TAINTS: Final = frozenset({NOT_READY, UNREACHABLE})  # with NoExecute: the node lifecycle's own


def is_node_ready(node: Node) -> bool:
    """Whether the Ready condition is True."""
    return is_true(node.status.conditions, "Ready")


def zones_by_node(nodes: Iterable[Node]) -> dict[str, str]:
    """Return every node's topology zone by its name, "" for none."""
    return {node.metadata.name: node.metadata.labels.get(ZONE, "") for node in nodes}
