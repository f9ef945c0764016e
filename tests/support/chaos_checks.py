"""What has to be true after a cluster was broken at random."""

from __future__ import annotations

from typing import Any

from tests.support.kubectl import is_ready


def is_settled(pods: list[dict[str, Any]], replicas: int) -> bool:
    """Whether there are exactly the wanted pods, and all are Ready."""
    return len(pods) == replicas and all(map(is_ready, pods))


def check_kept(acknowledged: set[str], found: set[str]) -> None:
    """Check that no acknowledged write was lost; others may have been carried out, too.

    Raises:
        AssertionError: some are lost.
    """
    assert acknowledged <= found, f"acknowledged and lost: {acknowledged - found}"


def is_clean(pods: list[dict[str, Any]], uids_of_containers: set[str]) -> bool:
    """Whether every pod has containers, and no container is without its pod."""
    return {pod["metadata"]["uid"] for pod in pods} == uids_of_containers
