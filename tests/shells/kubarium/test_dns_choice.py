"""How DNS is chosen where the engine does not have the image for it."""

from __future__ import annotations

import pytest

from kubarium.core.spec import ClusterSpec
from kubarium.errors import KubariumError
from kubarium.starting import with_dns

NOWHERE = ClusterSpec(docker_socket="/nonexistent/docker.sock")


def test_auto_is_a_process_and_says_why() -> None:
    """What the engine, or whoever asks it, says of the image."""
    said: list[str] = []
    assert with_dns(NOWHERE, "auto", said.append) == NOWHERE
    assert len(said) == 1
    assert said[0].startswith("DNS is a process beside the control plane: not every image could be loaded: ")


def test_a_workload_that_was_asked_for_is_refused() -> None:
    """With what makes the image, and what needs none."""
    with pytest.raises(KubariumError, match=r"--dns deployment: .*scripts/image.*--dns process"):
        with_dns(NOWHERE, "deployment", print)


def test_simulated_containers_ask_no_engine() -> None:
    """They have no DNS."""
    hollow = ClusterSpec(runtime="hollow", docker_socket="/nonexistent/docker.sock")
    assert with_dns(hollow, "auto", print) == hollow
