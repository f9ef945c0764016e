"""Ingresses, their classes, and NetworkPolicies."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from apiserver.core.values import Json
from machinery.model.errors import Invalid
from tests.support.served_kinds import (
    KINDS,
    complaints,
    created,
    example,
    merged,
    row,
    status_complaints,
    update_complaints,
    updated,
    with_status,
)

SERVICE = {"service": {"name": "web", "port": {"number": 80}}}


def ingress(*rules: Json, **spec: Any) -> Json:
    own = {"rules": list(rules), **spec} if rules else spec
    return {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "i"}, "spec": own}


def path(**fields: Any) -> Json:
    return {"path": "/", "pathType": "Prefix", "backend": SERVICE, **fields}


def at(*paths: Json, host: str = "example.com") -> Json:
    return {"host": host, "http": {"paths": list(paths)}}


def behind(**backend: Any) -> Json:
    return ingress(defaultBackend=backend)


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


@pytest.mark.parametrize("place", [{"ip": "192.0.2.1"}, {"hostname": "lb.example.com"}])
def test_an_ingress_is_reached_at_an_address_or_a_name(place: Json) -> None:
    """As its controller writes into the status."""
    stored = created(ingress(at(path())))
    assert status_complaints(stored, loadBalancer={"ingress": [place]}) == []


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


def test_ranges_that_leave_doubts_may_stay_where_they_are() -> None:
    """What was stored before they were refused can still be changed otherwise."""
    block = {"from": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}}]}
    policy = created({**example(KINDS["NetworkPolicy"]), "spec": {"podSelector": {}, "ingress": [block]}})
    old = deepcopy(policy)
    old["spec"]["ingress"][0]["from"][0]["ipBlock"] |= {"cidr": "10.0.0.5/8", "except": ["10.1.0.5/16"]}
    new = deepcopy(old)
    new["spec"]["policyTypes"] = ["Ingress", "Egress"]
    assert updated(new, old)["spec"]["policyTypes"] == ["Ingress", "Egress"]
    new["spec"]["ingress"][0]["from"][0]["ipBlock"]["except"] = ["10.2.0.5/16"]
    with pytest.raises(Invalid, match="must not have bits set beyond the prefix length"):
        updated(new, old)
