"""Rules of single kinds: what a Secret or a Service is refused for, and what an update takes away from it."""

from __future__ import annotations

import pytest

from apiserver.core.kinds import services
from apiserver.core.values import Json
from machinery.model.errors import Invalid, NotImplementedHere
from tests.support.apiserver import service
from tests.support.pod_specs import complaints, created, read, updated, with_status

ADDRESS = "10.96.0.77"


def _secret(type_: str, **data: str) -> Json:
    return {"metadata": {"name": "s", "namespace": "default"}, "type": type_, "data": data}


@pytest.mark.parametrize("type_", ["kubernetes.io/dockerfoo", "kubernetes.io/docker", "example.com/anything"])
def test_a_secret_may_be_of_a_type_that_nobody_knows(type_: str) -> None:
    """Only the types that Kubernetes defines have keys that they need."""
    assert complaints(_secret(type_, key="dmFsdWU="), "secrets") == []


@pytest.mark.parametrize(
    ("type_", "key"),
    [
        ("kubernetes.io/dockercfg", ".dockercfg"),
        ("kubernetes.io/dockerconfigjson", ".dockerconfigjson"),
    ],
)
def test_a_secret_for_a_registry_holds_json(type_: str, key: str) -> None:
    """Its key has to be there, and what it holds is read."""
    assert complaints(_secret(type_), "secrets") == [f"data[{key}]: Required value"]
    [faulty] = complaints(_secret(type_, **{key: "eA=="}), "secrets")
    assert faulty.startswith(f"data[{key}]: Invalid value")
    assert complaints(_secret(type_, **{key: "e30="}), "secrets") == []


def test_a_service_asks_for_no_address_of_a_family_that_is_not_there() -> None:
    """The cluster has IPv4 addresses only."""
    assert complaints(service(clusterIP="fd00::1"), "services") == [
        'spec.clusterIPs[0]: Invalid value: ["fd00::1"]: IPv6 is not configured on this cluster'
    ]


def _with_ingress(obj: Json, *ingress: Json) -> Json:
    return {**obj, "status": {"loadBalancer": {"ingress": list(ingress)}}}


def _stored(type_: str) -> Json:
    obj = created(service(type=type_, clusterIP=ADDRESS), "services")
    return {**obj, "metadata": {**obj["metadata"], "resourceVersion": "1"}}


def test_only_a_load_balancer_has_an_ingress() -> None:
    """Its addresses are virtual ones, unless they say otherwise."""
    balanced = _with_ingress(
        service(type="LoadBalancer"), {"ip": "192.0.2.1"}, {"hostname": "lb.example.com"}
    )
    stored = with_status(balanced, _stored("LoadBalancer"), "services")
    ingress = [{"ip": "192.0.2.1", "ipMode": "VIP"}, {"hostname": "lb.example.com"}]
    assert stored["status"]["loadBalancer"]["ingress"] == ingress
    with pytest.raises(Invalid, match=r'may only be used when `spec\.type` is "LoadBalancer"'):
        with_status(_with_ingress(service(), {"ip": "192.0.2.1"}), _stored("ClusterIP"), "services")


@pytest.mark.parametrize(
    ("ingress", "complaint"),
    [
        ({"ip": "everywhere"}, r"ingress\[0\]\.ip: Invalid value: \"everywhere\""),
        ({"hostname": "192.0.2.1"}, r"ingress\[0\]\.hostname: .* must be a DNS name, not an IP address"),
        ({"hostname": "a_b"}, r"ingress\[0\]\.hostname: Invalid value"),
        ({"hostname": "a.b", "ipMode": "VIP"}, r"ingress\[0\]\.ipMode: Forbidden"),
        ({"ip": "192.0.2.1", "ipMode": "Tunnel"}, r"ingress\[0\]\.ipMode: Unsupported value"),
    ],
)
def test_an_ingress_is_an_address_or_a_name(ingress: Json, complaint: str) -> None:
    """What a cloud's controller writes is checked as well."""
    with pytest.raises(Invalid, match=complaint):
        with_status(_with_ingress(service(type="LoadBalancer"), ingress), _stored("LoadBalancer"), "services")


def test_a_service_that_is_no_load_balancer_any_more_has_no_ingress() -> None:
    """Nobody has to wait for the cloud to say so."""
    balanced = _with_ingress(_stored("LoadBalancer"), {"ip": "192.0.2.1"})
    kept = updated(service(type="LoadBalancer", clusterIP=ADDRESS), balanced, "services")
    assert kept["status"] == balanced["status"]
    changed = updated(service(clusterIP=ADDRESS), balanced, "services")
    assert changed["status"] == {"loadBalancer": {}}


def test_defaults_change_nothing_when_they_run_again() -> None:
    """A Service that was read is as it will be read again."""
    obj = read(_with_ingress(service(type="LoadBalancer"), {"ip": "192.0.2.1"}), "services")
    assert services.RULES.default(obj) == read(obj, "services")


@pytest.mark.parametrize("rule", [{}, {"clusterRoleSelectors": []}, {"clusterRoleSelectors": [{}]}])
def test_an_aggregated_role_is_refused_even_where_it_aggregates_nothing(rule: Json) -> None:
    """Nobody would fill its rules in."""
    role = {"metadata": {"name": "all"}, "rules": [], "aggregationRule": rule}
    with pytest.raises(NotImplementedHere, match="aggregationRule"):
        read(role, "clusterroles", "rbac.authorization.k8s.io")
