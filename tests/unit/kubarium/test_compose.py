"""The cluster as compose services."""

from __future__ import annotations

import pytest

from kubarium.core.compose import STATE, compose_file, compose_spec


def test_there_is_a_service_for_every_part():
    """The control plane is a service each, a node is one service."""
    services = compose_file(compose_spec())["services"]
    assert set(services) == {
        "setup",
        "etcd",
        "apiserver",
        "scheduler",
        "controllers",
        "node-1",
        "node-2",
        "node-3",
    }


def test_no_service_is_privileged():
    """A node asks for three capabilities and no more."""
    services = compose_file(compose_spec())["services"]
    assert all("privileged" not in service for service in services.values())
    assert services["node-1"]["cap_add"] == ["NET_ADMIN", "SYS_ADMIN", "SYS_PTRACE"]
    assert "cap_add" not in services["apiserver"]


def test_only_nodes_see_the_engine():
    """The Docker socket is handed to nodes alone."""
    services = compose_file(compose_spec())["services"]
    holders = {
        name
        for name, service in services.items()
        if any("docker.sock" in item for item in service["volumes"])
    }
    assert holders == {"node-1", "node-2", "node-3"}


def test_state_has_the_same_path_inside_and_outside():
    """Docker resolves a pod's mounts outside, so the kubelet's folders are at the same path there."""
    services = compose_file(compose_spec())["services"]
    assert f"{STATE}:{STATE}" in services["node-1"]["volumes"]


def test_the_api_is_published_on_loopback_only():
    """Nobody but this machine reaches the apiserver's REST door."""
    assert compose_file(compose_spec())["services"]["apiserver"]["ports"] == ["127.0.0.1:8443:8443"]


def test_an_unknown_profile_is_refused():
    """A wrong KUBARIUM_PROFILE is named with the right ones."""
    with pytest.raises(ValueError, match="one of default, fast, not 'quick'"):
        compose_spec(profile="quick")
