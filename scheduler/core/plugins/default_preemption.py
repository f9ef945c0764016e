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
from scheduler.core.preemption import Victims
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
            reasons = _without_victims(verdicts, snapshot)
            return _nothing(pod, snapshot, messages.preemption(snapshot.node_count, reasons))
        candidates = _candidates(pod.priority, verdicts.shared, snapshot)
        candidates.refresh()
        best = candidates.best(pod, verdicts)
        if not isinstance(best, Candidate):
            return _nothing(pod, snapshot, messages.preemption(snapshot.node_count, best))
        chosen = best if verdicts.offers is None else _left(pod, candidates, verdicts, snapshot)
        return _preempt(pod, chosen, snapshot) if chosen else _nothing(pod, snapshot, messages.NO_CANDIDATE)


def offers_of(pod: PodInfo, verdicts: Verdicts, snapshot: Snapshot) -> Mapping[str, Victims]:
    """Return who would have to go from each node that pods of lower priority keep a pod from, by its name."""
    candidates = _candidates(pod.priority, verdicts.shared, snapshot)
    candidates.refresh()
    return candidates.every(pod, verdicts)


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


def _left(pod: PodInfo, candidates: Candidates, verdicts: Verdicts, snapshot: Snapshot) -> Candidate | None:
    """Return the best of what extenders have left, of the nodes and victims that are there still."""
    helping = candidates.every(pod, verdicts)
    found: list[Candidate] = []
    for name, victims in (verdicts.offers or {}).items():
        node = snapshot.node(name)
        if node is not None and name in helping and (there := victims.of(node.pods)) is not None:
            found.append(Candidate(node, there))
    least = min((each.victims.cost for each in found), default=None)
    best = [each for each in found if each.victims.cost == least]
    return best[int(verdicts.tie_break * len(best))] if best else None


def _nothing(pod: PodInfo, snapshot: Snapshot, text: str) -> Remedy:
    kept = snapshot.nominations.node_of(pod.uid)
    return Remedy(text, nomination=Nomination("") if kept else None)


def _without_victims(verdicts: Verdicts, snapshot: Snapshot) -> dict[str, int]:
    unhelpful = sum(nodes for rejection, nodes in verdicts.rejections().items() if not rejection.resolvable)
    return {messages.NOT_HELPFUL: unhelpful, messages.NO_VICTIMS: snapshot.node_count - unhelpful}
