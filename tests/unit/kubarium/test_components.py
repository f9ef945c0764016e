"""Every process of a cluster, described once and launched two ways."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from kubarium.core.components import Component, components, registry_config
from kubarium.core.handed_flags import KUBELET_FLAGS
from kubarium.core.layout import Layout
from kubarium.core.places import ComposePlaces, LocalPlaces
from kubarium.core.spec import ClusterSpec
from kubelet.config import KubeletConfig
from machinery.model.hollow_nodes import node_names
from machinery.process.config import flag

LAYOUT = Layout(Path("/home"), Path("/run"))


def described(spec: ClusterSpec) -> dict[str, Component]:
    return {part.name: part for part in components(LocalPlaces(spec, LAYOUT))}


def test_a_node_is_three_processes_of_its_own():
    """Kubelet, CRI server and proxy of a node are separate, and run in its network namespace."""
    parts = described(ClusterSpec().with_node())
    assert {name for name, part in parts.items() if part.node == "node-1"} == {
        "dockershim@node-1",
        "kubelet@node-1",
        "proxy@node-1",
    }


def test_apiservers_log_requests_where_that_is_asked_for():
    """It costs, so nobody has it by default."""
    flags = described(ClusterSpec(access_log=True, apiservers=2))["apiserver-2"].arguments
    assert "--access-log=true" in flags
    assert not [each for each in described(ClusterSpec())["apiserver"].arguments if "access-log" in each]


def test_a_kubelet_has_the_flags_that_its_node_declares():
    """Its own only."""
    spec = ClusterSpec().with_node(kubelet_args={"log-level": "debug"}).with_node()
    debugging = [name for name, part in described(spec).items() if "--log-level=debug" in part.arguments]
    assert debugging == ["kubelet@node-1"]


def test_the_flags_that_a_user_may_hand_to_a_kubelet_are_those_that_the_cluster_leaves_alone():
    """A new flag of the kubelet is one that the cluster sets, or that the user may set; of few the cluster has a default."""
    known = {flag(each.name).removeprefix("--") for each in dataclasses.fields(KubeletConfig)}
    spec = ClusterSpec(check_invariants=True).with_node().with_node(bootstrap=True)
    parts = described(spec)
    set_here = {flag for node in ("node-1", "node-2") for flag in parts[f"kubelet@{node}"].flags}
    others = {
        "transport",
        "notify-socket",
        "check-flags",
        "token-file",
        "in-cluster",
        "kubeconfig",
    }  # how it is started and comes in
    by_default = {
        "eviction-hard",
        "image-gc-high-threshold",
    }  # which the cluster sets where the user does not
    assert set(KUBELET_FLAGS) == (known - set_here - others) | by_default


def test_a_node_that_bootstraps_is_given_no_certificate_to_come_with():
    """Only one to serve with, and a kubeconfig."""
    kubelet = described(ClusterSpec().with_node(bootstrap=True))["kubelet@node-1"]
    assert [each.is_client for each in kubelet.certificates] == [False]
    assert kubelet.flags["bootstrap-kubeconfig"] == "/home/pki/bootstrap-kubeconfig"
    assert "cert-file" not in kubelet.flags


def test_a_registry_is_one_process_more():
    """On loopback, where engines expect no TLS; without one nothing is different."""
    spec = ClusterSpec(registry_port=5001).with_node()
    parts, places = described(spec), LocalPlaces(spec, LAYOUT)
    assert parts.keys() - described(ClusterSpec().with_node()).keys() == {"registry"}
    assert parts["registry"].arguments == ["serve", "/home/registry/config.yml"]
    assert registry_config(places)["http"] == {"addr": "127.0.0.1:5001"}
    assert ("the registry", "127.0.0.1", 5001) in places.addresses.claimed()


def test_names_are_answered_where_containers_are_real():
    """By one process at the machine's address, which kubelets tell pods of by its Service; simulated ones ask nobody."""
    parts = described(ClusterSpec(slot=2).with_node())
    assert parts["dns"].flags["listen"] == "10.77.2.1:6467"
    assert parts["dns"].flags["announce-address"] == "10.77.2.1"
    assert parts["kubelet@node-1"].flags["cluster-dns"] == parts["dns"].flags["cluster-dns"] == "10.96.0.10"
    hollow = described(ClusterSpec(runtime="hollow").with_node())
    assert "dns" not in hollow
    assert hollow["kubelet@node-1"].flags["cluster-dns"] == ""


