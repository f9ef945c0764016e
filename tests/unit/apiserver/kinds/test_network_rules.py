"""Ingresses, their classes, and NetworkPolicies."""

from __future__ import annotations

from typing import Any

import pytest

from apiserver.core.values import Json
from tests.support.served_kinds import (
    complaints,
    created,
    merged,
    row,
    status_complaints,
    update_complaints,
    updated,
    with_status,
)

SERVICE = {"service": {"name": "web", "port": {"number": 80}}}
CIDR = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"
NO_IP = "must be a DNS name, not an IP address"


def ingress(*rules: Json, **spec: Any) -> Json:
    own = {"rules": list(rules), **spec} if rules else spec
    return {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "i"}, "spec": own}


def path(**fields: Any) -> Json:
    return {"path": "/", "pathType": "Prefix", "backend": SERVICE, **fields}


def at(*paths: Json, host: str = "example.com") -> Json:
    return {"host": host, "http": {"paths": list(paths)}}


def behind(**backend: Any) -> Json:
    return ingress(defaultBackend=backend)


def of_service(**fields: Any) -> Json:
    return behind(service={"name": "web", "port": {"number": 80}, **fields})


def ingress_class(**spec: Any) -> Json:
    own = {"controller": "example.com/ingress", **spec}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "IngressClass",
        "metadata": {"name": "c"},
        "spec": own,
    }


def configured(**parameters: Any) -> Json:
    return ingress_class(
        parameters={"apiGroup": "k8s.example.com", "kind": "Config", "name": "x", **parameters}
    )


def policy(**spec: Any) -> Json:
    own = {"podSelector": {}, **spec}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "n"},
        "spec": own,
    }


def on_port(**port: Any) -> Json:
    return policy(ingress=[{"ports": [port]}])


def peer(**fields: Any) -> Json:
    return policy(egress=[{"to": [fields]}])


def block(cidr: str, *parts: str) -> Json:
    return peer(ipBlock={"cidr": cidr, "except": list(parts)})


PATH = "spec.rules[0].http.paths[0]"
PORT = "spec.ingress[0].ports[0]"
PEER = "spec.egress[0].to[0]"


