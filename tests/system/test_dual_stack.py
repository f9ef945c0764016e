"""A cluster whose nodes, pods and Services have IPv6 beside IPv4: real packets, real names, the real kubectl.

It is a cluster of its own, since families are a cluster's for life.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from ipaddress import IPv6Address, ip_address, ip_network
from os import environ
from typing import Any

import pytest

from kubarium import Cluster
from kubarium.core.addresses import CLUSTER_CIDR_6, SERVICE_CIDR_6
from kubarium.core.network import node_namespace
from tests.support.clusters import clusters
from tests.support.ingress_image import build_ingress_image, ingress_manifest
from tests.support.kubectl import Kubectl, eventually, own_namespace
from tests.support.requirements import need

pytestmark = [pytest.mark.cluster, pytest.mark.docker]

Json = dict[str, Any]
IMAGE = "myregistry/web-app:v1.0.0"
EXTERNAL = "fd00:99::1"
WEB_PORT = 8080
HOST_PORT = 18_086


@pytest.fixture(scope="module")
def dual(images: None) -> Iterator[Cluster]:
    """Two nodes, both families."""
    need("etcd", "docker", "cni", "kubectl")
    with clusters() as start:
        yield start("dual", nodes=2, runtime="docker", ip_families="ipv4,ipv6")


@pytest.fixture
def kubectl(dual: Cluster, request: pytest.FixtureRequest) -> Iterator[Kubectl]:
    """Kubectl in a namespace of this test's own."""
    name = request.node.name.removeprefix("test_").replace("_", "-")[:50].strip("-")
    with own_namespace(dual.kubeconfig, name) as admin:
        yield admin


def _pod(name: str, node: str, app: str = "", **container: Any) -> Json:
    box = {
        "name": "main",
        "image": IMAGE,
        "ports": [{"containerPort": WEB_PORT, "name": "http"}],
        **container,
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": app or name}},
        "spec": {"nodeName": node, "terminationGracePeriodSeconds": 0, "containers": [box]},
    }


def _service(name: str, app: str = "web", **spec: Any) -> Json:
    ports = [{"port": 80, "targetPort": WEB_PORT}]
    whole = {"ipFamilyPolicy": "RequireDualStack", "selector": {"app": app}, "ports": ports} | spec
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": whole}


def _url(address: str, port: int = 80) -> str:
    return f"http://[{address}]:{port}/" if ":" in address else f"http://{address}:{port}/"


def _from_pod(kubectl: Kubectl, pod: str, address: str, port: int = 80, within_s: int = 2) -> str:
    """Ask from a pod; return the name of the pod that answered, "" for nobody."""
    done = kubectl.run("exec", pod, "--", "timeout", str(within_s), "wget", "-qO-", _url(address, port))
    return done.out.partition(" ")[0].strip()


def _curl(address: str, port: int, *entering: str) -> str:
    """Ask from the machine, or from within a node."""
    command = [*entering, "curl", "-sg", "--max-time", "2", _url(address, port)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)
    return done.stdout.partition(" ")[0].strip()


def _ready(kubectl: Kubectl, *objects: Json) -> None:
    kubectl.apply(*objects)
    kubectl("wait", "--for=condition=Ready", "pod", "--all", "--timeout=180s", timeout_s=200)


def _addresses(kubectl: Kubectl, pod: str) -> list[str]:
    return [each["ip"] for each in kubectl.get("pod", pod)["status"]["podIPs"]]


def _of_nodes(kubectl: Kubectl) -> list[str]:
    found = (each for node in kubectl.get("nodes") for each in node["status"]["addresses"])
    return [each["address"] for each in found if each["type"] == "InternalIP" and ":" in each["address"]]