def test_a_hollow_node_needs_no_namespace():
    """Without root a node is a kubelet on a simulated runtime, in the machine's own namespace."""
    parts = described(ClusterSpec(runtime="hollow").with_node())
    assert {"hollow@node-1", "kubelet@node-1"} <= parts.keys()
    assert {part.node for part in parts.values()} == {""}


def test_all_hollow_nodes_are_one_process():
    """It comes as one user in the kubelets' group; its nodes serve with their own names; there are ranges enough for them."""
    parts = described(ClusterSpec(hollow_nodes=600, hollow_cpu="8").with_node())
    host = parts["hollownodes"]
    assert (host.flags["nodes"], host.flags["cpu"], host.node) == ("600", "8", "")
    identity, *serving = host.certificates
    assert (identity.common_name, identity.organizations) == ("system:hollow-nodes", ("system:nodes",))
    assert [name for each in serving for name in each.hosts] == node_names(600)
    assert not any(each.is_client for each in serving)
    ranges = {parts[name].flags["cluster-cidr"] for name in ("controllers", "proxy@node-1")}
    assert ranges == {"10.128.0.0/10"}
    few = described(ClusterSpec(hollow_nodes=50))
    assert few["controllers"].flags["cluster-cidr"] == "10.244.0.0/16"
    assert "hollownodes" not in described(ClusterSpec())


def test_the_doors_listen_where_the_nodes_can_reach():
    """Loopback is for the user, the backbone for the nodes."""
    flags = described(ClusterSpec().with_node())["apiserver"].flags
    assert flags["rest-listen"] == "127.0.0.1:6443,10.77.0.1:6443"


def test_no_component_but_the_apiserver_holds_a_certificate_for_etcd():
    """Law 1: the store has one door, and one component has the key to it."""
    parts = described(ClusterSpec().with_node())
    holders = {
        name for name, part in parts.items() if any(item.authority == "etcd-ca" for item in part.certificates)
    }
    assert holders == {"etcd", "apiserver"}


def test_every_process_has_an_identity_of_its_own():
    """No two components share a certificate, except the proxies, which share a user in Kubernetes too."""
    spec = ClusterSpec().with_node().with_node()
    names = [
        item.common_name
        for part in described(spec).values()
        if "@" not in part.name or part.program == "kubelet"
        for item in part.certificates
        if part.name != "apiserver"
    ]
    assert len(names) == len(set(names))


def test_compose_and_processes_run_the_same_programs():
    """Both ways of launching start the same components with the same flags, other addresses apart."""
    spec = ClusterSpec(slot=200).with_node()
    local = {part.name: part for part in components(LocalPlaces(spec, LAYOUT))}
    composed = {part.name: part for part in components(ComposePlaces(spec, LAYOUT))}
    assert {name: part.flags.keys() for name, part in local.items()} == {
        name: part.flags.keys() for name, part in composed.items()
    }


def test_each_process_of_a_node_has_a_memory_bound_of_its_own():
    """And none of the control plane; it is the cluster's, 1 GiB where nothing was said."""
    for spec in (ClusterSpec(), ClusterSpec(runtime="hollow"), ClusterSpec(process_memory="512Mi")):
        parts = described(spec.with_node())
        bounds = {name: part.flags.get("memory-limit") for name, part in parts.items()}
        assert all((bound == spec.process_memory) == ("@" in name) for name, bound in bounds.items())
    assert ClusterSpec().process_memory == "1Gi"


def test_an_empty_flag_is_left_out():
    """A flag without a value is not written, so that the component's own default holds."""
    assert Component("x", "x", {"cpu": "", "memory": "1Gi"}).arguments == ["--memory=1Gi"]


def test_every_component_of_a_dual_stack_cluster_is_told_of_both_families():
    """IPv4 first; one of IPv4 alone hears nothing of IPv6."""
    parts = described(ClusterSpec(slot=3, ip_families="ipv4,ipv6").with_node())
    pods = "10.244.0.0/16,fd00:10:244::/56"
    told = {
        "apiserver": ("service-cidr", "10.96.0.0/16,fd00:10:96::/112"),
        "controllers": ("cluster-cidr", pods),
        "proxy@node-1": ("cluster-cidr", pods),
        "kubelet@node-1": ("node-ip", "10.77.3.11,fd00:10:77:3::11"),
    }
    assert {name: (flag, parts[name].flags[flag]) for name, (flag, _) in told.items()} == told
    single = described(ClusterSpec().with_node()).values()
    assert not [part.name for part in single if any("fd00" in each for each in part.arguments)]
