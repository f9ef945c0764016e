"""DefaultPreemption: a pod that fits nowhere may have the place of pods with a lower priority.

https://kubernetes.io/docs/concepts/scheduling-eviction/pod-priority-preemption/

All nodes are looked at, so minCandidateNodesPercentage and minCandidateNodesAbsolute have no effect: the node that is chosen is the
best of all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from scheduler.core import messages
from scheduler.core.candidates import Candidate, Candidates
from scheduler.core.cluster_events import ClusterEvent
from scheduler.core.framework import KindVerdicts, Nomination, Plugin, Remedy, Verdicts
from scheduler.core.pod import PodInfo
from scheduler.core.snapshot import Snapshot

NAME: Final = "DefaultPreemption"
_PRIORITIES: Final = 8  # of one kind of pods, whose candidates are kept


@dataclass(frozen=True, slots=True)
class Preemption:
    """What has to be done so that a pod has a node: pods that are to be deleted, the most important first."""

    pod: PodInfo
    node: str
    victims: tuple[PodInfo, ...]


class DefaultPreemption(Plugin):
    """Finds the pods that may be taken away for one that fits nowhere."""

    name = NAME
    # what may help a pod that waited at Permit when its place was given to another
    helped_by = frozenset({ClusterEvent.NODE_ADDED, ClusterEvent.NODE_ALLOCATABLE, ClusterEvent.POD_GONE})

    def remedy(self, pod: PodInfo, verdicts: Verdicts, snapshot: Snapshot) -> Remedy:
        """Return who is taken away; else why nobody is."""
        if not pod.preempts:
            return Remedy(messages.NEVER)
        if _waits(pod, verdicts, snapshot):
            return Remedy(messages.WAITS)
        if not snapshot.has_lower(pod.priority):
            return _nothing(pod, snapshot, _without_victims(verdicts, snapshot))
        candidates = _candidates(pod.priority, verdicts.shared, snapshot)
        candidates.refresh()
        best = candidates.best(pod, verdicts)
        if isinstance(best, Candidate):
            return _preempt(pod, best, snapshot)
        return _nothing(pod, snapshot, best)


def _waits(pod: PodInfo, verdicts: Verdicts, snapshot: Snapshot) -> bool:
    """Whether pods are leaving for this one already, from a node that it can have then."""
    node = snapshot.node(snapshot.nominations.node_of(pod.uid))
    if node is None:
        return False
    rejection = verdicts.rejection_of(node.index)
    if rejection is not None and not rejection.resolvable:
        return False
    return any(each.priority < pod.priority and snapshot.is_leaving(each) for each in node.pods.values())


def _candidates(priority: int, verdicts: KindVerdicts, snapshot: Snapshot) -> Candidates:
    kept = verdicts.memo
    key = (NAME, priority)
    if key not in kept:
        if len(kept) >= _PRIORITIES:
            kept.clear()
        kept[key] = Candidates(verdicts, snapshot, priority)
    found: Candidates = kept[key]
    return found


def _preempt(pod: PodInfo, best: Candidate, snapshot: Snapshot) -> Remedy:
    node, victims = best.node, best.victims.pods
    displaced = (each for each in snapshot.nominations.on(node.name) if each.priority < pod.priority)
    going = tuple(each for each in victims if not (each.is_terminating or snapshot.is_leaving(each)))
    return Remedy(
        "",
        Preemption(pod, node.name, going) if going else None,
        Nomination(node.name, going, tuple(displaced)),
        succeeds=True,
    )


def _nothing(pod: PodInfo, snapshot: Snapshot, reasons: Mapping[str, int]) -> Remedy:
    kept = snapshot.nominations.node_of(pod.uid)
    text = messages.preemption(snapshot.node_count, reasons)
    return Remedy(text, nomination=Nomination("") if kept else None)


def _without_victims(verdicts: Verdicts, snapshot: Snapshot) -> dict[str, int]:
    unhelpful = sum(nodes for rejection, nodes in verdicts.rejections().items() if not rejection.resolvable)
    return {messages.NOT_HELPFUL: unhelpful, messages.NO_VICTIMS: snapshot.node_count - unhelpful}
