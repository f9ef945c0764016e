"""Several processes of a program: how they are called, where they listen, and how others find them."""

from __future__ import annotations

from ipaddress import IPv4Address
from pathlib import Path

import msgspec
import pytest

from kubarium.core.addresses import FIRST_SERVICE_IP, Addresses
from kubarium.core.components import Component, components
from kubarium.core.kubeconfig import kubeconfig
from kubarium.core.layout import Layout
from kubarium.core.network import plan_backbone
from kubarium.core.places import ComposePlaces, LocalPlaces, Places
from kubarium.core.spec import MAX_INSTANCES, ClusterSpec, checked
from kubarium.core.spec_rules import SpecError
from kubarium.core.supervision import Supervised, became_ready, due, started

LAYOUT = Layout(Path("/home"), Path("/run"))
SPEC = ClusterSpec(etcd=3, apiservers=2, schedulers=2, controllers=2).with_node()


def described(spec: ClusterSpec) -> dict[str, Component]:
    return {part.name: part for part in components(LocalPlaces(spec, LAYOUT))}


def test_instances_are_numbered_where_there_are_several():
    """One has the program's name; of several each has its number."""
    assert set(described(ClusterSpec())) == {"etcd", "apiserver", "scheduler", "controllers", "dns"}
    assert {name for name in described(SPEC) if "@" not in name} == {
        "etcd-1",
        "etcd-2",
        "etcd-3",
        "apiserver-1",
        "apiserver-2",
        "scheduler-1",
        "scheduler-2",
        "controllers-1",
        "controllers-2",
        "dns",
    }


@pytest.mark.parametrize(
    ("change", "flag"),
    [
        ({"etcd": 0}, "--etcd"),
        ({"etcd": 2}, "--etcd"),
        ({"etcd": 5}, "--etcd"),
        ({"apiservers": 0}, "--apiservers"),
        ({"schedulers": -1}, "--schedulers"),
        ({"controllers": MAX_INSTANCES + 1}, "--controllers"),
    ],
)
def test_a_count_that_cannot_be_names_its_flag(change, flag):
    """Two members of etcd survive less than one, and there are so many addresses."""
    with pytest.raises(SpecError, match=f"^{flag}: has to be"):
        checked(msgspec.structs.replace(ClusterSpec(), **change))


def test_a_cluster_of_an_older_version_has_one_of_each():
    """Its spec.json does not say how many; its processes keep their names and folders."""
    spec = msgspec.json.decode(b'{"name": "old", "slot": 3, "next_index": 1}', type=ClusterSpec)
    parts = described(spec)
    assert list(parts) == ["etcd", "apiserver", "scheduler", "controllers", "dns"]
    assert parts["etcd"].flags["data-dir"] == "/home/etcd"


def test_no_two_listeners_of_a_cluster_share_an_address():
    """Instances have the same ports at addresses of their own."""
    claims = [(host, port) for _, host, port in Addresses(SPEC).claimed()]
    assert len(claims) == len(set(claims)) == 2 * 3 + 2 * 2


def test_members_of_etcd_know_each_other_and_keep_their_own_state():
    """Each names all three at the start, listens where the others look, and has a folder of its own."""
    members = [part for part in described(SPEC).values() if part.program == "etcd"]
    assert len({part.flags["initial-cluster"] for part in members}) == 1
    for part in members:
        assert f"{part.name}={part.flags['listen-peer-urls']}" in part.flags["initial-cluster"].split(",")
    assert len({part.flags["data-dir"] for part in members}) == 3


def test_every_apiserver_knows_every_member_of_etcd():
    """Any of them may be the one that is gone."""
    parts = described(SPEC)
    members = ",".join(
        part.flags["advertise-client-urls"] for part in parts.values() if part.program == "etcd"
    )
    assert {part.flags["etcd-servers"] for part in parts.values() if part.program == "apiserver"} == {members}


def test_clients_know_every_apiserver_where_they_can_reach_it():
    """The control plane on loopback, the nodes on the backbone; each apiserver listens there."""
    parts = described(SPEC)
    assert parts["scheduler-2"].flags["server"] == "127.0.0.1:6444,127.0.0.2:6444"
    assert parts["kubelet@node-1"].flags["server"] == "10.77.0.1:6444,10.77.0.2:6444"
    assert parts["apiserver-2"].flags["grpc-listen"] == "127.0.0.2:6444,10.77.0.2:6444"
    assert parts["apiserver-2"].flags["advertise-address"] == "10.77.0.2"


def test_the_machine_has_the_addresses_of_all_apiservers():
    """On its own cable to the backbone."""
    added = [command[2] for command in plan_backbone(Addresses(SPEC)) if command[:2] == ["address", "add"]]
    assert added == ["10.77.0.1/24", "10.77.0.2/24"]


def test_a_kubeconfig_has_a_context_for_each_apiserver():
    """The current one is the first's, under the cluster's own name."""
    urls = {"apiserver-1": "https://127.0.0.1:6443", "apiserver-2": "https://127.0.0.2:6443"}
    content = kubeconfig("kubarium", urls, authority=b"a", certificate=b"c", key=b"k")
    assert content["current-context"] == "kubarium"
    assert {each["name"]: each["cluster"]["server"] for each in content["clusters"]} == {
        "kubarium": "https://127.0.0.1:6443",
        "kubarium@apiserver-2": "https://127.0.0.2:6443",
    }
    assert [each["name"] for each in content["contexts"]] == ["kubarium", "kubarium@apiserver-2"]


def test_no_two_clusters_have_a_context_in_common():
    """Else the contexts of one would replace the other's where both are merged."""
    names = [
        kubeconfig(cluster, {"apiserver": "https://1"}, authority=b"", certificate=b"", key=b"")[
            "current-context"
        ]
        for cluster in ("kubarium", "a", "kubarium-a", "kubarium-kubarium", "kubariuma")
    ]
    assert len(set(names)) == len(names)


def test_one_ready_apiserver_is_enough_to_go_on():
    """Whoever needs the program starts when the first instance of it serves."""
    table = {name: Supervised(part) for name, part in described(SPEC).items()}
    assert "scheduler-1" not in {each.name for each in due(table, 0.0)}
    table["apiserver-2"] = became_ready(started(table["apiserver-2"], 42, 0.0))
    assert {"scheduler-1", "controllers-2", "apiserver-1"} <= {each.name for each in due(table, 0.0)}


@pytest.mark.parametrize("make", [LocalPlaces, ComposePlaces])
def test_no_address_of_a_machine_is_in_a_certificate(make: type[Places]):
    """What serves is known by name, so a certificate holds wherever its owner is; loopback is the same everywhere."""
    spec = SPEC if make is LocalPlaces else ClusterSpec(slot=200).with_node()
    hosts = {
        host
        for part in components(make(spec, LAYOUT))
        for certificate in part.certificates
        for host in certificate.hosts
    }
    addresses = {IPv4Address(host) for host in hosts if host.replace(".", "").isdigit()}
    assert {str(address) for address in addresses if not address.is_loopback} == {FIRST_SERVICE_IP}


@pytest.mark.parametrize("make", [LocalPlaces, ComposePlaces])
def test_every_client_asks_for_a_name_that_the_server_carries(make: type[Places]):
    """Whatever address it dials."""
    spec = SPEC if make is LocalPlaces else ClusterSpec(slot=200).with_node()
    parts = components(make(spec, LAYOUT))
    served = [set(part.certificates[0].hosts) for part in parts if part.program == "apiserver"]
    asked = {part.flags["tls-server-name"] for part in parts if "server" in part.flags}
    assert served
    assert asked
    assert all(asked <= names for names in served)