@pytest.mark.parametrize(
    ("faulty", "said"),
    [
        (ingress(), ["spec: Invalid value: null: either `defaultBackend` or `rules` must be specified"]),
        (behind(), ['spec.defaultBackend: Invalid value: "": resource or service backend is required']),
        (behind(**SERVICE, resource={"kind": "A", "name": "b"}), ['spec.defaultBackend: Invalid value: "": cannot set both resource and service backends']),
        (behind(resource={"kind": "", "name": ""}), ["spec.defaultBackend.resource.kind: Required value: kind is required", "spec.defaultBackend.resource.name: Required value: name is required"]),
        (behind(resource={"kind": "a/b", "name": ".."}), ["spec.defaultBackend.resource.kind: Invalid value: \"a/b\": may not contain '/'", "spec.defaultBackend.resource.name: Invalid value: \"..\": may not be '..'"]),
        (of_service(name=""), ["spec.defaultBackend.service.name: Required value"]),
        (of_service(port={}), ["spec.defaultBackend: Required value: port name or number is required"]),
        (of_service(port={"number": 80, "name": "http"}), ['spec.defaultBackend: Invalid value: "": cannot set both port name & port number']),
        (of_service(port={"number": 70000}), ["spec.defaultBackend.service.port.number: Invalid value: 70000: must be between 1 and 65535, inclusive"]),
        (of_service(port={"name": "http--x"}), ['spec.defaultBackend.service.port.name: Invalid value: "http--x": must not contain consecutive hyphens']),
        (ingress(at(path(), host="192.0.2.1")), [f'spec.rules[0].host: Invalid value: "192.0.2.1": {NO_IP}']),
        (ingress(at()), ["spec.rules[0].http.paths: Required value"]),
        (ingress(at(path(pathType=None))), [f"{PATH}.pathType: Required value: pathType must be specified"]),
        (ingress(at(path(pathType="Regex"))), [f'{PATH}.pathType: Unsupported value: "Regex": supported values: "Exact", "ImplementationSpecific", "Prefix"']),
        (ingress(at(path(path=""))), [f'{PATH}.path: Invalid value: "": must be an absolute path']),
        (ingress(at(path(path="a"))), [f'{PATH}.path: Invalid value: "a": must be an absolute path']),
        (ingress(at(path(path="/a//b"))), [f"{PATH}.path: Invalid value: \"/a//b\": must not contain '//'"]),
        (ingress(at(path(path="/a/./b"))), [f"{PATH}.path: Invalid value: \"/a/./b\": must not contain '/./'"]),
        (ingress(at(path(path="/a/../b"))), [f"{PATH}.path: Invalid value: \"/a/../b\": must not contain '/../'"]),
        (ingress(at(path(path="/a%2fb"))), [f"{PATH}.path: Invalid value: \"/a%2fb\": must not contain '%2f'"]),
        (ingress(at(path(path="/a/.."))), [f"{PATH}.path: Invalid value: \"/a/..\": cannot end with '/..'"]),
        (ingress(at(path(path="/a/."))), [f"{PATH}.path: Invalid value: \"/a/.\": cannot end with '/.'"]),
        (ingress(at(path(path="a", pathType="ImplementationSpecific"))), [f'{PATH}.path: Invalid value: "a": must be an absolute path']),
        (ingress_class(controller=""), ["spec.controller: Required value"]),
        (ingress_class(controller="nginx"), ['spec.controller: Invalid value: "nginx": must be a domain-prefixed path (such as "acme.io/foo")']),
        (ingress_class(controller=f"a.b/{'x' * 250}"), ["spec.controller: Too long: may not be more than 250 bytes"]),
        (configured(kind=""), ["spec.parameters.kind: Required value: kind is required"]),
        (configured(scope="World"), ['spec.parameters.scope: Unsupported value: "World": supported values: "Cluster", "Namespace"']),
        (configured(namespace="x"), ["spec.parameters.namespace: Forbidden: `parameters.scope` is set to 'Cluster'"]),
        (configured(scope="Namespace"), ["spec.parameters.namespace: Required value: `parameters.scope` is set to 'Namespace'"]),
        (policy(policyTypes=["Sideways"]), ['spec.policyTypes[0]: Unsupported value: "Sideways": supported values: "Ingress", "Egress"']),
        (policy(policyTypes=["Ingress"] * 3), ['spec.policyTypes: Invalid value: ["Ingress","Ingress","Ingress"]: may not specify more than two policyTypes']),
        (policy(podSelector={"matchExpressions": [{"key": "a", "operator": "In"}]}), ["spec.podSelector.matchExpressions[0].values: Required value: must be specified when `operator` is 'In' or 'NotIn'"]),
        (on_port(protocol="ICMP"), [f'{PORT}.protocol: Unsupported value: "ICMP": supported values: "TCP", "UDP", "SCTP"']),
        (on_port(port=0), [f"{PORT}.port: Invalid value: 0: must be between 1 and 65535, inclusive"]),
        (on_port(port="http--x"), [f'{PORT}.port: Invalid value: "http--x": must not contain consecutive hyphens']),
        (on_port(port=90, endPort=80), [f"{PORT}.endPort: Invalid value: 90: must be greater than or equal to `port`"]),
        (on_port(port=90, endPort=70000), [f"{PORT}.endPort: Invalid value: 70000: must be between 1 and 65535, inclusive"]),
        (on_port(port="http", endPort=80), [f"{PORT}.endPort: Invalid value: 80: may not be specified when `port` is non-numeric"]),
        (on_port(endPort=80), [f"{PORT}.endPort: Invalid value: 80: may not be specified when `port` is not specified"]),
        (peer(), [f"{PEER}: Required value: must specify a peer"]),
        (peer(podSelector={}, ipBlock={"cidr": "10.0.0.0/8"}), [f"{PEER}: Forbidden: may not specify both ipBlock and another peer"]),
        (peer(namespaceSelector={"matchExpressions": [{"key": "a", "operator": "Like"}]}), [f'{PEER}.namespaceSelector.matchExpressions[0].operator: Invalid value: "Like": not a valid selector operator']),
        (block(""), [f"{PEER}.ipBlock.cidr: Required value"]),
        (block("10.0.0.0"), [f'{PEER}.ipBlock.cidr: Invalid value: "10.0.0.0": {CIDR}']),
        (block("10.0.0.0/8", "10.1.0.0"), [f'{PEER}.ipBlock.except[0]: Invalid value: "10.1.0.0": {CIDR}']),
        (block("10.0.0.0/8", "11.0.0.0/16"), [f'{PEER}.ipBlock.except[0]: Invalid value: "11.0.0.0/16": must be a strict subset of `cidr`']),
        (block("10.0.0.0/8", "10.0.0.0/8"), [f'{PEER}.ipBlock.except[0]: Invalid value: "10.0.0.0/8": must be a strict subset of `cidr`']),
        (block("10.0.0.0/8", "fd00::/64"), [f'{PEER}.ipBlock.except[0]: Invalid value: "fd00::/64": must be a strict subset of `cidr`']),
    ],
)  # fmt: skip
def test_the_network_is_refused_in_kubernetes_words(faulty: Json, said: list[str]) -> None:
    """What leads into the cluster, and who may speak with whom."""
    assert complaints(faulty) == said


