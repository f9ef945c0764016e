"""Plan which pods are ended.

- pods of a node that is gone, 40 s after that was first seen and after a live look;
- pods that are being deleted and were never assigned to a node: no kubelet will end them;
- pods that are being deleted on a node that is tainted out-of-service and not Ready;
- ended pods beyond the threshold, evicted ones first, then the oldest.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from controllers.core.actions import NO_FACTS, Action, AllAtOnce, Facts, Lookup, Plan, Write, delete, soonest
from controllers.core.moment import Moment
from controllers.core.nodes import is_node_ready
from controllers.core.pod_disruption import end_phase, mark
from machinery.model.k8s.core_v1 import Node, Pod
from machinery.model.pods import is_terminal, is_terminating
from machinery.model.resources import NODES, PODS
from machinery.model.taints import OUT_OF_SERVICE

PERIOD_S: Final = 20.0
QUARANTINE_S: Final = 40.0
_REASON: Final = "DeletionByPodGC"


def quarantine(
    since_s: Mapping[str, float], named: Iterable[str], nodes: Mapping[str, Node], now_s: float
) -> dict[str, float]:
    """Return for each node that pods name and that is not there since when that has been so."""
    return {name: since_s.get(name, now_s) for name in set(named) - nodes.keys()}


@dataclass(frozen=True, slots=True)
class Seen:
    """What the plan knows."""

    pods: Sequence[Pod]  # all of the cluster, or those that something has happened to
    nodes: Mapping[str, Node]  # of these pods at least
    missing_since_s: Mapping[str, float]  # see `quarantine`
    threshold: int = 0  # ended pods that there may be, among all; 0 where that is not asked
    period_s: float | None = None  # until the same is looked at again in any case


def plan(seen: Seen, moment: Moment, facts: Facts = NO_FACTS) -> Plan:
    """Plan for some pods or all."""
    every, nodes = seen.pods, seen.nodes
    suspects = sorted(
        name for name, at_s in seen.missing_since_s.items() if moment.now_s - at_s >= QUARANTINE_S
    )
    questions = tuple(Lookup(NODES, "", name) for name in suspects)
    if missing := tuple(question for question in questions if question not in facts.objects):
        return Plan(needs=missing)
    gone = {question.name for question in questions if facts.objects[question] is None}
    lost = [pod for pod in every if pod.spec.nodeName in gone]
    unassigned = [pod for pod in every if is_terminating(pod) and not pod.spec.nodeName]
    stranded = [pod for pod in every if is_terminating(pod) and _is_out(nodes.get(pod.spec.nodeName))]
    actions = (
        *_end(lost, moment, "PodGC: node no longer exists"),
        *_end(unassigned, moment, ""),
        *_end(stranded, moment, ""),
        *_end(_beyond(every, seen.threshold), moment, ""),
    )
    waits = (QUARANTINE_S - (moment.now_s - at_s) for at_s in seen.missing_since_s.values())
    return Plan(actions, requeue_after_s=soonest(seen.period_s, *(wait_s for wait_s in waits if wait_s > 0)))


def _is_out(node: Node | None) -> bool:
    if node is None or is_node_ready(node):
        return False
    return any(taint.key == OUT_OF_SERVICE for taint in node.spec.taints)


def _beyond(pods: Sequence[Pod], threshold: int) -> list[Pod]:
    ended = [pod for pod in pods if is_terminal(pod) and not is_terminating(pod)]
    surplus = len(ended) - threshold
    if threshold <= 0 or surplus <= 0:
        return []
    return sorted(ended, key=_age)[:surplus]


def _age(pod: Pod) -> tuple[bool, str, str]:
    evicted = pod.status.phase == "Failed" and pod.status.reason == "Evicted"
    return not evicted, pod.metadata.creationTimestamp or "", pod.metadata.name


def _end(pods: list[Pod], moment: Moment, message: str) -> tuple[Action, ...]:
    """Delete at once. As nobody lives who would, the pod's phase is brought to its end before."""
    if not pods:
        return ()
    marks: list[Write] = [
        patch
        for pod in pods
        for patch in (mark(pod, _REASON, message, moment, fail=True) if message else end_phase(pod))
    ]
    deletions: list[Write] = [delete(PODS, pod, grace_period_s=0) for pod in pods]
    return (*((AllAtOnce(tuple(marks)),) if marks else ()), AllAtOnce(tuple(deletions)))
