"""Which plugins are at which points of a profile.

What the file says of one point comes before what it says of all (`multiPoint`), and that before the defaults. A plugin needs what
it does at PreFilter, PreScore, Reserve and PreBind for its Filter and Score: it is at these points when it is at one of those.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from scheduler.core.configured.documents import BadConfiguration, Plugins, PluginSet
from scheduler.core.framework import Plugin
from scheduler.core.profile import says_something

QUEUE_SORT: Final = "PrioritySort"
BINDER: Final = "DefaultBinder"
ALWAYS: Final = "Unbuilt"
_ALL: Final = "*"
_FOLLOWING: Final = ("preFilter", "preScore", "reserve", "preBind")
_NOBODY: Final = ("permit", "postBind", "placementGenerate", "placementScore")


@dataclass(frozen=True, slots=True)
class Points:
    """The names of plugins at the points that can be chosen; for scores, their weights."""

    gates: frozenset[str]
    filters: frozenset[str]
    remedies: frozenset[str]
    weights: Mapping[str, int]


def choose_points(plugins: Plugins, known: Iterable[Plugin], where: str) -> Points:
    """Return who is at which point.

    Raises:
        BadConfiguration: a plugin is not known, or has no business at a point, or one that has to be there is not.
    """
    by_name = {each.name: each for each in known}
    _check_names(plugins, {*by_name, QUEUE_SORT, BINDER} - {ALWAYS}, where)
    every = _members(plugins.multiPoint, (*by_name, QUEUE_SORT, BINDER), {*by_name, QUEUE_SORT, BINDER})
    for point, name in (("queueSort", QUEUE_SORT), ("bind", BINDER)):
        if name not in _members(getattr(plugins, point), every & {name}, {name}):
            raise BadConfiguration(
                f"{where}.{point}: {name} has to be enabled: there is no other plugin for it"
            )
    scoring = _members(
        plugins.score, every & _at(by_name, "score", "relate"), _at(by_name, "score", "relate")
    )
    points = Points(
        _chosen(plugins.preEnqueue, every, _at(by_name, "gate")),
        _chosen(plugins.filter, every, _at(by_name, "need")) | {ALWAYS},
        _chosen(plugins.postFilter, every, _at(by_name, "remedy")),
        {name: _weight(plugins, by_name[name]) for name in scoring},
    )
    _check_following(plugins, points, where)
    return points


def _at(plugins: Mapping[str, Plugin], *points: str) -> set[str]:
    """Return the plugins that have something to say at one of some points."""
    return {name for name, each in plugins.items() if name != ALWAYS and says_something(each, *points)}


def _chosen(chosen: PluginSet, every: set[str], able: set[str]) -> frozenset[str]:
    return frozenset(_members(chosen, every & able, able))


def _members(chosen: PluginSet, defaults: Iterable[str], able: set[str]) -> set[str]:
    out = {each.name for each in chosen.disabled}
    kept = set() if _ALL in out else set(defaults) - out
    return kept | {each.name for each in chosen.enabled if each.name in able}


def _weight(plugins: Plugins, plugin: Plugin) -> int:
    for chosen in (plugins.score, plugins.multiPoint):
        for each in chosen.enabled:
            if each.name == plugin.name and each.weight:
                return each.weight
    return plugin.weight


def _check_names(plugins: Plugins, known: set[str], where: str) -> None:
    for point in plugins.__struct_fields__:
        chosen: PluginSet = getattr(plugins, point)
        for verb in ("enabled", "disabled"):
            for number, each in enumerate(getattr(chosen, verb)):
                at = f"{where}.{point}.{verb}[{number}].name"
                if each.name not in known and not (verb == "disabled" and each.name == _ALL):
                    raise BadConfiguration(
                        f"{at}: {each.name} is not built in Kubarium; there are {', '.join(sorted(known))}"
                    )
                if verb == "enabled" and point in _NOBODY:
                    raise BadConfiguration(f"{at}: no plugin has something to do at this point")
        if any(each.weight < 0 for each in chosen.enabled):
            raise BadConfiguration(f"{where}.{point}.enabled: a weight is 1 or more")


def _check_following(plugins: Plugins, points: Points, where: str) -> None:
    still = points.filters | set(points.weights)
    for point in _FOLLOWING:
        for number, each in enumerate(getattr(plugins, point).disabled):
            if (left := still if each.name == _ALL else still & {each.name}) - {ALWAYS}:
                raise BadConfiguration(
                    f"{where}.{point}.disabled[{number}].name: {', '.join(sorted(left - {ALWAYS}))} is still at filter or score, "
                    "and nothing without this point; disable it at multiPoint"
                )
