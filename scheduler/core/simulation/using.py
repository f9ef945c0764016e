"""What is requested of nodes, by which pods: amounts as a scheduler counts them."""

from __future__ import annotations

from machinery.model.placement import CPU, EPHEMERAL_STORAGE, MEMORY, PODS
from machinery.model.simulation import Amounts, NodeUse
from scheduler.core.needs import Needs
from scheduler.core.node import NodeInfo
from scheduler.core.snapshot import Snapshot


def requests_of(needs: Needs) -> Amounts:
    """Return what a pod requests."""
    amounts = {CPU: needs.cpu, MEMORY: needs.memory, EPHEMERAL_STORAGE: needs.ephemeral, PODS: 1}
    return {name: amount for name, amount in {**amounts, **dict(needs.extended)}.items() if amount}


def allocatable_of(node: NodeInfo) -> Amounts:
    """Return what a node has for pods."""
    amounts = {
        CPU: node.allocatable_cpu,
        MEMORY: node.allocatable_memory,
        EPHEMERAL_STORAGE: node.allocatable_ephemeral,
        PODS: node.allocatable_pods,
    }
    return {name: amount for name, amount in {**amounts, **node.allocatable_extended}.items() if amount}


def requested_of(node: NodeInfo) -> Amounts:
    """Return what the pods of a node request in all."""
    amounts = {CPU: node.cpu, MEMORY: node.memory, EPHEMERAL_STORAGE: node.ephemeral, PODS: node.pod_count}
    return {name: amount for name, amount in {**amounts, **node.extended}.items() if amount}


def use_of_nodes(snapshot: Snapshot) -> list[NodeUse]:
    """Return the nodes in the order in which they came."""
    return [
        NodeUse(each.name, allocatable_of(each), requested_of(each)) for each in snapshot.existing_nodes()
    ]