def test_nodes_and_pods_have_addresses_of_both_families(kubectl: Kubectl) -> None:
    """In their objects, in variables of a container, in its /etc/hosts and on its interface; IPv4 comes first."""
    for node in kubectl.get("nodes"):
        assert [ip_network(each).version for each in node["spec"]["podCIDRs"]] == [4, 6]
        inner = [each for each in node["status"]["addresses"] if each["type"] == "InternalIP"]
        assert [ip_address(each["address"]).version for each in inner] == [4, 6]
    fields = {"PODS": "status.podIPs", "HOSTS": "status.hostIPs"}
    env = [{"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}} for name, path in fields.items()]
    _ready(kubectl, _pod("one", "node-1", env=env))
    status = kubectl.get("pod", "one")["status"]
    own, hosts = ([each["ip"] for each in status[field]] for field in ("podIPs", "hostIPs"))
    assert [ip_address(each).version for each in (*own, *hosts)] == [4, 6, 4, 6]
    assert IPv6Address(own[1]) in ip_network(CLUSTER_CIDR_6)
    told = kubectl("exec", "one", "--", "sh", "-c", "echo $PODS $HOSTS; cat /etc/hosts; ip address show eth0")
    assert told.startswith(f"{','.join(own)} {','.join(hosts)}\n")
    assert all(f"{address}\tone\n" in told and f" {address}/" in told for address in own)


def test_a_service_is_reached_by_ipv6(kubectl: Kubectl, dual: Cluster) -> None:
    """By pod, ClusterIP, external address, node port and host port, from pods, nodes and the machine; names and slices follow."""
    ports = [{"containerPort": WEB_PORT, "name": "http", "hostPort": HOST_PORT}]
    _ready(
        kubectl,
        _pod("web-1", "node-1", "web"),
        _pod("web-2", "node-2", "web", ports=ports),
        _service("web", type="NodePort", externalIPs=[EXTERNAL]),
        _service("named", clusterIP="None"),
    )
    spec = kubectl.get("service", "web")["spec"]
    first, second = spec["clusterIPs"]
    assert IPv6Address(second) in ip_network(SERVICE_CIDR_6)
    node_port, both = spec["ports"][0]["nodePort"], {"web-1", "web-2"}
    entering = ("ip", "netns", "exec", node_namespace(dual.name, "node-1"))
    for name in sorted(both):
        six = _addresses(kubectl, name)[1]
        eventually(
            lambda six=six, name=name: _from_pod(kubectl, "web-1", six, WEB_PORT) == name,
            what=f"{name}, {six}",
        )  # type: ignore[misc]
    asked = [partial(_from_pod, kubectl, "web-1", each) for each in (first, second, EXTERNAL)]
    asked += [partial(_curl, second, 80, *entering)]
    for node_ip in _of_nodes(kubectl):
        asked += [partial(_curl, node_ip, node_port), partial(_curl, node_ip, node_port, *entering)]
        asked += [partial(_from_pod, kubectl, "web-2", node_ip, node_port)]
    for ask in asked:
        eventually(lambda ask=ask: ask() in both, what=str(ask))  # type: ignore[misc]
    reached: set[str] = set()
    # Itself among them; "" is an answer that did not come in time.
    eventually(lambda: reached.add(_from_pod(kubectl, "web-1", second)) or both <= reached, what="both")  # type: ignore[func-returns-value]
    assert reached - {""} == both
    host = next(each for each in _of_nodes(kubectl) if each.endswith("::12"))
    eventually(lambda: _curl(host, HOST_PORT) == "web-2", what="the host port")
    for what, *flags in (
        ("service/web", "-6", "--from=pod/web-1"),
        (host, f"--port={HOST_PORT}", "--from=machine"),
    ):
        words = ("net", what, f"--namespace={kubectl.namespace}", "-o", "json", *flags)
        followed = json.loads(_kubarium(dual, *words).stdout)
        ends = {way["pod"] for each in followed["destinations"] for way in each["ways"]}
        assert ends <= {f"{kubectl.namespace}/{name}" for name in both}, followed
        assert followed["arrives"], followed

    own = [_addresses(kubectl, name) for name in both]
    fours, sixes = {each[0] for each in own}, {each[1] for each in own}
    eventually(lambda: _in_slices(kubectl) == {"IPv4": fours, "IPv6": sixes}, what="slices of both families")
    eventually(lambda: _in_endpoints(kubectl) == [fours], what="the Endpoints")

    domain = f"{kubectl.namespace}.svc.cluster.local"
    eventually(lambda: _answers(kubectl, f"web.{domain}") == {first, second}, what="the name of web")
    eventually(lambda: _answers(kubectl, f"named.{domain}") == fours | sixes, what="the name of named")
    back = ("exec", "web-1", "--", "nslookup", second)
    eventually(lambda: f"name = web.{domain}" in kubectl.run(*back).out, what=f"the name of {second}")


def _in_slices(kubectl: Kubectl) -> dict[str, set[str]]:
    """Return the addresses in the Service's slices, by family."""
    slices = kubectl.get("endpointslices", "-l=kubernetes.io/service-name=web")
    return {each["addressType"]: {end["addresses"][0] for end in each["endpoints"] or ()} for each in slices}


def _in_endpoints(kubectl: Kubectl) -> list[set[str]]:
    """Return the ready addresses in each subset of the Service's Endpoints."""
    subsets = kubectl.get("endpoints", "web").get("subsets") or ()
    return [{each["ip"] for each in subset.get("addresses") or ()} for subset in subsets]


def _answers(kubectl: Kubectl, name: str) -> set[str]:
    told = kubectl.run("exec", "web-1", "--", "nslookup", name).out
    return set(re.findall(r"Address: (\S+)$", told, re.MULTILINE))


def test_a_load_balancer_answers_by_ipv6_and_moves(kubectl: Kubectl, dual: Cluster) -> None:
    """An address of each family from the pools; who talks to it by IPv6 follows it to another node."""
    _ready(kubectl, _pod("web", "node-1"), _service("web", type="LoadBalancer"))

    def addresses() -> list[str]:
        return [
            each["ip"] for each in kubectl.get("service", "web")["status"]["loadBalancer"].get("ingress", [])
        ]

    eventually(lambda: [ip_address(each).version for each in addresses()] == [4, 6])
    [_, six] = addresses()
    assert IPv6Address(six) in ip_network("fd00:10:77::/48")
    eventually(lambda: _curl(six, 80) == "web")
    annotation = "jsonpath={.metadata.annotations.kubarium\\.dev/announced-by}"
    before = eventually(lambda: kubectl("get", "service", "web", "-o", annotation), what="who announces it")
    label = "node.kubernetes.io/exclude-from-external-load-balancers"
    kubectl("label", "node", before, f"{label}=")
    try:
        eventually(lambda: kubectl("get", "service", "web", "-o", annotation) not in {"", before})
        after = kubectl("get", "service", "web", "-o", annotation)
        shown = ("ip", "-n", node_namespace(dual.name, after), "-6", "address", "show", "to", six)
        eventually(lambda: six in subprocess.run(shown, capture_output=True, text=True, check=True).stdout)
        # Sooner than a neighbour is forgotten that was there when it was asked last: after 15 s at least.
        eventually(lambda: _curl(six, 80) == "web", timeout_s=10)
    finally:
        kubectl("label", "node", before, f"{label}-")


def test_an_ingress_is_reached_by_ipv6(kubectl: Kubectl, dual: Cluster) -> None:
    """Its status has the load balancer's address of each family, and its rules count at both."""
    need("haproxy")
    build_ingress_image()
    edge = Kubectl(dual.kubeconfig, "kubarium-ingress")
    edge("apply", "-f", "-", stdin=ingress_manifest())
    try:
        _ready(kubectl, _pod("web", "node-1"), _service("web", ipFamilyPolicy="SingleStack"))
        kubectl("create", "ingress", "web", "--class=kubarium", "--rule=/*=web:80")
        edge("rollout", "status", "deployment/ingress", "--timeout=180s", timeout_s=200)

        def addresses() -> list[str]:
            status = kubectl.get("ingress", "web")["status"]["loadBalancer"]
            return [each["ip"] for each in status.get("ingress", [])]

        eventually(lambda: [ip_address(each).version for each in addresses()] == [4, 6])
        for address in addresses():
            eventually(lambda address=address: _curl(address, 80) == "web", what=address)  # type: ignore[misc]
    finally:
        edge("delete", "-f", "-", "--timeout=180s", stdin=ingress_manifest(), timeout_s=200)


def test_a_service_changes_its_families_while_it_is_used(kubectl: Kubectl) -> None:
    """The second address answers when it is there, and leads nowhere when it is given back; the first one stays."""
    _ready(
        kubectl,
        _pod("web", "node-1"),
        _pod("client", "node-2"),
        _service("web", ipFamilyPolicy="SingleStack"),
    )
    [first] = kubectl.get("service", "web")["spec"]["clusterIPs"]
    kubectl("patch", "service", "web", "-p", '{"spec": {"ipFamilyPolicy": "PreferDualStack"}}')
    kept, second = kubectl.get("service", "web")["spec"]["clusterIPs"]
    assert kept == first
    eventually(lambda: _from_pod(kubectl, "client", second) == "web")
    kubectl("patch", "service", "web", "-p", '{"spec": {"sessionAffinity": "ClientIP"}}')
    eventually(lambda: _from_pod(kubectl, "client", second) == "web")
    kubectl("patch", "service", "web", "-p", '{"spec": {"ipFamilyPolicy": "SingleStack"}}')
    eventually(lambda: _from_pod(kubectl, "client", second) == "")
    eventually(lambda: _from_pod(kubectl, "client", first) == "web")
    eventually(lambda: len(kubectl.get("endpointslices", "-l=kubernetes.io/service-name=web")) == 1)
    other = {"spec": {"clusterIP": second, "clusterIPs": [second], "ipFamilies": ["IPv6"]}}
    refused = kubectl.run("patch", "service", "web", "-p", json.dumps(other))
    assert "may not change once set" in refused.err


def test_policies_count_for_both_families(kubectl: Kubectl, dual: Cluster) -> None:
    """A block of IPv6 lets nobody through by IPv4; a selector means a pod by both of its addresses."""
    _ready(
        kubectl,
        *(_pod(name, node) for name, node in (("web", "node-1"), ("near", "node-1"), ("far", "node-2"))),
    )
    four, six = _addresses(kubectl, "web")
    except_ = [f"{_addresses(kubectl, 'near')[1]}/128"]

    def reached() -> set[tuple[str, int]]:
        return {
            (client, ip_address(each).version)
            for client in ("near", "far")
            for each in (four, six)
            if _from_pod(kubectl, client, each, WEB_PORT, within_s=1) == "web"
        }

    everybody = {(client, version) for client in ("near", "far") for version in (4, 6)}
    eventually(lambda: reached() == everybody)
    block = {"ipBlock": {"cidr": CLUSTER_CIDR_6, "except": except_}}
    kubectl.apply(_policy(block))
    eventually(lambda: reached() == {("far", 6)})
    assert _explained(dual, kubectl, "far", six)["allowed"] is True
    assert _explained(dual, kubectl, "near", six)["allowed"] is False
    assert _explained(dual, kubectl, "far", four)["allowed"] is False
    kubectl.apply(_policy({"podSelector": {"matchLabels": {"app": "near"}}}))
    eventually(lambda: reached() == {("near", 4), ("near", 6)})
    kubectl("delete", "networkpolicy", "guard")
    eventually(lambda: reached() == everybody)


def test_every_way_there_is_leads_where_it_should_by_both_families(dual: Cluster) -> None:
    """The matrix of `kubarium net check` has rows for IPv6, and nothing fails."""
    told = _kubarium(dual, "net", "check")
    assert told.stdout.endswith(", 0 failed\n"), told.stdout + told.stderr
    for row in (
        "ClusterIP",
        "NodePort",
        "LoadBalancer",
        "affinity",
        "external Local",
        "DNS",
        "policy, ingress",
    ):
        assert f"\n{row}, IPv6 " in told.stdout


def _policy(peer: Json) -> Json:
    ingress = [{"from": [peer], "ports": [{"port": "http"}]}]
    spec = {"podSelector": {"matchLabels": {"app": "web"}}, "policyTypes": ["Ingress"], "ingress": ingress}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "guard"},
        "spec": spec,
    }


def _explained(cluster: Cluster, kubectl: Kubectl, client: str, address: str) -> Json:
    asked = ("--from", f"{kubectl.namespace}/{client}", "--to", address, "--port", str(WEB_PORT))
    found: Json = json.loads(_kubarium(cluster, "explain", "netpol", *asked, "-o", "json").stdout)
    return found


def _kubarium(cluster: Cluster, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "kubarium", *words, "--name", cluster.name]
    environment = {**environ, "KUBARIUM_HOME": str(cluster.layout.home.parent)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=250, check=False)
