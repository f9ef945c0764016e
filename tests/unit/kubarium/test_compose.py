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
        "dns",
        "publish",
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


def test_the_state_is_a_volume_of_the_project():
    """So `down` keeps it, `down -v` forgets it, and two checkouts do not share it."""
    file = compose_file(compose_spec())
    assert file["volumes"] == {"state": {}}
    mounted = {name: service["volumes"] for name, service in file["services"].items()}
    assert all(f"state:{STATE}" in volumes for volumes in mounted.values())
    outside = {item.split(":")[0] for volumes in mounted.values() for item in volumes}
    assert outside == {"state", "./.compose", "/var/run/docker.sock", "/sys/fs/cgroup"}


def test_the_api_is_published_on_loopback_only():
    """Nobody but this machine reaches the apiserver's REST door."""
    assert compose_file(compose_spec())["services"]["apiserver"]["ports"] == ["127.0.0.1:8443:8443"]


def test_load_balancers_are_published_on_loopback_where_nothing_else_is_said():
    """Ports 80 and 443, by a service that no engine's socket is handed to."""
    published = compose_file(compose_spec())["services"]["publish"]
    assert published["ports"] == [
        "${KUBARIUM_HTTP:-127.0.0.1:8080}:80",
        "${KUBARIUM_HTTPS:-127.0.0.1:9443}:443",
    ]
    assert compose_spec().publish == ("0.0.0.0:80:80", "0.0.0.0:443:443")


def test_an_unknown_profile_is_refused():
    """A wrong KUBARIUM_PROFILE is named with the right ones."""
    with pytest.raises(ValueError, match="one of default, fast, not 'quick'"):
        compose_spec(profile="quick")