@pytest.mark.parametrize(
    ("faulty", "start"),
    [
        (ingress(at(path(), host="a_b")), 'spec.rules[0].host: Invalid value: "a_b": a lowercase RFC 1123 subdomain'),
        (ingress(at(path(), host="*.a_b")), 'spec.rules[0].host: Invalid value: "*.a_b": a wildcard DNS-1123 subdomain must start with \'*.\''),
        (ingress(at(path()), tls=[{"hosts": ["a.*"]}]), 'spec.tls[0].hosts[0]: Invalid value: "a.*": a wildcard DNS-1123'),
        (ingress(at(path()), tls=[{"secretName": "A"}]), 'spec.tls[0].secretName: Invalid value: "A": a lowercase RFC 1123'),
        (ingress(at(path()), ingressClassName=""), 'spec.ingressClassName: Invalid value: "": a lowercase RFC 1123'),
        (of_service(name="1web"), 'spec.defaultBackend.service.name: Invalid value: "1web": a DNS-1035 label'),
        (configured(apiGroup=""), 'spec.parameters.apiGroup: Invalid value: "": a lowercase RFC 1123'),
        (configured(scope="Namespace", namespace="A"), 'spec.parameters.namespace: Invalid value: "A": a lowercase RFC 1123 label'),
    ],
)  # fmt: skip
def test_names_and_hosts_are_those_of_dns(faulty: Json, start: str) -> None:
    """Hosts may be wildcards."""
    [said] = complaints(faulty)
    assert said.startswith(start)
    assert complaints(ingress(at(path(), host="*.example.com"))) == []


def test_an_annotation_names_no_class_beside_the_field() -> None:
    """When the Ingress is created."""
    key = "kubernetes.io/ingress.class"
    obj = ingress(at(path()), ingressClassName="c")
    both = {**obj, "metadata": {"name": "i", "annotations": {key: "x"}}}
    assert complaints(both) == [
        f'annotations.{key}: Invalid value: "x": can not be set when the class field is also set'
    ]
    assert update_complaints(both, created(obj)) == []


