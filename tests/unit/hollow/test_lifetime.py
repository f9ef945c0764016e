"""A simulated container's state is a function of what was done to it and the time."""

from __future__ import annotations

import pytest

from hollow.core.behaviour import Behaviour
from hollow.core.lifetime import KILLED, START_FAILED, Lifetime, State, observe, plan_end

RUNS = Behaviour()


def test_before_its_start_it_is_created():
    """However late it is."""
    assert observe(Lifetime(0), RUNS, 1e9) is State.CREATED
    assert plan_end(Lifetime(0), Behaviour(exit_after_s=1)) is None


def test_without_a_reason_it_runs_for_ever():
    """Nothing ends it."""
    assert observe(Lifetime(0, started_s=1), RUNS, 1e9) is State.RUNNING


def test_it_ends_by_itself():
    """At the moment that its annotation says, with its code."""
    lifetime, ends = Lifetime(0, started_s=1), Behaviour(exit_after_s=3, exit_code=4)
    assert observe(lifetime, ends, 3.9) is State.RUNNING
    assert observe(lifetime, ends, 4) is State.EXITED
    end = plan_end(lifetime, ends)
    assert end is not None
    assert (end.exit_code, end.reason) == (4, "Error")


def test_sigterm_ends_it_unless_it_is_deaf():
    """Then SIGKILL does."""
    lifetime = Lifetime(0, started_s=1, term_s=10, kill_s=40)
    polite, deaf = plan_end(lifetime, RUNS), plan_end(lifetime, Behaviour(ignore_term=True))
    assert polite is not None
    assert (polite.at_s, polite.exit_code, polite.reason) == (10, 0, "Completed")
    assert deaf is not None
    assert (deaf.at_s, deaf.exit_code) == (40, KILLED)


def test_one_that_is_slow_to_end_is_killed_first():
    """The earlier end counts."""
    end = plan_end(Lifetime(0, started_s=1, term_s=10, kill_s=12), Behaviour(term_after_s=5))
    assert end is not None
    assert (end.at_s, end.exit_code) == (12, KILLED)


@pytest.mark.parametrize(
    ("behaviour", "code", "reason"),
    [
        (Behaviour(oom_after_s=2), 137, "OOMKilled"),
        (Behaviour(start_error="no such file"), START_FAILED, "StartError"),
    ],
)
def test_special_ends(behaviour: Behaviour, code: int, reason: str):
    """Each has the code and the word that a real runtime gives it."""
    end = plan_end(Lifetime(0, started_s=1), behaviour)
    assert end is not None
    assert (end.exit_code, end.reason) == (code, reason)
