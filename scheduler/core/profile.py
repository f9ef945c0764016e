"""Which plugins look at the pods that name a scheduler, in which order, and what their scores weigh."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from scheduler.core.framework import Plugin, says_something


@dataclass(frozen=True, slots=True)
class Profile:
    """The plugins in their order. One that is at a point is in the set of that point."""

    scheduler_name: str
    plugins: tuple[Plugin, ...]
    weights: Mapping[str, int]  # of the plugins that score, 1 or more
    filters: frozenset[str]  # names of the plugins that filter
    gating: frozenset[str]  # of those that may hold pods back
    remedying: frozenset[str]  # of those that are asked about pods that fit nowhere
    sorts: Plugin | None = None  # the queue, for all profiles; None: PrioritySort
    reserving: frozenset[str] = (
        frozenset()
    )  # that may give more than a node, and hear of a pod that does not get it
    permits: tuple[Plugin, ...] = ()
    pre_binds: tuple[Plugin, ...] = ()  # in addition to those of which the shell writes what was reserved
    binds: tuple[Plugin, ...] = ()  # asked in this order, before the default
    post_binds: tuple[Plugin, ...] = ()
    is_extended: bool = False  # by plugins that are not Kubarium's

    @property
    def gates(self) -> tuple[Plugin, ...]:
        """The plugins that may hold a pod back before it is looked at."""
        return tuple(each for each in self.plugins if each.name in self.gating)

    @property
    def remedies(self) -> tuple[Plugin, ...]:
        """The plugins that are asked about pods that fit nowhere."""
        return tuple(each for each in self.plugins if each.name in self.remedying)

    @property
    def unreserves(self) -> tuple[Plugin, ...]:
        """The plugins that hear of a pod that does not get its node, the last one first."""
        return tuple(each for each in reversed(self.plugins) if each.name in self.reserving)


def profile_of(scheduler_name: str, plugins: tuple[Plugin, ...]) -> Profile:
    """Return the profile in which each plugin does all that it can, with its own weight."""
    return Profile(
        scheduler_name,
        plugins,
        {each.name: each.weight for each in plugins if each.name in _with(plugins, "score", "relate")},
        _with(plugins, "need"),
        _with(plugins, "gate"),
        _with(plugins, "remedy"),
        next((each for each in plugins if says_something(each, "queue_key")), None),
        _with(plugins, "reserve", "unreserve"),
        _that(plugins, "permit"),
        _that(plugins, "pre_bind"),
        _that(plugins, "bind"),
        _that(plugins, "post_bind"),
    )


def _with(plugins: Iterable[Plugin], *points: str) -> frozenset[str]:
    """Return the names of the plugins that have something to say at one of some points."""
    return frozenset(each.name for each in plugins if says_something(each, *points))


def _that(plugins: Iterable[Plugin], point: str) -> tuple[Plugin, ...]:
    return tuple(each for each in plugins if says_something(each, point))
