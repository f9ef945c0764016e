"""What each plugin of a profile says of each node, one by one: all verdicts, where a decision needs only the first of a node.

The same plugins, needs and normalizations as the engine's (`scheduler.core.evaluation`); a property test holds the sums of the
weighted points against the engine's scores. Nothing is kept: it costs a look at every node by every plugin.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from scheduler.core.evaluations import Evaluations
from scheduler.core.framework import Plugin, Relation, Score
from scheduler.core.node import NodeInfo
from scheduler.core.pod import PodInfo
from scheduler.core.profile import Profile
from scheduler.core.rejection import Stopped
from scheduler.core.snapshot import Snapshot


@dataclass(slots=True)
class Verdict:
    """What one plugin says of one node."""

    reasons: tuple[str, ...] = ()  # why the node cannot take the pod; () where it can
    raw: int | None = (
        None  # the score as the plugin gives it; None where it gives none, or where it compares nodes by what is around them
    )
    points: int | None = None  # 0 to 100; None where the plugin does not score, or the node is no candidate
    weight: int = 0  # what the points count


@dataclass(slots=True)
class Line:
    """What all plugins say of one node."""

    node: NodeInfo
    verdicts: dict[str, Verdict] = field(
        default_factory=dict
    )  # by plugin, of those that have something to say to the pod

    @property
    def fits(self) -> bool:
        """Whether no plugin rejects the node."""
        return not any(each.reasons for each in self.verdicts.values())

    @property
    def score(self) -> int:
        """The sum of the weighted points."""
        return sum(each.weight * each.points for each in self.verdicts.values() if each.points is not None)


def explain(pod: PodInfo, snapshot: Snapshot, profile: Profile) -> list[Line] | Stopped:
    """Return a line for each node, in the snapshot's order; or what keeps the pod from every node."""
    lines = [Line(node) for node in snapshot.existing_nodes()]
    asked = []
    for plugin in profile.plugins:
        need = plugin.need(pod, snapshot)
        if isinstance(need, Stopped):
            return need
        if need is not None:
            asked.append((plugin, need))
    scored = []
    for plugin, need in asked:
        _filter(plugin, need, profile, snapshot, lines)
        if (relation := plugin.relate(need, snapshot)) is not None:
            _join(relation, snapshot)
            _filter_related(plugin, relation, profile, lines)
            if relation.scores and profile.weights.get(plugin.name):
                scored.append((plugin, relation))
    _mark_nominated(pod, snapshot, profile, lines)
    candidates = [each for each in lines if each.fits]
    for plugin, need in asked:
        weight = profile.weights.get(plugin.name, 0)
        if weight and (score := plugin.score(need, snapshot)) is not None:
            _score(plugin, score, weight, lines, candidates)
    for plugin, relation in scored:
        _score_related(plugin, relation, profile.weights[plugin.name], candidates)
    return lines


def _mark_nominated(pod: PodInfo, snapshot: Snapshot, profile: Profile, lines: Sequence[Line]) -> None:
    """Reject the nodes on which there is no room beside the pods that they are kept for, as the engine does."""
    if not len(snapshot.nominations):
        return
    evaluation = Evaluations(snapshot, profile).of(pod)
    if isinstance(evaluation, Stopped):
        return
    for line in lines:
        if line.fits and (rejection := evaluation.rejection_of(line.node.index)) is not None:
            line.verdicts[rejection.plugin].reasons = rejection.reasons


def _filter(plugin: Plugin, need: Any, profile: Profile, snapshot: Snapshot, lines: Sequence[Line]) -> None:
    found = plugin.filter(need, snapshot) if plugin.name in profile.filters else None
    if found is None:
        return
    for line in lines:
        rejection = found.judge(line.node)
        line.verdicts[plugin.name] = Verdict(rejection.reasons if rejection else ())


def _join(relation: Relation, snapshot: Snapshot) -> None:
    for node in snapshot.existing_nodes():
        relation.join(node)
    relation.settle()


def _filter_related(plugin: Plugin, relation: Relation, profile: Profile, lines: Sequence[Line]) -> None:
    filters = relation.filters and plugin.name in profile.filters
    for line in lines:
        rejection = relation.rejection(relation.fact(line.node.index)) if filters else None
        line.verdicts[plugin.name] = Verdict(rejection.reasons if rejection else ())


def _score(
    plugin: Plugin, score: Score, weight: int, lines: Sequence[Line], candidates: Sequence[Line]
) -> None:
    if score.renew is not None:
        score.renew()
    for line in lines:
        line.verdicts.setdefault(plugin.name, Verdict()).raw = score.rate(line.node)
    raw = [line.verdicts[plugin.name].raw or 0 for line in candidates]
    lowest, highest = min(raw, default=0), max(raw, default=0)
    for line, each in zip(candidates, raw, strict=True):
        verdict = line.verdicts[plugin.name]
        verdict.points = score.normalize(each, lowest, highest) if score.normalize else each
        verdict.weight = weight


def _score_related(plugin: Plugin, relation: Relation, weight: int, candidates: Sequence[Line]) -> None:
    if not candidates:
        return
    points = relation.points([(relation.fact(line.node.index), 1) for line in candidates])
    for line, each in zip(candidates, points, strict=True):
        verdict = line.verdicts[plugin.name]
        verdict.points, verdict.weight = each, weight
