"""A container's lifetime: what happened to it, when, and therefore in which state it is.

There is no state to keep: it is derived from timestamps and the time. So a runtime that was killed and comes
back finds its containers where they would be, also those that ended meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Final

from hollow.core.behaviour import Behaviour

KILLED: Final = 137  # 128 + SIGKILL
START_FAILED: Final = 128


class State(Enum):
    """Where a container stands."""

    CREATED = "created"
    RUNNING = "running"
    EXITED = "exited"


@dataclass(frozen=True, slots=True)
class Lifetime:
    """What was done to a container, in cluster seconds; None has not happened."""

    created_s: float
    started_s: float | None = None
    term_s: float | None = None  # SIGTERM
    kill_s: float | None = None  # SIGKILL; may lie ahead


@dataclass(frozen=True, slots=True)
class End:
    """How and when a container ends; `at_s` may lie ahead."""

    at_s: float
    exit_code: int
    reason: str
    message: str = ""


def observe(lifetime: Lifetime, behaviour: Behaviour, now_s: float) -> State:
    """Return the state of a container at a time."""
    if lifetime.started_s is None:
        return State.CREATED
    end = plan_end(lifetime, behaviour)
    return State.EXITED if end and end.at_s <= now_s else State.RUNNING


def plan_end(lifetime: Lifetime, behaviour: Behaviour) -> End | None:
    """Return the end that a started container is heading for; None if it runs until somebody stops it."""
    return min(_ends(lifetime, behaviour), key=lambda end: end.at_s, default=None)


def _ends(lifetime: Lifetime, behaviour: Behaviour) -> Iterator[End]:
    if lifetime.started_s is None:
        return
    if behaviour.start_error:
        yield End(lifetime.started_s, START_FAILED, "StartError", behaviour.start_error)
    if behaviour.oom_after_s is not None:
        yield End(lifetime.started_s + behaviour.oom_after_s, KILLED, "OOMKilled")
    if behaviour.exit_after_s is not None:
        yield _exit(lifetime.started_s + behaviour.exit_after_s, behaviour.exit_code)
    if lifetime.term_s is not None and not behaviour.ignore_term:
        yield _exit(lifetime.term_s + behaviour.term_after_s, behaviour.term_exit_code)
    if lifetime.kill_s is not None:
        yield _exit(lifetime.kill_s, KILLED)


def _exit(at_s: float, code: int) -> End:
    return End(at_s, code, "Error" if code else "Completed")
