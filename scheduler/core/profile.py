"""Which plugins look at the pods that name a scheduler, in which order, and what their scores weigh."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from scheduler.core.framework import Plugin


@dataclass(frozen=True, slots=True)
class Profile:
    """The plugins in their order. One that is at a point is in the set of that point."""

    scheduler_name: str
    plugins: tuple[Plugin, ...]
    weights: Mapping[str, int]  # of the plugins that score, 1 or more
    filters: frozenset[str]  # names of the plugins that filter

    @property
    def gates(self) -> tuple[Plugin, ...]:
        """The plugins that may hold a pod back before it is looked at."""
        return self.at("gate")

    @property
    def remedies(self) -> tuple[Plugin, ...]:
        """The plugins that are asked about pods that fit nowhere."""
        return self.at("remedy")

    def at(self, point: str) -> tuple[Plugin, ...]:
        """Return the plugins that have something to say at a point, in their order."""
        return tuple(
            each for each in self.plugins if getattr(type(each), point) is not getattr(Plugin, point)
        )


def profile_of(scheduler_name: str, plugins: tuple[Plugin, ...]) -> Profile:
    """Return the profile in which each plugin does all that it can, with its own weight."""
    return Profile(
        scheduler_name,
        plugins,
        {each.name: each.weight for each in plugins},
        frozenset(each.name for each in plugins),
    )
