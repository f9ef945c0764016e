"""What the supervisor does about a process that ends."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from kubarium.core.components import Component, components
from kubarium.core.layout import Layout
from kubarium.core.places import LocalPlaces
from kubarium.core.spec import ClusterSpec
from kubarium.core.supervision import (
    LONGEST_DELAY_S,
    Phase,
    Supervised,
    became_ready,
    due,
    exited,
    next_due_s,
    started,
    stop_order,
    stopped_by_user,
    wanted_by_user,
)


def component(name: str = "scheduler", *after: str) -> Supervised:
    return Supervised(Component(name, name, {}, after=after))


def running(name: str = "scheduler") -> Supervised:
    return became_ready(started(component(name), 42, 0.0))


def test_a_crash_is_followed_by_a_restart_after_100_ms():
    """A process that died on its own is brought back, as systemd would."""
    crashed = exited(running(), "exited with code 1", 1.0)
    assert crashed.phase is Phase.BACKOFF
    assert due({"scheduler": crashed}, 1.09) == []
    assert due({"scheduler": crashed}, 1.1) == [crashed]
    assert crashed.restarts == 1


def test_a_crash_loop_slows_down_to_five_seconds():
    """Each quick crash doubles the delay, up to the longest."""
    process, delays = running(), []
    for _ in range(8):
        process = exited(process, "exited with code 1", 0.0)
        delays.append(process.delay_s)
        process = started(process, 43, 0.0)
    assert delays == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, LONGEST_DELAY_S, LONGEST_DELAY_S]


def test_a_long_run_earns_the_short_delay_again():
    """After a steady run the next crash counts as the first."""
    process = exited(started(replace(running(), delay_s=3.2), 44, 0.0), "killed by SIGSEGV", 11.0)
    assert process.delay_s == pytest.approx(0.1)


def test_what_the_user_stopped_stays_down():
    """A stopped component is not brought back when its process ends."""
    gone = exited(stopped_by_user(running()), "killed by the user", 1.0)
    assert gone.phase is Phase.STOPPED
    assert due({"scheduler": gone}, 1000.0) == []
    assert gone.restarts == 0


def test_what_the_user_wants_again_starts_at_once():
    """A restart by the user waits for no delay."""
    gone = exited(stopped_by_user(running()), "killed by the user", 1.0)
    assert due({"scheduler": wanted_by_user(gone)}, 1.0)


def test_wanting_what_runs_changes_nothing():
    """A running component is not started a second time."""
    assert wanted_by_user(running()) == running()


def test_a_first_start_waits_for_its_dependencies():
    """A component is started when all it depends on is ready, not before."""
    table = {
        "apiserver": started(component("apiserver"), 1, 0.0),
        "scheduler": component("scheduler", "apiserver"),
    }
    assert due(table, 0.0) == []
    table["apiserver"] = became_ready(table["apiserver"])
    assert [process.name for process in due(table, 0.0)] == ["scheduler"]


def test_a_restart_waits_for_nobody():
    """A component that ran before comes back although its dependency is away."""
    back = exited(replace(running(), component=component("scheduler", "apiserver").component), "killed", 0.0)
    assert due({"apiserver": component("apiserver"), "scheduler": back}, 0.2)[-1].name == "scheduler"


def test_the_next_delay_is_known():
    """The loop may sleep until the first delay is over, and for ever where there is none."""
    assert next_due_s({"scheduler": running()}) is None
    assert next_due_s({"scheduler": exited(running(), "killed", 2.0)}) == pytest.approx(2.1)


def test_nobody_is_stopped_after_whom_it_speaks_to():
    """Leaders give their leases back, and what they have under way gets through."""
    spec = ClusterSpec(etcd=3, apiservers=2, schedulers=2, registry_port=5001).with_node()
    parts = components(LocalPlaces(spec, Layout(Path("/home"), Path("/run"))))
    assert stop_order({part.name: Supervised(part) for part in parts}) == [
        ["dockershim@node-1", "kubelet@node-1", "proxy@node-1"],
        ["scheduler-1", "scheduler-2", "controllers", "dns"],
        ["apiserver-1", "apiserver-2", "registry"],
        ["etcd-1", "etcd-2", "etcd-3"],
    ]