def test_defaults_are_those_that_kubernetes_documents() -> None:
    """A policy is about what comes in, and about what goes out where it says something of it."""
    assert created(policy())["spec"]["policyTypes"] == ["Ingress"]
    assert created(policy(egress=[{}]))["spec"]["policyTypes"] == ["Ingress", "Egress"]
    assert created(on_port(port=80))["spec"]["ingress"][0]["ports"] == [{"port": 80, "protocol": "TCP"}]
    assert created(configured())["spec"]["parameters"]["scope"] == "Cluster"
    assert created(ingress(at(path())))["status"] == {"loadBalancer": {}}


def test_the_controller_of_a_class_stays() -> None:
    """What it is configured with may change."""
    stored = created(ingress_class())
    assert update_complaints(ingress_class(controller="a.b/c"), stored) == [
        'spec.controller: Invalid value: "a.b/c": field is immutable'
    ]
    assert updated(configured(), stored)["metadata"]["generation"] == 2


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ({"ip": "everywhere"}, ['status.loadBalancer.ingress[0].ip: Invalid value: "everywhere": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)']),
        ({"hostname": "192.0.2.1"}, [f'status.loadBalancer.ingress[0].hostname: Invalid value: "192.0.2.1": {NO_IP}']),
        ({"ip": "192.0.2.1"}, []),
        ({"hostname": "lb.example.com"}, []),
    ],
)  # fmt: skip
def test_an_ingress_is_reached_at_an_address_or_a_name(place: Json, said: list[str]) -> None:
    """As its controller writes into the status."""
    stored = created(ingress(at(path())))
    assert status_complaints(stored, loadBalancer={"ingress": [place]}) == said


def test_an_update_leaves_the_status_alone() -> None:
    """It has a path of its own."""
    stored = with_status(created(ingress(at(path()))), loadBalancer={"ingress": [{"ip": "192.0.2.1"}]})
    changed = updated(merged({**stored, "status": {}}, ingressClassName="c"), stored)
    assert changed["status"] == stored["status"]
    assert changed["metadata"]["generation"] == 2


@pytest.mark.parametrize(
    ("hosts", "printed"),
    [
        ([], "*"),
        ([""], "*"),
        (["a"], "a"),
        (["a", "", "b"], "a,b"),
        (["a", "b", "c"], "a,b,c"),
        (["a", "b", "c", "d", "e"], "a,b,c + 2 more..."),
        (["a", "b", "c", ""], "a,b,c + 1 more..."),
    ],
)
def test_the_hosts_of_an_ingress_are_printed(hosts: list[str], printed: str) -> None:
    """Three of them, and how many rules there are besides."""
    obj = ingress(*[at(path(), host=host) for host in hosts], defaultBackend=SERVICE)
    assert row(created(obj))["Hosts"] == printed


def test_the_network_is_printed() -> None:
    """As kubectl shows it."""
    places = [{"ip": "192.0.2.2"}, {"hostname": "lb.example.com"}, {"ip": "192.0.2.1"}]
    obj = with_status(
        created(ingress(at(path()), tls=[{}], ingressClassName="c")), loadBalancer={"ingress": places}
    )
    assert list(row(obj).values()) == [
        "i",
        "c",
        "example.com",
        "192.0.2.1,192.0.2.2,lb.example.com",
        "80, 443",
        "60s",
    ]
    assert list(row(created(behind(**SERVICE))).values()) == ["i", "<none>", "*", "", "80", "60s"]
    assert row(created(configured()))["Parameters"] == "Config.k8s.example.com/x"
    assert row(created(ingress_class())) == {
        "Name": "c",
        "Controller": "example.com/ingress",
        "Parameters": "<none>",
        "Age": "60s",
    }
    chosen = policy(
        podSelector={"matchLabels": {"app": "web"}, "matchExpressions": [{"key": "a", "operator": "Exists"}]}
    )
    assert row(created(chosen))["Pod-Selector"] == "app=web,a"
    assert row(created(policy()))["Pod-Selector"] == "<none>"
