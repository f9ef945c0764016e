"""Which plugins look at the pods that name a scheduler, in which order, and what their scores weigh."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from scheduler.core.framework import Plugin


@dataclass(frozen=True, slots=True)
class Profile:
    """The plugins in their order. One that is at a point is in the set of that point."""

    scheduler_name: str
    plugins: tuple[Plugin, ...]
    weights: Mapping[str, int]  # of the plugins that score, 1 or more
    filters: frozenset[str]  # names of the plugins that filter
    gating: frozenset[str]  # of those that may hold pods back
    remedying: frozenset[str]  # of those that are asked about pods that fit nowhere

    @property
    def gates(self) -> tuple[Plugin, ...]:
        """The plugins that may hold a pod back before it is looked at."""
        return tuple(each for each in self.plugins if each.name in self.gating)

    @property
    def remedies(self) -> tuple[Plugin, ...]:
        """The plugins that are asked about pods that fit nowhere."""
        return tuple(each for each in self.plugins if each.name in self.remedying)


def profile_of(scheduler_name: str, plugins: tuple[Plugin, ...]) -> Profile:
    """Return the profile in which each plugin does all that it can, with its own weight."""
    return Profile(
        scheduler_name,
        plugins,
        {each.name: each.weight for each in plugins if each.name in _with(plugins, "score", "relate")},
        _with(plugins, "need"),
        _with(plugins, "gate"),
        _with(plugins, "remedy"),
    )


def _with(plugins: Iterable[Plugin], *points: str) -> frozenset[str]:
    """Return the names of the plugins that have something to say at one of some points."""
    return frozenset(each.name for each in plugins if says_something(each, *points))


def says_something(plugin: Plugin, *points: str) -> bool:
    """Whether a plugin has something to say at one of some points."""
    return any(getattr(type(plugin), each) is not getattr(Plugin, each) for each in points)
