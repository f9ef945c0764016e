"""Plan which pods of a node have to go.

The timers are not remembered but computed anew: a taint's age plus what the pod tolerates. So they survive a
restart, and a taint that goes away stops them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from controllers.core.actions import (
    NO_FACTS,
    Action,
    AllAtOnce,
    Facts,
    Plan,
    RecordEvent,
    Write,
    delete,
    soonest,
)
from controllers.core.moment import Moment
from controllers.core.pod_disruption import mark
from controllers.taint_eviction.ages import evicting_taints, timer_of
from machinery.model.k8s.core_v1 import Node, Pod, Taint
from machinery.model.pods import is_terminating
from machinery.model.requests import reference_to
from machinery.model.resources import PODS
from machinery.model.taints import matches

_REASON: Final = "DeletionByTaintManager"
_MESSAGE: Final = "Taint manager: deleting due to NoExecute taint"


@dataclass(frozen=True, slots=True)
class Seen:
    """What the plan knows."""

    node: Node
    pods: Sequence[Pod]  # that are assigned to it
    since_s: Mapping[str, float]  # the beginnings of its taints (`TaintAges.look`)
    spared: Sequence[Pod] = ()  # that were to go later, and may stay now


def plan(seen: Seen, moment: Moment, _facts: Facts = NO_FACTS) -> Plan:
    """Plan for the pods of a node."""
    taints = evicting_taints(seen.node)
    cancelled = tuple(_cancellation(pod) for pod in seen.spared)
    if not taints:
        return Plan(cancelled)
    deadlines = [(pod, deadline(pod, taints, seen.since_s)) for pod in seen.pods if not is_terminating(pod)]
    timed = [(pod, at_s) for pod, at_s in deadlines if at_s is not None]
    due = [pod for pod, at_s in timed if at_s <= moment.now_s]
    later = (at_s - moment.now_s for _, at_s in timed if at_s > moment.now_s)
    return Plan((*cancelled, *_evict(due, moment)), requeue_after_s=soonest(*later))


def waiting(node: Node, pods: Iterable[Pod], since_s: Mapping[str, float]) -> frozenset[str]:
    """Return the uids of the pods that have to go, now or later."""
    if not (taints := evicting_taints(node)):
        return frozenset()
    return frozenset(
        pod.metadata.uid
        for pod in pods
        if not is_terminating(pod) and deadline(pod, taints, since_s) is not None
    )


def deadline(pod: Pod, taints: Iterable[Taint], since_s: Mapping[str, float]) -> float | None:
    """Return the cluster second at which a pod has to go, None where it may stay for good.

    For each taint the least tolerationSeconds of the tolerations that match counts; a taint that none matches
    is not tolerated for a second.
    """
    return soonest(*(_deadline(pod, taint, since_s[timer_of(taint)]) for taint in taints))


def _deadline(pod: Pod, taint: Taint, begun_s: float) -> float | None:
    matching = [toleration for toleration in pod.spec.tolerations if matches(toleration, taint)]
    if not matching:
        return begun_s
    limits = [item.tolerationSeconds for item in matching if item.tolerationSeconds is not None]
    return begun_s + max(0, min(limits)) if limits else None


def _evict(pods: list[Pod], moment: Moment) -> tuple[Action, ...]:
    if not pods:
        return ()
    marks = tuple(patch for pod in pods for patch in mark(pod, _REASON, _MESSAGE, moment))
    deletions: list[Write] = [delete(PODS, pod) for pod in pods]
    announcements = [_announcement(pod) for pod in pods]
    return (*announcements, *((AllAtOnce(marks),) if marks else ()), AllAtOnce(tuple(deletions)))


def _announcement(pod: Pod) -> RecordEvent:
    where = f"{pod.metadata.namespace}/{pod.metadata.name}"
    return RecordEvent(
        reference_to(pod), "Normal", "TaintManagerEviction", f"Marking for deletion Pod {where}"
    )


def _cancellation(pod: Pod) -> RecordEvent:
    where = f"{pod.metadata.namespace}/{pod.metadata.name}"
    return RecordEvent(
        reference_to(pod), "Normal", "TaintManagerEviction", f"Cancelling deletion of Pod {where}"
    )
