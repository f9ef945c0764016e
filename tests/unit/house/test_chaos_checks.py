"""What chaos tests check finds what they are there for."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.chaos_checks import check_kept, is_clean, is_settled


def pod(uid: str, *, ready: bool = True) -> dict[str, Any]:
    return {
        "metadata": {"uid": uid, "name": uid},
        "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": str(ready)}]},
    }


def test_a_cluster_that_is_not_settled_is_found():
    """A pod too few, one too many, or one that is not Ready."""
    assert is_settled([pod("a"), pod("b")], 2)
    assert not is_settled([pod("a")], 2)
    assert not is_settled([pod("a"), pod("b"), pod("c")], 2)
    assert not is_settled([pod("a"), pod("b", ready=False)], 2)


def test_a_lost_write_is_found():
    """One that was acknowledged; one whose outcome nobody knew may be there."""
    check_kept({"a"}, {"a", "b"})
    with pytest.raises(AssertionError, match="acknowledged and lost"):
        check_kept({"a", "b"}, {"b"})


def test_a_container_without_its_pod_is_found():
    """And a pod without a container."""
    assert is_clean([pod("a")], {"a"})
    assert not is_clean([pod("a")], {"a", "b"})
    assert not is_clean([pod("a"), pod("b")], {"a"})
