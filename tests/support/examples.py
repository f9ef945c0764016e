"""How many examples a property or a scenario is tried on: all that its author asked for, or fewer for `make quick`.

That is `--hypothesis-profile=quick`, which tries a fifth of the examples of a property, and `-m "not deep"`, which
leaves out seeds after the first, and what is tried on large inputs. `make test` tries them all. What is a product of two long
lists is tried whole with `--hypothesis-profile=thorough` alone: see `in_turns`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import pytest
from hypothesis import settings
from hypothesis.internal.conjecture import providers

T = TypeVar("T")

_FULL, _QUICK, _THOROUGH = 100, 20, 1000  # the first is what Hypothesis tries on its own


def register_profiles() -> None:
    """Make the profile `quick` known to Hypothesis, which reads no source for constants that it might try then.

    That takes more than a second of every process, and finds little in so few examples.
    """
    settings.register_profile("quick", max_examples=_QUICK, deadline=None, print_blob=True)
    settings.register_profile("thorough", max_examples=_THOROUGH, deadline=None, print_blob=True)
    providers._get_local_constants = lambda: providers._local_constants


def examples(count: int) -> settings:
    """Return the settings of a property that is to be tried so often in full, without a limit of time for each."""
    return settings(max_examples=max(1, count * settings.default.max_examples // _FULL), deadline=None)


def first_seeds(count: int, *, quick: int) -> list[Any]:
    """Return parameters with the seeds 0 to `count` - 1, of which those from `quick` on are marked `deep`."""
    return [*range(quick), *(pytest.param(seed, marks=pytest.mark.deep) for seed in range(quick, count))]


def sample(cases: Sequence[T]) -> Sequence[T]:
    """Return which of many cases are tried: all in full, every fifth for `make quick`."""
    return cases[:: max(1, _FULL // settings.default.max_examples)]


def in_turns(cases: Sequence[T], turn: int, of: int) -> Sequence[T]:
    """Return the cases whose turn it is, of so many: each case has one. All cases, where it is to be thorough."""
    return cases if settings.default.max_examples >= _THOROUGH else cases[turn::of]
