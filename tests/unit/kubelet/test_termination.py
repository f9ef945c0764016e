import pytest

from kubelet.core.termination import (
    LONGEST_GRACE_S,
    Deadline,
    grace_s,
    probe_grace_s,
    runtime_timeout_s,
)
from machinery.model.clock import Timescale
from machinery.pb import cri_pb2 as cri
from tests.support.builders import pod


@pytest.mark.parametrize(
    ("deletion", "declared", "expected"),
    [(None, None, 30), (None, 5, 5), (10, 60, 10), (0, 60, 1), (None, 0, 1)],
)
def test_the_grace_period_of_a_pod(deletion, declared, expected):
    """The deletion's counts, else the declared one, else 30 s; never less than one second."""
    found = pod(terminationGracePeriodSeconds=declared, meta_fields={"deletionGracePeriodSeconds": deletion})
    assert grace_s(found) == expected


@pytest.mark.parametrize(("own", "expected"), [(None, 60), (3, 3), (0, 1)])
def test_a_probe_may_have_a_grace_period_of_its_own(own, expected):
    """It comes before the pod's."""
    assert probe_grace_s(pod(terminationGracePeriodSeconds=60), own) == expected


def test_the_hook_s_time_counts_against_the_grace_period():
    """What the hook used is gone for the container, except for the last two seconds."""
    deadline = Deadline(since_s=100, grace_s=30)
    assert deadline.pre_stop_limit_s(100) == 30
    assert deadline.kill_at(110) == 130
    assert deadline.kill_at(129.5) == 131.5
    assert deadline.kill_at(130) == 132


def test_a_deadline_only_comes_nearer():
    """A shorter grace counts from when it is asked for; a longer one changes nothing."""
    deadline = Deadline(since_s=100, grace_s=30)
    assert deadline.shortened(5, 110) == Deadline(110, 5)
    assert deadline.shortened(60, 110) is deadline


@pytest.mark.parametrize(("scale", "expected"), [(1, 31), (20, 31), (0.5, 61)])
def test_the_runtime_s_own_timeout_is_never_too_short(scale, expected):
    """Neither a runtime with the wall's clock nor one with the cluster's kills before the kubelet does."""
    assert runtime_timeout_s(30, Timescale(scale)) == expected


@pytest.mark.parametrize("declared", [2**63 - 1, 10**9 + 1])
def test_a_grace_period_without_end_is_thirty_years(declared):
    """What the CRI cannot say is cut; the pod ends all the same when it is told to."""
    found = pod(terminationGracePeriodSeconds=declared)
    assert (
        grace_s(found)
        == probe_grace_s(found, None)
        == probe_grace_s(found, float(declared))
        == LONGEST_GRACE_S
    )
    cri.StopContainerRequest(container_id="c", timeout=runtime_timeout_s(grace_s(found), Timescale(0.5)))
