"""What stands in the way of asking an extension server, and what the condition says of it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from apiserver.core.aggregation.availability import (
    LOCAL,
    PASSED,
    changed_conditions,
    failed_check,
    location,
    obstacle,
)
from apiserver.core.aggregation.heads import Head, Service, read_head
from apiserver.core.values import Json

WANTED = Service("ns", "web", 443)
CLUSTER_IP: Json = {
    "spec": {"type": "ClusterIP", "clusterIP": "10.96.0.9", "ports": [{"name": "api", "port": 443}]}
}
READY: Json = {"ports": [{"name": "api", "port": 8443}], "endpoints": [{"addresses": ["10.244.0.1"]}]}


def slice_(*, name: str = "api", **endpoint: Any) -> Json:
    """Return an EndpointSlice with one endpoint."""
    return {"ports": [{"name": name, "port": 8443}], "endpoints": [{"addresses": ["10.244.0.1"], **endpoint}]}


@pytest.mark.parametrize(
    ("service", "slices", "reason", "message"),
    [
        (None, [], "ServiceNotFound", 'service/web in "ns" is not present'),
        ({"spec": {"ports": [{"port": 80}]}}, [READY], "ServicePortError", 'service/web in "ns" is not listening on port 443'),
        (CLUSTER_IP, [], "EndpointsNotFound", 'cannot find endpointslices for service/web in "ns"'),
        (CLUSTER_IP, [slice_(name="other")], "MissingEndpoints",
         'endpointslices for service/web in "ns" have no addresses with port name "api"'),
        (CLUSTER_IP, [slice_(conditions={"ready": False})], "MissingEndpoints",
         'endpointslices for service/web in "ns" have no addresses with port name "api"'),
        (CLUSTER_IP, [{"ports": [{"name": "api", "port": 1}], "endpoints": None}], "MissingEndpoints",
         'endpointslices for service/web in "ns" have no addresses with port name "api"'),
        (CLUSTER_IP, [slice_(conditions={"ready": False}), READY], "", ""),
        (CLUSTER_IP, [slice_(conditions={"ready": None})], "", ""),
        ({"spec": {"ports": [{"port": 443}]}}, [{"ports": [{"port": 1}], "endpoints": READY["endpoints"]}], "", ""),
        ({"spec": {"type": "ExternalName", "externalName": "a.example"}}, [], "", ""),
        ({"spec": {"type": "NodePort"}}, [], "", ""),
    ],
)  # fmt: skip
def test_what_stands_in_the_way(service: Json | None, slices: list[Json], reason: str, message: str) -> None:
    """In Kubernetes' words; where nothing does, the server has to be asked."""
    found = obstacle(WANTED, service, slices)
    assert (found and (found.is_available, found.reason, found.message)) == (
        (False, reason, message) if reason else None
    )


@pytest.mark.parametrize(
    ("service", "url"),
    [
        (CLUSTER_IP, "https://10.96.0.9:443/apis/g/v1"),
        ({"spec": {"clusterIP": "fd00::9"}}, "https://[fd00::9]:443/apis/g/v1"),
        ({"spec": {"clusterIP": "None"}}, "https://web.ns.svc:443/apis/g/v1"),
        (None, "https://web.ns.svc:443/apis/g/v1"),
    ],
)
def test_people_are_told_where_a_server_was_asked(service: Json | None, url: str) -> None:
    """By the address of its Service."""
    assert location(WANTED, service, "/apis/g/v1") == url


def head(*conditions: Json) -> Head:
    """Return an APIService."""
    return read_head(
        msgspec.json.encode({"metadata": {"name": "v1.g"}, "spec": {}, "status": {"conditions": conditions}})
    )


def test_a_condition_is_written_where_it_says_something_new() -> None:
    """Its time moves where the status does; conditions of others stay."""
    other = {"type": "Other", "status": "True"}
    was = {"type": "Available", "status": "False", "reason": "R", "message": "m", "lastTransitionTime": "t0"}
    now = {"type": "Available", "status": "True", "reason": "Passed", "message": "all checks passed"}
    failed = {"reason": "FailedDiscoveryCheck", "message": "no"}
    assert changed_conditions(head(), PASSED, "t1") == [{**now, "lastTransitionTime": "t1"}]
    assert changed_conditions(head(was, other), PASSED, "t1") == [other, {**now, "lastTransitionTime": "t1"}]
    assert changed_conditions(head(was), failed_check("no"), "t1") == [{**was, **failed}]
    assert changed_conditions(head({**was, **failed}), failed_check("no"), "t1") is None
    assert changed_conditions(head({**now, "lastTransitionTime": "t0"}), PASSED, "t1") is None
    assert changed_conditions(head({**now, "lastTransitionTime": "t0"}), LOCAL, "t1") is not None


def test_what_a_server_is_quoted_with_is_bounded() -> None:
    """Whatever it sends stands in an object, which everybody watches."""
    assert len(failed_check("x" * 1_000_000).message) == 4096
