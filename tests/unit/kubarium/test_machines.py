"""Clusters of several machines: who is let in, where each has its place, and how the backbones are joined."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest

from controllers.bootstrap_signer.plan import sign
from kubarium.core.addresses import Addresses
from kubarium.core.components import Component, components
from kubarium.core.layout import Layout
from kubarium.core.machines import (
    JoinError,
    door_of,
    invitation,
    join_command,
    joined_spec,
    number_of,
    public_key_hash,
    read_invitation,
    signed_kubeconfig,
)
from kubarium.core.network import plan_backbone
from kubarium.core.places import LocalPlaces
from kubarium.core.spec import MACHINE_NODES, MAX_MACHINES, ClusterSpec, checked
from kubarium.core.spec_rules import SpecError

FIRST = ClusterSpec(name="blue", slot=3, listen="192.0.2.1", profile="fast", time_scale=2.0).with_node()
TOKEN = "abcdef.0123456789abcdef"
CONTENT = "a kubeconfig"


def joined(machine: int = 2, name: str = "", to: ClusterSpec = FIRST) -> ClusterSpec:
    """Return the spec of a machine that joined, with a node."""
    spec = joined_spec(
        read_invitation(invitation(to)),
        name=name,
        machine=machine,
        listen=f"192.0.2.{machine}",
        first="192.0.2.1",
    )
    return checked(spec).with_node()


def described(spec: ClusterSpec) -> dict[str, Component]:
    return {part.name: part for part in components(LocalPlaces(spec, Layout(Path("/home"), Path("/run"))))}


def test_a_machine_that_joins_runs_at_the_clusters_pace() -> None:
    """It has its name unless another one is wanted, its slot, its largest packet, and no control plane."""
    spec = joined()
    assert (spec.name, spec.slot, spec.profile, spec.time_scale) == ("blue", 3, "fast", 2.0)
    assert (spec.mtu, spec.base_port, spec.isolated) == (1450, FIRST.base_port, True)
    assert joined(name="mine").name == "mine"
    assert set(described(spec)) == {
        "tunnel",
        *(f"{part}@node-2-1" for part in ("dockershim", "kubelet", "proxy")),
    }


def test_what_another_version_tells_is_refused() -> None:
    """A machine would come up with half of it."""
    with pytest.raises(JoinError, match="another version of Kubarium"):
        read_invitation('{"name": "blue"}')


def test_who_joins_dials_the_apiserver_where_it_is() -> None:
    """A compose service has an address of its own, and there is room for one more host beside the services."""
    told = read_invitation(invitation(FIRST, door="10.77.3.2", machines=2))
    spec = joined_spec(told, name="", machine=2, listen="192.0.2.2", first="192.0.2.1")
    assert Addresses(spec).grpc_servers == [f"10.77.3.2:{Addresses(FIRST).grpc_port}"]
    assert told.machines == 2
    assert Addresses(joined()).grpc_servers == [f"10.77.3.1:{Addresses(FIRST).grpc_port}"]


def test_no_two_machines_use_one_address() -> None:
    """Neither for themselves nor for their nodes, each with as many as it may have; of either family."""
    first = msgspec.structs.replace(FIRST, ip_families="ipv4,ipv6")
    specs = [first, *(joined(number, to=first) for number in range(2, MAX_MACHINES + 1))]
    used: list[str] = []
    for spec in specs:
        while len(spec.nodes) < MACHINE_NODES:
            spec = spec.with_node()  # noqa: PLW2901 - the same one, with one more
        addresses = Addresses(spec)
        used += [*addresses.host_ips, *(each for node in spec.nodes for each in addresses.node_ips(node))]
        with pytest.raises(SpecError, match="has at most 25 nodes in its life"):
            spec.with_node()
    assert len(used) == len(set(used)) == 2 * MAX_MACHINES * (MACHINE_NODES + 1)
    pool = Addresses(FIRST).balancer_pool.partition("-")[0]
    places = {int(re.split("[.:]", each)[-1]) for each in used}  # the same digits in both families
    assert not places & set(range(int(pool.rpartition(".")[2]), 255))


def test_node_names_say_on_which_machine_they_are() -> None:
    """So that none is there twice."""
    assert [node.name for node in FIRST.with_node().nodes] == ["node-1", "node-2"]
    assert [node.name for node in joined(3).with_node().nodes] == ["node-3-1", "node-3-2"]


def test_every_node_bears_its_machines_address() -> None:
    """The tunnels of the others find it so."""
    for spec, node in ((FIRST, "node-1"), (joined(), "node-2-1")):
        labels = described(spec)[f"kubelet@{node}"].flags["node-labels"]
        assert labels == f"kubarium.dev/machine-address={spec.listen}"
    assert not described(ClusterSpec().with_node())["kubelet@node-1"].flags["node-labels"]


def test_a_machine_that_joined_dials_the_first_one_across_the_backbone() -> None:
    """Its nodes as well as its own commands; they get certificates for the token."""
    spec = joined()
    kubelet = described(spec)["kubelet@node-2-1"]
    assert kubelet.flags["server"] == f"10.77.3.1:{FIRST.base_port + 1}"
    assert Addresses(spec).grpc_servers == [f"10.77.3.1:{FIRST.base_port + 1}"]
    assert kubelet.flags["rotate-server-certificates"] == "true"
    assert [each.authority for each in kubelet.certificates] == ["machine-ca"]
    assert "cert-file" not in kubelet.flags
    assert described(spec)["tunnel"].flags["tunnel-peers"] == "192.0.2.1"


def test_the_door_is_open_for_other_machines_only_where_that_was_asked_for() -> None:
    """At the address of `--listen`, beside loopback and the backbone."""
    listens = described(FIRST)["apiserver"].flags["rest-listen"].split(",")
    assert [each.rpartition(":")[0] for each in listens] == ["127.0.0.1", "10.77.3.1", "192.0.2.1"]
    assert len(described(ClusterSpec(slot=3))["apiserver"].flags["rest-listen"].split(",")) == 2
    assert ("192.0.2.1", FIRST.base_port) in [(host, port) for _, host, port in Addresses(FIRST).claimed()]


def test_the_backbones_are_joined_by_one_network() -> None:
    """The same number on each; a machine that joins begins with the first as its peer."""
    tunnels = [
        next(command for command in plan_backbone(Addresses(spec)) if "vxlan" in command)
        for spec in (FIRST, joined())
    ]
    assert len({command[command.index("id") + 1] for command in tunnels}) == 1
    assert [command[command.index("local") + 1] for command in tunnels] == ["192.0.2.1", "192.0.2.2"]
    assert ["remote" in command for command in tunnels] == [False, True]
    assert not [command for command in plan_backbone(Addresses(ClusterSpec())) if "vxlan" in command]


def test_packets_leave_room_for_the_tunnels_header() -> None:
    """Unless an MTU was asked for."""
    assert FIRST.link_mtu == 1450
    assert msgspec.structs.replace(FIRST, mtu=8900).link_mtu == 8900
    assert ClusterSpec().link_mtu == 0


@pytest.mark.parametrize("listen", ["localhost", "10.0.0", "10.0.0.256", "10.0.0.01", "::1", "a.b.c.d"])
def test_only_an_address_can_be_listened_on(listen: str) -> None:
    """Machines know each other by it."""
    with pytest.raises(SpecError, match="--listen: has to be an IPv4 address"):
        checked(ClusterSpec(listen=listen))


def test_a_machine_takes_the_lowest_number_that_is_free() -> None:
    """It has the same one again when it comes again."""
    claims = {"machine-2": "192.0.2.2", "machine-3": "192.0.2.3"}
    assert number_of({}, "192.0.2.9", 8) == (2, False)
    assert number_of(claims, "192.0.2.9", 8) == (4, False)
    assert number_of(claims, "192.0.2.3", 8) == (3, True)


def test_numbers_end() -> None:
    """Apiservers have addresses of the same range."""
    claims = {f"machine-{number}": f"192.0.2.{number}" for number in range(2, MAX_MACHINES + 1)}
    for taken, apiservers in ((claims, 1), ({}, 9), ({"machine-2": "192.0.2.2"}, 8)):
        with pytest.raises(JoinError, match="all numbers of machines are taken"):
            number_of(taken, "192.0.2.99", room(apiservers))


def room(apiservers: int) -> int:
    """Return for how many machines there is room beside so many apiservers."""
    return read_invitation(invitation(msgspec.structs.replace(FIRST, apiservers=apiservers))).machines


def test_machines_and_apiservers_have_no_address_in_common() -> None:
    """Whatever number a machine may get beside so many apiservers."""
    for apiservers in range(1, 10):
        spec = msgspec.structs.replace(FIRST, apiservers=apiservers)
        claims: dict[str, str] = {}
        taken = set(Addresses(spec).of_machine)
        while len(claims) < MAX_MACHINES:
            try:
                number, _ = number_of(claims, "192.0.2.99", room(apiservers))
            except JoinError:
                break
            claims[f"machine-{number}"] = f"192.0.2.{number}"
            host = Addresses(msgspec.structs.replace(joined(number), apiservers=apiservers)).host
            assert host not in taken
            taken.add(host)


def test_the_command_for_another_machine() -> None:
    """It has all that `kubarium join` takes."""
    hashed = public_key_hash(b"key")
    assert hashed == "sha256:2c70e12b7a0646f92279f427c7b38e7334d8e5389cff167a1dc30e73f826b683"
    words = join_command(FIRST, TOKEN, hashed).split()
    assert words[:3] == ["kubarium", "join", f"192.0.2.1:{FIRST.base_port}"]
    assert dict(pairwise(words[3:]))["--token"] == TOKEN
    assert door_of(words[2]) == ("192.0.2.1", FIRST.base_port)


@pytest.mark.parametrize("door", ["", "host", "host:", ":1", "host:0", "host:65536", "host:x"])
def test_what_is_no_door_is_refused(door: str) -> None:
    """With how one looks."""
    with pytest.raises(JoinError, match="has to be ADDRESS:PORT"):
        door_of(door)


def test_a_cluster_proves_that_it_knows_the_token() -> None:
    """By what its own controller signs."""
    token_id, _, key = TOKEN.partition(".")
    info = {"kubeconfig": CONTENT, f"jws-kubeconfig-{token_id}": sign(CONTENT, token_id, key)}
    assert signed_kubeconfig(info, TOKEN) == CONTENT
    none = "eyJhbGciOiJub25lIn0"  # {"alg":"none"}
    for signature in (sign(CONTENT, token_id, "f" * 16), sign("other", token_id, key), "", "..", f"{none}.."):
        with pytest.raises(JoinError, match="does not know the token's secret half"):
            signed_kubeconfig({**info, f"jws-kubeconfig-{token_id}": signature}, TOKEN)
    for other in ({"kubeconfig": CONTENT}, {}, {f"jws-kubeconfig-{token_id}": "x"}):
        with pytest.raises(JoinError, match="knows no token abcdef"):
            signed_kubeconfig(other, TOKEN)
