"""Which plugins are at which points of a profile.

What the file says of one point comes before what it says of all (`multiPoint`), and that before the defaults. A plugin of Kubarium's
needs what it does at PreFilter, PreScore, Reserve and PreBind for its Filter and Score: it is at these points when it is at one of
those. One that is not Kubarium's is nowhere unless the file says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from scheduler.core.configured.documents import BadConfiguration, Plugins, PluginSet
from scheduler.core.framework import Plugin, says_something
from scheduler.core.registry import PLUGINS

QUEUE_SORT: Final = "PrioritySort"
BINDER: Final = "DefaultBinder"
ALWAYS: Final = "Unbuilt"
_ALL: Final = "*"
_FOLLOWING: Final[Mapping[str, frozenset[str]]] = {
    "preFilter": frozenset(
        [
            "NodeAffinity",
            "NodePorts",
            "NodeResourcesFit",
            "VolumeRestrictions",
            "NodeVolumeLimits",
            "VolumeBinding",
            "VolumeZone",
            "PodTopologySpread",
            "InterPodAffinity",
            "DynamicResources",
        ]
    ),
    "preScore": frozenset(
        [
            "TaintToleration",
            "NodeAffinity",
            "NodeResourcesFit",
            "PodTopologySpread",
            "InterPodAffinity",
            "NodeResourcesBalancedAllocation",
        ]
    ),
    "reserve": frozenset({"VolumeBinding", "DynamicResources"}),
    "preBind": frozenset({"VolumeBinding", "DynamicResources"}),
}
"""Whose filter or score says nothing without what they do at these points."""
_NOBODY: Final = ("placementGenerate", "placementScore")
_METHODS: Final[Mapping[str, tuple[str, ...]]] = {
    "preEnqueue": ("gate",),
    "queueSort": ("queue_key",),
    "preFilter": ("need",),
    "filter": ("need",),
    "postFilter": ("remedy",),
    "preScore": ("score", "relate"),
    "score": ("score", "relate"),
    "reserve": ("reserve", "unreserve"),
    "permit": ("permit",),
    "preBind": ("pre_bind",),
    "bind": ("bind",),
    "postBind": ("post_bind",),
}
"""What a plugin has something to say by at each point."""


@dataclass(frozen=True, slots=True)
class Points:
    """The names of plugins at the points that can be chosen; for scores, their weights. Where they are asked one after the other, in that order."""

    gates: frozenset[str]
    filters: frozenset[str]
    remedies: frozenset[str]
    weights: Mapping[str, int]
    sorts: str  # the one that sorts the queue
    reserves: frozenset[str]
    permits: tuple[str, ...]
    pre_binds: tuple[str, ...]
    binds: tuple[str, ...]
    post_binds: tuple[str, ...]

    @property
    def everybody(self) -> frozenset[str]:
        """The plugins that are at some point."""
        several = (self.gates, self.filters, self.remedies, self.weights, self.reserves, {self.sorts})
        return frozenset[str]().union(*several, self.permits, self.pre_binds, self.binds, self.post_binds)


def choose_points(plugins: Plugins, known: Iterable[Plugin], installed: Iterable[str], where: str) -> Points:
    """Return who is at which point, of the plugins that are known; `installed` ones could be named, too.

    Raises:
        BadConfiguration: a plugin is not known, or has no business at a point, or one that has to be there is not.
    """
    by_name = {each.name: each for each in known}
    _check_names(plugins, by_name, {*by_name, *installed, QUEUE_SORT, BINDER} - {ALWAYS}, where)
    choice = _Choice(plugins, by_name)
    sorts = _sorts(choice, where)
    if not choice.has(BINDER, "bind"):
        raise BadConfiguration(
            f"{where}.bind: {BINDER} has to be enabled: it binds what no other plugin does"
        )
    points = Points(
        frozenset(choice.at("preEnqueue")),
        frozenset(choice.at("filter")) | {ALWAYS},
        frozenset(choice.at("postFilter")),
        {name: _weight(plugins, by_name[name]) for name in choice.at("score")},
        sorts,
        frozenset(choice.at("reserve")),
        choice.at("permit"),
        choice.at("preBind"),
        choice.at("bind"),
        choice.at("postBind"),
    )
    _check_following(plugins, points, where)
    return points


class _Choice:
    """What a profile says of each point."""

    def __init__(self, plugins: Plugins, by_name: Mapping[str, Plugin]) -> None:
        self._plugins = plugins
        self._by_name = by_name
        self._ours = {*(each.name for each in PLUGINS), QUEUE_SORT, BINDER}
        names = (*by_name, QUEUE_SORT, BINDER)
        by_default = [each for each in names if each in self._ours]
        self._every = _members(plugins.multiPoint, by_default, names)

    def at(self, point: str) -> tuple[str, ...]:
        """Return the plugins at a point, in the order in which they are asked: what the file says of it comes first."""
        methods = _METHODS[point]
        able = [
            name for name, each in self._by_name.items() if name != ALWAYS and says_something(each, *methods)
        ]
        chosen = self._chosen(point)
        named = [each.name for each in chosen.enabled if each.name in able]
        return tuple(
            dict.fromkeys([*named, *_members(chosen, [each for each in self._every if each in able], able)])
        )

    def has(self, name: str, point: str) -> bool:
        """Whether one that is no object here is at its point."""
        chosen: PluginSet = getattr(self._plugins, point)
        return name in _members(chosen, [each for each in self._every if each == name], [name])

    def _chosen(self, point: str) -> PluginSet:
        """Return what is said of a point; one that is not Kubarium's filters where it is at PreFilter, and scores at PreScore."""
        chosen: PluginSet = getattr(self._plugins, point)
        before: PluginSet | None = {"filter": self._plugins.preFilter, "score": self._plugins.preScore}.get(
            point
        )
        if before is None:
            return chosen
        theirs = (each for each in before.enabled if each.name not in self._ours)
        return PluginSet((*chosen.enabled, *theirs), chosen.disabled)


