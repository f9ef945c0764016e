"""Plan what follows for one node: Unknown, taints, and pods that are Ready no more.

Each plan is one step: the change of the node that it makes brings the next one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import msgspec

from controllers.core.actions import (
    NO_FACTS,
    Action,
    AllAtOnce,
    Count,
    Facts,
    Lookup,
    Metric,
    Plan,
    RecordEvent,
    Write,
    event,
    soonest,
)
from controllers.core.merge_patch import patch_at_revision
from controllers.core.moment import Moment
from controllers.core.nodes import is_node_ready
from controllers.node_lifecycle.taints import executing, has, no_schedule_keys, readiness_taint, with_keys
from controllers.node_lifecycle.zones import Disruption, zone_key
from machinery.model.conditions import find, is_true, set_condition
from machinery.model.k8s.core_v1 import Node, NodeCondition, Pod
from machinery.model.pods import is_terminal
from machinery.model.profile import Intervals
from machinery.model.resources import LEASES, NODES, PODS
from machinery.model.taints import NO_SCHEDULE, NOT_READY, UNREACHABLE

LEASE_NAMESPACE: Final = "kube-node-lease"
_WATCHED: Final = ("Ready", "MemoryPressure", "DiskPressure", "PIDPressure")
EVICTIONS: Final = Metric(
    "node_collector_evictions_total", "Nodes whose pods began to be evicted, as they were lost", ("zone",)
)
_STOPPED: Final = ("NodeStatusUnknown", "Kubelet stopped posting node status.")
_NEVER: Final = ("NodeStatusNeverUpdated", "Kubelet never posted node status.")


@dataclass(frozen=True, slots=True)
class Seen:
    """What the plan knows."""

    node: Node
    pods: Sequence[Pod]  # that are assigned to it
    intervals: Intervals
    silent_s: float  # since its last heartbeat was seen, by our own monotonic clock
    unready_s: float  # since it was first seen not Ready, likewise
    lease_revision: str  # of the cached lease; "" for none
    disruption: Disruption  # of its zone
    is_new: bool = False  # its arrival has no Event yet
    is_blind: bool = False  # the apiserver did not answer: the silence may be ours
    turn_in_s: float | None = None  # until its zone's next turn to evict (0: it has it; None: there is none)


@dataclass(frozen=True, slots=True)
class Removed:
    """A node that is gone, and whose arrival was told."""

    node: Node


def plan(seen: Seen | Removed, moment: Moment, facts: Facts = NO_FACTS) -> Plan:
    """Plan for a node."""
    if isinstance(seen, Removed):
        return Plan((_departure(seen.node),))
    node = seen.node
    if is_silent(seen):
        return _give_up(seen, moment, facts)
    left_s = _grace_s(seen) - seen.silent_s
    no_execute, wait_s = _no_execute(seen)
    actions: list[Action] = [_arrival(node)] if seen.is_new else []
    if readiness_taint(node):
        actions += _unready(seen.pods, moment)
    actions += _taint(node, no_execute, moment)
    return Plan(tuple(actions), requeue_after_s=soonest(wait_s, left_s if left_s > 0 else None))


def is_silent(seen: Seen) -> bool:
    """Whether a node has not been heard for so long that it is to be called Unknown, and is not yet."""
    return seen.silent_s >= _grace_s(seen) and not _is_unknown(seen.node)


def wants_turn(seen: Seen) -> bool:
    """Whether a node is to get a NoExecute taint as soon as it is its turn in its zone.

    A new taint waits for that where there are pods to evict; exchanging one for the other does not.
    """
    if is_silent(seen) or executing(seen.node) or not seen.pods:
        return False
    return bool(_wanted_no_execute(seen)) and _early_s(seen) <= 0


def _arrival(node: Node) -> RecordEvent:
    name = node.metadata.name
    return event(node, "Normal", "RegisteredNode", f"Node {name} event: Registered Node {name} in Controller")


def _departure(node: Node) -> RecordEvent:
    name = node.metadata.name
    return event(node, "Normal", "RemovingNode", f"Node {name} event: Removing Node {name} from Controller")


def _grace_s(seen: Seen) -> float:
    reported = find(seen.node.status.conditions, "Ready") is not None
    return seen.intervals.node_monitor_grace_s if reported else seen.intervals.node_startup_grace_s


def _is_unknown(node: Node) -> bool:
    conditions = (find(node.status.conditions, type_) for type_ in _WATCHED)
    return all(condition is not None and condition.status == "Unknown" for condition in conditions)


def _give_up(seen: Seen, moment: Moment, facts: Facts) -> Plan:
    """Say Unknown, after a live look whether it is not our own cache that stands still."""
    node, name = seen.node, seen.node.metadata.name
    lease, itself = Lookup(LEASES, LEASE_NAMESPACE, name), Lookup(NODES, "", name)
    missing = tuple(question for question in (lease, itself) if question not in facts.objects)
    if missing:
        return Plan(needs=missing)
    if seen.is_blind:  # nobody could be heard: from this answer on its silence is counted anew
        return Plan(requeue_after_s=0.0)
    lease_now, node_now = facts.objects[lease], facts.objects[itself]
    lease_moved = (lease_now.resourceVersion if lease_now else "") != seen.lease_revision
    if lease_moved or node_now is None or node_now.resourceVersion != node.metadata.resourceVersion:
        return Plan(requeue_after_s=seen.intervals.node_monitor_period_s)
    conditions = msgspec.to_builtins(_all_unknown(node, moment))
    return Plan(
        (patch_at_revision(NODES, node, {"status": {"conditions": conditions}}, subresource="status"),)
    )


def _all_unknown(node: Node, moment: Moment) -> list[NodeCondition]:
    conditions = node.status.conditions
    for type_ in _WATCHED:
        known = find(conditions, type_)
        if known is not None and known.status == "Unknown":
            continue
        reason, message = _STOPPED if known else _NEVER
        beat = known.lastHeartbeatTime if known else node.metadata.creationTimestamp
        new = NodeCondition(
            type=type_,
            status="Unknown",
            reason=reason,
            message=message,
            lastHeartbeatTime=beat,
            lastTransitionTime=moment.text,
        )
        conditions = set_condition(conditions, new, now_text=moment.text)
    return conditions


def _no_execute(seen: Seen) -> tuple[str, float | None]:
    """Return the key of the NoExecute taint to have now, and the seconds until that may change.

    Taking a taint away needs no turn, either. When everything is down nobody has one.
    """
    wanted = _wanted_no_execute(seen)
    if not wanted or executing(seen.node):
        return wanted, None
    if (early_s := _early_s(seen)) > 0:
        return "", early_s  # the kubelet says so itself; a periodic look would hardly have noticed yet
    if wants_turn(seen) and seen.turn_in_s != 0:
        return "", seen.turn_in_s
    return wanted, None


def _wanted_no_execute(seen: Seen) -> str:
    return "" if seen.disruption.everything else readiness_taint(seen.node)


def _early_s(seen: Seen) -> float:
    """Return for how long a node that says itself that it is not ready is still left alone."""
    if readiness_taint(seen.node) != NOT_READY:
        return 0.0
    return seen.intervals.node_monitor_period_s - seen.unready_s


def _taint(node: Node, no_execute: str, moment: Moment) -> list[Action]:
    taints = with_keys(node, no_schedule_keys(node), no_execute, moment)
    if taints == node.spec.taints:
        return []
    document = {"spec": {"taints": msgspec.to_builtins(taints)}}
    evicts = bool(no_execute) and not executing(node)
    counted = [Count(EVICTIONS, (zone_key(node),))] if evicts else []
    return [*_news(node), patch_at_revision(NODES, node, document), *counted]


def _news(node: Node) -> list[RecordEvent]:
    """Return the event that says a node is lost: once, when it gets its first taint for it."""
    known = has(node, NOT_READY, NO_SCHEDULE) or has(node, UNREACHABLE, NO_SCHEDULE)
    if is_node_ready(node) or not readiness_taint(node) or known:
        return []
    message = f"Node {node.metadata.name} status is now: NodeNotReady"
    return [event(node, "Normal", "NodeNotReady", message)]


def _unready(pods: Sequence[Pod], moment: Moment) -> list[Action]:
    """Write that the pods of a node that is not Ready are not Ready, whatever its kubelet said last: they leave their Services."""
    ready = [pod for pod in pods if is_true(pod.status.conditions, "Ready") and not is_terminal(pod)]
    writes: list[Write] = [_unready_patch(pod, moment) for pod in ready]
    return [AllAtOnce(tuple(writes))] if writes else []


def _unready_patch(pod: Pod, moment: Moment) -> Write:
    conditions = [
        msgspec.structs.replace(condition, status="False", lastTransitionTime=moment.text)
        if condition.type == "Ready"
        else condition
        for condition in pod.status.conditions
    ]
    document = {"status": {"conditions": msgspec.to_builtins(conditions)}}
    patch = patch_at_revision(PODS, pod, document, subresource="status")
    said = event(pod, "Warning", "NodeNotReady", "Node is not ready")
    return replace(patch, on_success=said, absent_is_fine=True)
