"""Plan the pod address ranges of all nodes.

One plan for all nodes at once: two nodes never get the same range, since the plan waits until it sees what the
plan before it has written.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from controllers.core.actions import (
    NO_FACTS,
    NOTHING_TO_DO,
    Action,
    AllAtOnce,
    Facts,
    Patch,
    Plan,
    Write,
    event,
)
from controllers.core.merge_patch import patch_at_revision
from controllers.core.moment import Moment
from machinery.model.k8s.core_v1 import Node
from machinery.model.resources import NODES

NODE_MASK: Final = 24

Network = ipaddress.IPv4Network


@dataclass(frozen=True, slots=True)
class Seen:
    """What the plan knows."""

    nodes: Sequence[Node]  # all
    cluster_cidr: str
    node_mask: int = NODE_MASK


def plan(seen: Seen, _moment: Moment, _facts: Facts = NO_FACTS) -> Plan:
    """Plan for the nodes without a range: the oldest first, each the lowest range that nobody overlaps."""
    every = sorted(seen.nodes, key=lambda node: (node.metadata.creationTimestamp or "", node.metadata.name))
    waiting = [node for node in every if not node.spec.podCIDR and not node.metadata.deletionTimestamp]
    if not waiting:
        return NOTHING_TO_DO
    taken = [network for node in every for network in _ranges(node)]
    free = _free(Network(seen.cluster_cidr), taken, seen.node_mask)
    writes: list[Write] = []
    actions: list[Action] = []
    for node in waiting:
        network = next(free, None)
        if network is None:
            actions.append(_nothing_left(node))
        else:
            writes.append(_assign(node, str(network)))
    return Plan((*((AllAtOnce(tuple(writes)),) if writes else ()), *actions))


def _free(cluster: Network, taken: list[Network], node_mask: int) -> Iterator[Network]:
    if node_mask < cluster.prefixlen:
        return
    size = 2 ** (32 - node_mask)
    used = {
        index for network in taken if network.overlaps(cluster) for index in _covered(cluster, network, size)
    }
    base = int(cluster.network_address)
    for index in range(cluster.num_addresses // size):
        if index not in used:
            yield Network((base + index * size, node_mask))


def _covered(cluster: Network, network: Network, size: int) -> range:
    """Return the numbers of the ranges that a network touches; it may be wider or narrower than one."""
    base = int(cluster.network_address)
    first = max(0, int(network.network_address) - base)
    last = min(cluster.num_addresses - 1, int(network.broadcast_address) - base)
    return range(first // size, last // size + 1)


def _ranges(node: Node) -> list[Network]:
    texts = {*node.spec.podCIDRs, node.spec.podCIDR} - {""}
    return [Network(text, strict=False) for text in texts if ":" not in text]


def _assign(node: Node, cidr: str) -> Patch:
    return patch_at_revision(NODES, node, {"spec": {"podCIDR": cidr, "podCIDRs": [cidr]}})


def _nothing_left(node: Node) -> Action:
    message = f"Node {node.metadata.name} status is now: CIDRNotAvailable"
    return event(node, "Normal", "CIDRNotAvailable", message)
