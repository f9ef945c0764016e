"""What a trial of a controller is: a course of events, and who works on it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from importlib import import_module
from typing import NamedTuple

from controllers.core.controller import Build
from tests.support.controller_crashes import CrashWorld

SILENT_S = 80.0  # longer than a node is waited for


class Trial(NamedTuple):
    """What happens to a controller, who works beside it, and how many writes its process makes at least.

    Few are `quick`; the others are left out of `make quick`.
    """

    course: Callable[[CrashWorld], Awaitable[None]]
    table: tuple[Build, ...]
    writes: int = 2
    quick: bool = False


def trials_of(build: Build) -> tuple[Trial, ...]:
    """Return the trials of a controller.

    Raises:
        ModuleNotFoundError: it has none; one that is added to the table has to be added here.
    """
    found: tuple[Trial, ...] = import_module(f"tests.support.trials.{name_of(build)}").TRIALS
    return found


def name_of(build: Build) -> str:
    """Return the name of a controller's folder."""
    return build.__module__.split(".")[1]
