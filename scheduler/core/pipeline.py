"""The filters, scores and relations of a profile's plugins for pods with the same needs, in the order in which they are asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from scheduler.core.framework import Filter, Need, Normalize, Plugin, Relation, Score, Sees, says_something
from scheduler.core.node import NodeInfo
from scheduler.core.profile import Profile
from scheduler.core.rejection import Rejection
from scheduler.core.snapshot import Snapshot

Judge: TypeAlias = Callable[[NodeInfo], Rejection | None]
Rate: TypeAlias = Callable[[NodeInfo], int]
_Asked: TypeAlias = list[tuple[Plugin, Need]]


class Related(NamedTuple):
    """A relation; whether it filters, and the weight of its points, 0 where they do not count."""

    relation: Relation
    filters: bool
    weight: int


@dataclass(frozen=True, slots=True)
class Pipeline:
    """What is asked about each node, apart by what it sees."""

    node_filters: tuple[Judge, ...]
    pod_filters: tuple[Judge, ...]
    node_raw: tuple[Rate, ...]  # scores that are normalized
    pod_raw: tuple[Rate, ...]
    normalizations: tuple[tuple[Normalize, int], ...]  # of those, in this order, with their weights
    node_own: tuple[tuple[Rate, int], ...]  # scores from 0 to 100, with their weights
    pod_own: tuple[Rate, ...]  # with their weights in them
    relations: tuple[Related, ...]
    renewals: tuple[Callable[[], bool], ...]
    reserving: tuple[tuple[Plugin, Need], ...]  # plugins that may give the pod more than a node


def build_pipeline(profile: Profile, needs: Sequence[Need | None], snapshot: Snapshot) -> Pipeline:
    """Ask the plugins of a profile, each with its need; one that has none is left out."""
    asked = [(each, need) for each, need in zip(profile.plugins, needs, strict=True) if need is not None]
    filters = _filters(profile, asked, snapshot)
    scores = _scores(profile, asked, snapshot)
    raw = sorted(
        ((score, weight) for score, weight in scores if score.normalize), key=lambda each: _sees_pods(each[0])
    )
    own = [(score, weight) for score, weight in scores if not score.normalize]
    return Pipeline(
        node_filters=tuple(each.judge for each in filters if not _sees_pods(each)),
        pod_filters=tuple(each.judge for each in filters if _sees_pods(each)),
        node_raw=tuple(score.rate for score, _ in raw if not _sees_pods(score)),
        pod_raw=tuple(score.rate for score, _ in raw if _sees_pods(score)),
        normalizations=tuple((score.normalize, weight) for score, weight in raw if score.normalize),
        node_own=tuple((score.rate, weight) for score, weight in own if not _sees_pods(score)),
        pod_own=tuple(_weighted(score.rate, weight) for score, weight in own if _sees_pods(score)),
        relations=_relations(profile, asked, snapshot),
        renewals=tuple(score.renew for score, _ in scores if score.renew is not None),
        reserving=tuple(
            (plugin, need)
            for plugin, need in asked
            if plugin.name in profile.reserving and says_something(plugin, "reserve")
        ),
    )


def _filters(profile: Profile, asked: _Asked, snapshot: Snapshot) -> list[Filter]:
    found = (plugin.filter(need, snapshot) for plugin, need in asked if plugin.name in profile.filters)
    return [each for each in found if each is not None]


def _scores(profile: Profile, asked: _Asked, snapshot: Snapshot) -> list[tuple[Score, int]]:
    return [
        (found, weight)
        for plugin, need in asked
        if (weight := profile.weights.get(plugin.name, 0))
        and (found := plugin.score(need, snapshot)) is not None
    ]


def _relations(profile: Profile, asked: _Asked, snapshot: Snapshot) -> tuple[Related, ...]:
    return tuple(
        Related(
            found,
            found.filters and plugin.name in profile.filters,
            profile.weights.get(plugin.name, 0) if found.scores else 0,
        )
        for plugin, need in asked
        if (found := plugin.relate(need, snapshot)) is not None
    )


def _sees_pods(each: Filter | Score) -> bool:
    return each.sees is Sees.PODS


def _weighted(rate: Rate, weight: int) -> Rate:
    return rate if weight == 1 else lambda node: weight * rate(node)