def _members(chosen: PluginSet, defaults: Iterable[str], able: Iterable[str]) -> list[str]:
    out = {each.name for each in chosen.disabled}
    kept = [] if _ALL in out else [each for each in defaults if each not in out]
    return list(dict.fromkeys([*kept, *(each.name for each in chosen.enabled if each.name in able)]))


def _sorts(choice: _Choice, where: str) -> str:
    """Return the one plugin that sorts the queue; one that the file has at every point only replaces none."""
    found = [*choice.at("queueSort"), *([QUEUE_SORT] if choice.has(QUEUE_SORT, "queueSort") else [])]
    if len(found) != 1:
        raise BadConfiguration(
            f"{where}.queueSort: {QUEUE_SORT} has to be enabled, or disabled for another one: here are {', '.join(found) or 'none'}"
        )
    return found[0]


def _weight(plugins: Plugins, plugin: Plugin) -> int:
    for chosen in (plugins.score, plugins.multiPoint):
        for each in chosen.enabled:
            if each.name == plugin.name and each.weight:
                return each.weight
    return plugin.weight


def _check_names(plugins: Plugins, by_name: Mapping[str, Plugin], known: set[str], where: str) -> None:
    for point in plugins.__struct_fields__:
        chosen: PluginSet = getattr(plugins, point)
        for verb in ("enabled", "disabled"):
            for number, each in enumerate(getattr(chosen, verb)):
                at = f"{where}.{point}.{verb}[{number}].name"
                if each.name not in known and not (verb == "disabled" and each.name == _ALL):
                    raise BadConfiguration(
                        f"{at}: {each.name} is not built in Kubarium, nor installed; there are {', '.join(sorted(known))}"
                    )
                if verb == "enabled":
                    _check_business(point, each.name, by_name, at)
        if any(each.weight < 0 for each in chosen.enabled):
            raise BadConfiguration(f"{where}.{point}.enabled: a weight is 1 or more")


def _check_business(point: str, name: str, by_name: Mapping[str, Plugin], at: str) -> None:
    """Check that a plugin has something to do at a point where the file has it."""
    if point in _NOBODY:
        raise BadConfiguration(f"{at}: no plugin has something to do at this point")
    if point == "multiPoint":
        return
    if name in {QUEUE_SORT, BINDER}:
        has = (point, name) in {("queueSort", QUEUE_SORT), ("bind", BINDER)}
    else:
        plugin = by_name[name]
        follows = point in _FOLLOWING and plugin.original is plugin  # part of its filter and score
        has = follows or says_something(plugin, *_METHODS[point])
    if not has:
        raise BadConfiguration(f"{at}: {name} has nothing to do at this point")


def _check_following(plugins: Plugins, points: Points, where: str) -> None:
    for point, followers in _FOLLOWING.items():
        chosen: PluginSet = getattr(plugins, point)
        whole = frozenset(points.weights) if point == "preScore" else points.filters
        still = (whole & followers) - {each.name for each in chosen.enabled}
        for number, each in enumerate(chosen.disabled):
            if left := still if each.name == _ALL else still & {each.name}:
                raise BadConfiguration(
                    f"{where}.{point}.disabled[{number}].name: {', '.join(sorted(left))} is still at filter or score, "
                    "and nothing without this point; disable it at multiPoint"
                )
