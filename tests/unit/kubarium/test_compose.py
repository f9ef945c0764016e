"""The cluster as compose services."""

from __future__ import annotations

import pytest

from kubarium.core.addresses import Addresses
from kubarium.core.compose import STATE, compose_file, compose_spec, first_host_file, joined_host_file
from kubarium.core.compose_network import plan_node_link, plan_tunnel
from kubarium.core.machines import invitation, joined_spec, read_invitation
from kubarium.core.spec import ClusterSpec


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


FIRST = compose_spec(listen="192.0.2.1")


def second() -> ClusterSpec:
    """Return the spec of the second of two hosts, with a node."""
    told = read_invitation(invitation(FIRST, door="192.0.2.1", machines=2))
    return joined_spec(told, name="", machine=2, listen="192.0.2.2", first="192.0.2.1").with_node()


def test_a_second_host_reaches_the_apiserver_and_the_tunnel_only():
    """At the address that the user says; without it, compose says what is missing."""
    services = first_host_file(FIRST)["services"]
    assert set(services) == {"apiserver", "tunnel"}
    published = [port for service in services.values() for port in service["ports"]]
    assert [port.rpartition("}:")[2] for port in published] == ["8443:8443", "8444:8444", "4789:4789/udp"]
    assert all(port.startswith("${KUBARIUM_LISTEN:?") for port in published)


def test_the_second_host_has_nodes_and_a_tunnel_and_no_control_plane():
    """And whatever it needs to be let in has to be said."""
    services = joined_host_file()["services"]
    assert set(services) == {"setup", "tunnel", "node-1", "node-2"}
    assert all("privileged" not in service for service in services.values())
    needed = {"KUBARIUM_JOIN", "KUBARIUM_TOKEN", "KUBARIUM_CA_HASH", "KUBARIUM_LISTEN"}
    assert {name for name, value in services["setup"]["environment"].items() if ":?" in value} == needed


def test_the_hosts_engines_have_subnets_of_their_own():
    """Their gateways would else be two machines with one address on the backbone that the tunnel makes of both."""
    (first,) = compose_file(FIRST)["networks"]["backbone"]["ipam"]["config"]
    (other,) = joined_host_file()["networks"]["backbone"]["ipam"]["config"]
    assert first["subnet"] == Addresses(FIRST).backbone != other["subnet"]


def test_the_services_leave_the_second_hosts_address_free():
    """That of machine 2."""
    services = {**compose_file(FIRST)["services"], **first_host_file(FIRST)["services"]}
    taken = {
        network["ipv4_address"]
        for service in services.values()
        for network in service.get("networks", {}).values()
    }
    assert Addresses(second()).host not in taken


def test_a_tunnels_container_keeps_its_addresses_beside_the_bridge():
    """And sends to the first host before it knows of any node."""
    commands = [
        " ".join(command) for command in plan_tunnel(Addresses(second()), ["10.78.200.4/24"], "10.78.200.1")
    ]
    assert "address add 10.78.200.4/24 dev machine" in commands
    assert "address add 10.77.200.9/24 dev machine" in commands
    assert "route add default via 10.78.200.1 dev machine" in commands
    assert "route replace 10.77.200.0/24 dev machine src 10.77.200.9 mtu 1450" in commands
    (vxlan,) = (command for command in commands if "vxlan" in command)
    assert vxlan.endswith("nolearning noudpcsum remote 192.0.2.1")


def test_a_node_leaves_room_for_the_tunnels_header():
    """One of the second host has the address of the plan besides what its engine gave it."""
    node = second().nodes[0]
    assert plan_node_link(Addresses(second()), node) == [
        ["link", "set", "eth0", "mtu", "1450"],
        ["address", "add", "10.77.200.36/24", "dev", "eth0"],
    ]
    assert plan_node_link(Addresses(FIRST), FIRST.nodes[0]) == [["link", "set", "eth0", "mtu", "1450"]]
