"""The node lifecycle controller: silence becomes Unknown, conditions become taints, pods there stop being Ready.

https://kubernetes.io/docs/concepts/architecture/nodes/#node-controller
Who is evicted when is `taint_eviction`'s business. Each plan is one step: the change of the node that it makes
brings the next one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

import msgspec

from controllers.core.actions import (
    NO_FACTS,
    Action,
    Facts,
    Lookup,
    Plan,
    RecordEvent,
    Together,
    Write,
    event,
    soonest,
)
from controllers.core.merge_patch import patch_at_revision
from controllers.core.moment import Moment
from controllers.core.node_health import LEASE_NAMESPACE, Disruption, Throttle, is_node_ready, zone_of
from controllers.core.node_taints import executing, has, no_schedule_keys, readiness_taint, with_keys
from machinery.model.conditions import find, is_true, set_condition
from machinery.model.k8s.core_v1 import Node, NodeCondition, Pod
from machinery.model.pods import is_terminal
from machinery.model.profile import Intervals
from machinery.model.resources import LEASES, NODES, PODS
from machinery.model.taints import NO_SCHEDULE, NOT_READY, UNREACHABLE

_WATCHED: Final = ("Ready", "MemoryPressure", "DiskPressure", "PIDPressure")
_STOPPED: Final = ("NodeStatusUnknown", "Kubelet stopped posting node status.")
_NEVER: Final = ("NodeStatusNeverUpdated", "Kubelet never posted node status.")


@dataclass(frozen=True, slots=True)
class Sight:
    """What is known of a node beside the object itself."""

    silent_s: float  # since its last heartbeat was seen, by our own monotonic clock
    unready_s: float  # since it was first seen not Ready, likewise
    lease_revision: str  # of the cached lease; "" for none
    disruption: Disruption
    monotonic_s: float  # now, for the throttle


def plan(
    node: Node,
    pods: Iterable[Pod],
    sight: Sight,
    throttle: Throttle,
    moment: Moment,
    intervals: Intervals,
    facts: Facts = NO_FACTS,
) -> Plan:
    """Plan for a node, given the pods that are assigned to it. Takes the node's turn from the throttle."""
    left_s = _grace_s(node, intervals) - sight.silent_s
    if left_s <= 0 and not _is_unknown(node):
        return _give_up(node, sight, moment, intervals, facts)
    on_it = list(pods)
    no_execute, wait_s = _no_execute(node, on_it, sight, throttle, intervals)
    actions: list[Action] = []
    if readiness_taint(node):
        actions += _unready(on_it, moment)
    actions += _taint(node, no_execute, moment)
    return Plan(tuple(actions), requeue_after_s=soonest(wait_s, left_s if left_s > 0 else None))


def _grace_s(node: Node, intervals: Intervals) -> float:
    reported = find(node.status.conditions, "Ready") is not None
    return intervals.node_monitor_grace_s if reported else intervals.node_startup_grace_s


def _is_unknown(node: Node) -> bool:
    conditions = (find(node.status.conditions, type_) for type_ in _WATCHED)
    return all(condition is not None and condition.status == "Unknown" for condition in conditions)


def _give_up(node: Node, sight: Sight, moment: Moment, intervals: Intervals, facts: Facts) -> Plan:
    """Say Unknown, after a live look whether it is not our own cache that stands still."""
    name = node.metadata.name
    lease, itself = Lookup(LEASES, LEASE_NAMESPACE, name), Lookup(NODES, "", name)
    missing = tuple(question for question in (lease, itself) if question not in facts.objects)
    if missing:
        return Plan(needs=missing)
    lease_now, node_now = facts.objects[lease], facts.objects[itself]
    lease_moved = (lease_now.resourceVersion if lease_now else "") != sight.lease_revision
    if lease_moved or node_now is None or node_now.resourceVersion != node.metadata.resourceVersion:
        return Plan(requeue_after_s=intervals.node_monitor_period_s)
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


def _no_execute(
    node: Node, pods: list[Pod], sight: Sight, throttle: Throttle, intervals: Intervals
) -> tuple[str, float | None]:
    """Give the key of the NoExecute taint to have now, and the seconds until that may change.

    A new taint waits for the zone's next turn, where there are pods to evict; exchanging one for the other, and
    taking one away, does not. When everything is down nobody has one.
    """
    wanted, current = readiness_taint(node), executing(node)
    if not wanted or sight.disruption.everything:
        return "", None
    if current:
        return wanted, None
    if wanted == NOT_READY and (early_s := intervals.node_monitor_period_s - sight.unready_s) > 0:
        return "", early_s  # the kubelet says so itself; a periodic look would hardly have noticed yet
    if not pods:
        return wanted, None
    rate = sight.disruption.evictions_per_s
    wait_s = throttle.take(zone_of(node), node.metadata.uid, rate, sight.monotonic_s)
    return (wanted, None) if wait_s == 0 else ("", wait_s)


def _taint(node: Node, no_execute: str, moment: Moment) -> list[Action]:
    taints = with_keys(node, no_schedule_keys(node), no_execute, moment)
    if taints == node.spec.taints:
        return []
    document = {"spec": {"taints": msgspec.to_builtins(taints)}}
    return [*_news(node), patch_at_revision(NODES, node, document)]


def _news(node: Node) -> list[RecordEvent]:
    """Tell once that a node is lost: when it gets its first taint for it."""
    known = has(node, NOT_READY, NO_SCHEDULE) or has(node, UNREACHABLE, NO_SCHEDULE)
    if is_node_ready(node) or not readiness_taint(node) or known:
        return []
    message = f"Node {node.metadata.name} status is now: NodeNotReady"
    return [event(node, "Normal", "NodeNotReady", message)]


def _unready(pods: list[Pod], moment: Moment) -> list[Action]:
    """Take the pods of a node that is not Ready out of their Services, whatever its kubelet said of them last."""
    ready = [pod for pod in pods if is_true(pod.status.conditions, "Ready") and not is_terminal(pod)]
    writes: list[Write] = [_unready_patch(pod, moment) for pod in ready]
    return [Together(tuple(writes))] if writes else []


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
