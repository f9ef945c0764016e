"""Evict the pods that do not tolerate their node's NoExecute taints, at the end of their patience.

https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/#taint-based-evictions
The timers are not remembered but computed anew: a taint's age plus what the pod tolerates. So they survive a
restart, and a taint that goes away stops them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from controllers.core.actions import Action, Plan, RecordEvent, Together, Write, delete, soonest
from controllers.core.disruption import mark
from controllers.core.moment import Moment
from controllers.core.node_taints import OUR_NO_EXECUTE
from machinery.model.k8s.core_v1 import Node, Pod, Taint
from machinery.model.pods import is_terminating
from machinery.model.requests import reference_to
from machinery.model.resources import PODS
from machinery.model.taints import NO_EXECUTE, matches

_TOLD_TO_S: Final = 1.0  # wall seconds: timeAdded is rounded down to the second
_REASON: Final = "DeletionByTaintManager"
_MESSAGE: Final = "Taint manager: deleting due to NoExecute taint"


class TaintAges:
    """Since when each node has its NoExecute taints: as seen, since timeAdded is only good to a second.

    not-ready and unreachable count as one: when a node goes from one to the other its pods have waited already.
    """

    def __init__(self) -> None:
        self._since: dict[str, dict[str, float]] = {}

    def look(self, node: Node, moment: Moment) -> Mapping[str, float]:
        """Take a node as it is now, and give the beginnings of its taints (cluster seconds), by `name_of`."""
        known = self._since.get(node.metadata.uid, {})
        current = {name_of(taint): taint for taint in _executing(node)}
        fresh = {name: known.get(name, _begin(taint, moment)) for name, taint in current.items()}
        if fresh:
            self._since[node.metadata.uid] = fresh
        else:
            self._since.pop(node.metadata.uid, None)
        return fresh

    def forget(self, uid: str) -> None:
        """Drop a node that is gone."""
        self._since.pop(uid, None)


def name_of(taint: Taint) -> str:
    """Tell taints apart as timers do."""
    return "unhealthy" if taint.key in OUR_NO_EXECUTE else f"{taint.key}={taint.value}"


def plan(node: Node, pods: Iterable[Pod], since_s: Mapping[str, float], moment: Moment) -> Plan:
    """Plan for the pods of a node, given the beginnings of its taints (`TaintAges.look`)."""
    taints = _executing(node)
    if not taints:
        return Plan()
    deadlines = [(pod, deadline(pod, taints, since_s)) for pod in pods if not is_terminating(pod)]
    timed = [(pod, at_s) for pod, at_s in deadlines if at_s is not None]
    due = [pod for pod, at_s in timed if at_s <= moment.now_s]
    later = (at_s - moment.now_s for _, at_s in timed if at_s > moment.now_s)
    return Plan(_evict(due, moment), requeue_after_s=soonest(*later))


def deadline(pod: Pod, taints: Iterable[Taint], since_s: Mapping[str, float]) -> float | None:
    """Give the cluster second at which a pod has to go, None where it may stay for good.

    For each taint the least tolerationSeconds of the tolerations that match counts; a taint that none matches
    is not tolerated for a second.
    """
    return soonest(*(_deadline(pod, taint, since_s[name_of(taint)]) for taint in taints))


def _deadline(pod: Pod, taint: Taint, begun_s: float) -> float | None:
    matching = [toleration for toleration in pod.spec.tolerations if matches(toleration, taint)]
    if not matching:
        return begun_s
    limits = [item.tolerationSeconds for item in matching if item.tolerationSeconds is not None]
    return begun_s + max(0, min(limits)) if limits else None


def _executing(node: Node) -> list[Taint]:
    return [taint for taint in node.spec.taints if taint.effect == NO_EXECUTE]


def _begin(taint: Taint, moment: Moment) -> float:
    if not taint.timeAdded:
        return moment.now_s
    told_s = moment.timescale.parse(taint.timeAdded) + moment.timescale.cluster(_TOLD_TO_S)
    return min(moment.now_s, told_s)


def _evict(pods: list[Pod], moment: Moment) -> tuple[Action, ...]:
    if not pods:
        return ()
    marks = tuple(patch for pod in pods for patch in mark(pod, _REASON, _MESSAGE, moment))
    deletions: list[Write] = [delete(PODS, pod) for pod in pods]
    told = [_announcement(pod) for pod in pods]
    return (*told, *((Together(marks),) if marks else ()), Together(tuple(deletions)))


def _announcement(pod: Pod) -> RecordEvent:
    where = f"{pod.metadata.namespace}/{pod.metadata.name}"
    return RecordEvent(
        reference_to(pod), "Normal", "TaintManagerEviction", f"Marking for deletion Pod {where}"
    )
