"""The decision: which node a pod goes to, or why to none.

pod ─▶ plugins say what they have to know of it; one keeps it from every node? ─▶ Unschedulable
    ─▶ a node is kept for it, and it fits there? ─▶ Bind
    ─▶ Evaluation of the pod's kind, refreshed ─▶ no candidate? ─▶ Unschedulable, reasons counted, remedies asked
    ─▶ where extenders were asked, the nodes that they take
    ─▶ the nodes with the highest score ─▶ one of them, by the random number that the caller drew
    ─▶ what the plugins reserve there ─▶ Bind
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import msgspec

from scheduler.core import messages
from scheduler.core.evaluation import Evaluation
from scheduler.core.evaluations import Evaluations
from scheduler.core.extended_preemption import Offers
from scheduler.core.extending import Extended
from scheduler.core.framework import Nomination, Plugin, Remedy, Verdicts
from scheduler.core.like_nodes import LikeNodes
from scheduler.core.node import NodeInfo
from scheduler.core.plugins.default_preemption import offers_of
from scheduler.core.pod import PodInfo
from scheduler.core.pod_verdicts import PodVerdicts
from scheduler.core.preemption import rejection_beside
from scheduler.core.profile import Profile
from scheduler.core.registry import NO_NODES
from scheduler.core.rejection import Rejection, Stopped
from scheduler.core.snapshot import Snapshot


class Reserved(NamedTuple):
    """What a pod gets from a plugin beside the node; it has to be written before the pod is bound."""

    plugin: Plugin
    what: Any


class Action(NamedTuple):
    """What a plugin wants done for a pod that fits nowhere."""

    plugin: Plugin
    what: Any


class Bind(msgspec.Struct, frozen=True):
    """The pod goes to this node."""

    node: str
    score: int
    ties: int  # nodes with the same score, this one included
    reserved: tuple[Reserved, ...] = ()


@dataclass(frozen=True, slots=True)
class Unschedulable:
    """No node can take the pod now."""

    message: str
    plugins: frozenset[str]  # that rejected a node: what helps one of them may help the pod
    actions: tuple[Action, ...] = ()
    nomination: Nomination | None = None  # None: what is kept for the pod stays as it is


Decision: TypeAlias = Bind | Unschedulable

Mark: TypeAlias = Callable[[str, str], None]
"""Notes that an extension point has ended, and how: Success, Unschedulable."""


def no_mark(_point: str, _status: str) -> None:
    """Note nothing."""


def feasible(pod: PodInfo, snapshot: Snapshot, evaluations: Evaluations) -> tuple[str, ...]:
    """Return the nodes that plugins take, for extenders to be asked about; none where `schedule` says why."""
    evaluation = evaluations.of(pod) if snapshot.node_count else None
    if evaluation is None or isinstance(evaluation, Stopped):
        return ()
    names = [
        snapshot.nodes[index].name for _, class_ in evaluation.candidates() for index, _ in class_.scored()
    ]
    verdicts = _verdicts(pod, evaluation, snapshot, 0.0)
    if verdicts.fits_kept and verdicts.kept and verdicts.kept.name not in names:
        names.append(verdicts.kept.name)
    return tuple(names)


def schedule(
    pod: PodInfo,
    snapshot: Snapshot,
    evaluations: Evaluations,
    *,
    tie_break: float,
    extended: Extended | None = None,
    offers: Offers | None = None,
    mark: Mark = no_mark,
) -> Decision:
    """Choose a node. `tie_break`, in [0, 1), chooses among those with the highest score.

    `extended` is what extenders said of the nodes that were `feasible` when they were asked, `offers` what they made of the pods
    that were `preemptable`. `mark` is told when Filter, with what comes before it, Score and PostFilter have ended.

    Raises:
        ValueError: `tie_break` is out of its range.
    """
    if not snapshot.node_count:
        return Unschedulable(messages.NO_NODES, frozenset({NO_NODES}))
    evaluation = evaluations.of(pod)
    if isinstance(evaluation, Stopped):
        mark("PreFilter", "Unschedulable")
        return _stopped(pod, snapshot, evaluation)
    verdicts = _verdicts(pod, evaluation, snapshot, tie_break, offers)
    kept = verdicts.kept
    if verdicts.fits_kept and kept and (extended is None or extended.verdict(kept.name) is None):
        return Bind(kept.name, 0, 1, _reserve(pod, evaluation, kept, snapshot))
    candidates = evaluation.candidates()
    mark("Filter", "Success" if candidates else "Unschedulable")
    if not candidates:
        rejected = _unschedulable(pod, snapshot, verdicts, evaluations.profile)
        mark("PostFilter", "Success" if rejected.nomination else "Unschedulable")
        return rejected
    if extended is not None:
        return _choose_extended(
            candidates, pod, evaluation, snapshot, evaluations.profile, verdicts, extended
        )
    chosen = _choose(candidates, pod, evaluation, snapshot, tie_break)
    mark("Score", "Success")
    return chosen


def preemptable(
    pod: PodInfo, snapshot: Snapshot, evaluations: Evaluations, extended: Extended | None
) -> Offers:
    """Return which pods may be taken away for one that fits nowhere, by node, for extenders to be asked about."""
    evaluation = evaluations.of(pod) if snapshot.node_count else None
    if evaluation is None or isinstance(evaluation, Stopped):
        return {}
    own = _verdicts(pod, evaluation, snapshot, 0.0)
    return offers_of(pod, own if extended is None else _ExtendedVerdicts(own, snapshot, extended), snapshot)


def _verdicts(
    pod: PodInfo,
    evaluation: Evaluation,
    snapshot: Snapshot,
    tie_break: float,
    offers: Offers | None = None,
) -> PodVerdicts:
    """Return the verdicts about a pod, which is not in its own way on the node that is kept for it."""
    kept = snapshot.node(snapshot.nominations.node_of(pod.uid))
    if kept is None:
        return PodVerdicts(evaluation, tie_break, offers=offers)
    others = snapshot.nominations.on_from(kept.name, pod.priority, pod.uid)
    rejection = rejection_beside(kept, others, evaluation.rejection_with)
    return PodVerdicts(evaluation, tie_break, kept, rejection, offers)


def _choose_extended(
    candidates: list[tuple[int, LikeNodes]],
    pod: PodInfo,
    evaluation: Evaluation,
    snapshot: Snapshot,
    profile: Profile,
    verdicts: PodVerdicts,
    extended: Extended,
) -> Decision:
    """Choose among the nodes that extenders take, too, by the sum of the points."""
    rated = [
        (points + score + extended.points.get(node.name, 0), node)
        for points, class_ in candidates
        for index, score in class_.scored()
        if extended.verdict((node := snapshot.nodes[index]).name) is None
    ]
    if not rated:
        return _unschedulable(pod, snapshot, _ExtendedVerdicts(verdicts, snapshot, extended), profile)
    highest = max([score for score, _ in rated])
    best = [node for score, node in rated if score == highest]
    node = best[int(verdicts.tie_break * len(best))]
    reserved = _reserve(pod, evaluation, node, snapshot) if evaluation.reserving else ()
    return Bind(node.name, highest, len(best), reserved)


class _ExtendedVerdicts:
    """What plugins say of nodes, and extenders of those that plugins take."""

    def __init__(self, verdicts: PodVerdicts, snapshot: Snapshot, extended: Extended) -> None:
        self._snapshot = snapshot
        self._extended = extended
        self._verdicts = verdicts
        self.shared = verdicts.shared
        self.tie_break = verdicts.tie_break
        self.offers = verdicts.offers
        self.rejection_with = verdicts.rejection_with

    def rejections(self) -> dict[Rejection, int]:
        counts = dict(self._verdicts.rejections())
        for _, class_ in self.shared.candidates():
            for index, _ in class_.scored():
                if (rejection := self._extended.verdict(self._snapshot.nodes[index].name)) is not None:
                    counts[rejection] = counts.get(rejection, 0) + 1
        return counts

    def rejection_of(self, index: int) -> Rejection | None:
        node = self._snapshot.nodes[index]
        own = self._verdicts.rejection_of(index)
        return own if own is not None or not node.exists else self._extended.verdict(node.name)


def _choose(
    candidates: list[tuple[int, LikeNodes]],
    pod: PodInfo,
    evaluation: Evaluation,
    snapshot: Snapshot,
    tie_break: float,
) -> Bind:
    if len(candidates) == 1:
        [(points, class_)] = candidates
        highest, best = points + class_.top, [class_.best()]
    else:
        highest = max([points + class_.top for points, class_ in candidates])
        best = [class_.best() for points, class_ in candidates if points + class_.top == highest]
    ties = sum(map(len, best))
    chosen = int(tie_break * ties)
    for indexes in best:
        if chosen < len(indexes):
            node = snapshot.nodes[indexes[chosen]]
            reserved = _reserve(pod, evaluation, node, snapshot) if evaluation.reserving else ()
            return Bind(node.name, highest, ties, reserved)
        chosen -= len(indexes)
    raise ValueError(f"a tie is broken by a number in [0, 1), not {tie_break}")


def _reserve(
    pod: PodInfo, evaluation: Evaluation, node: NodeInfo, snapshot: Snapshot
) -> tuple[Reserved, ...]:
    return tuple(
        Reserved(plugin, what)
        for plugin, need in evaluation.reserving
        if (what := plugin.reserve(pod, need, node, snapshot)) is not None
    )


def _stopped(pod: PodInfo, snapshot: Snapshot, stopped: Stopped) -> Unschedulable:
    text = messages.no_node_looked_at(snapshot.node_count, stopped.message)
    kept = snapshot.nominations.node_of(pod.uid)
    return Unschedulable(text, frozenset({stopped.plugin}), nomination=Nomination("") if kept else None)


def _unschedulable(pod: PodInfo, snapshot: Snapshot, verdicts: Verdicts, profile: Profile) -> Unschedulable:
    rejections = verdicts.rejections()
    remedies = _remedies(pod, verdicts, snapshot, profile)
    succeeds = any(remedy.succeeds for _, remedy in remedies)
    said = [] if succeeds else [remedy.message for _, remedy in remedies]
    return Unschedulable(
        messages.unschedulable(snapshot.node_count, rejections, said),
        frozenset(rejection.plugin for rejection in rejections),
        tuple(Action(plugin, remedy.action) for plugin, remedy in remedies if remedy.action is not None),
        next((remedy.nomination for _, remedy in remedies if remedy.nomination is not None), None),
    )


def _remedies(
    pod: PodInfo, verdicts: Verdicts, snapshot: Snapshot, profile: Profile
) -> Sequence[tuple[Plugin, Remedy]]:
    """Ask the plugins in their order, until one of them succeeds."""
    found: list[tuple[Plugin, Remedy]] = []
    for plugin in profile.remedies:
        if (remedy := plugin.remedy(pod, verdicts, snapshot)) is not None:
            found.append((plugin, remedy))
            if remedy.succeeds:
                break
    return found
