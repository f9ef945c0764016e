"""What a node is short of, and since when: the state of the eviction manager between two looks.

Fed by the shell (kubelet/eviction/manager.py) with what it observes; what comes out is the node's conditions and the one
threshold that pods are evicted for. All times are monotonic cluster seconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from kubelet.core.eviction.thresholds import CONDITIONS, Observations, Signal, Threshold, met


@dataclass(frozen=True, slots=True)
class Pressure:
    """What is known between two looks."""

    since_s: Mapping[Threshold, float] = field(default_factory=dict)  # of those that are met: the first look
    pressed_s: Mapping[str, float] = field(default_factory=dict)  # by condition: the last look
    now: frozenset[str] = frozenset()  # conditions of the last look
    due: tuple[Threshold, ...] = ()  # met for longer than their grace periods


def looked(
    pressure: Pressure, thresholds: Iterable[Threshold], observations: Observations, now_s: float
) -> Pressure:
    """Note a look. A threshold that pods were evicted for counts until its minimum reclaim is there, too."""
    found = dict.fromkeys(
        (*met(thresholds, observations), *met(pressure.due, observations, with_reclaim=True))
    )
    since_s = {each: pressure.since_s.get(each, now_s) for each in found}
    now = frozenset(CONDITIONS[each.signal] for each in found)
    due = tuple(each for each, first_s in since_s.items() if now_s - first_s >= (each.grace_s or 0.0))
    return Pressure(since_s, {**pressure.pressed_s, **dict.fromkeys(now, now_s)}, now, due)


def conditions(pressure: Pressure, transition_s: float, now_s: float) -> frozenset[str]:
    """Return the conditions that hold: a node that swings is not worth new pods, so each lasts for a while."""
    recent = {type_ for type_, last_s in pressure.pressed_s.items() if now_s - last_s < transition_s}
    return pressure.now | recent


def most_urgent(pressure: Pressure) -> Threshold | None:
    """Return the threshold that pods are to be evicted for now: memory first, hard before soft."""
    order = sorted(
        pressure.due, key=lambda each: (each.signal is not Signal.MEMORY, each.grace_s is not None)
    )
    return order[0] if order else None
