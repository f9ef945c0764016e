"""Endpoints in their one form."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest

from machinery.model.endpoint_subsets import repack
from machinery.model.errors import Invalid
from tests.support.served_kinds import KINDS, created, example, updated


def port(number: int, name: str = "", protocol: str = "TCP") -> dict[str, Any]:
    return {**({"name": name} if name else {}), "port": number, "protocol": protocol}


def addresses(*texts: str) -> list[dict[str, Any]]:
    return [{"ip": text} for text in texts]


A, B = "10.1.0.1", "10.1.0.2"
WEB, ADMIN = port(80, "web"), port(81, "admin")


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ([{"addresses": addresses(B, A), "ports": [WEB]}], [{"addresses": addresses(A, B), "ports": [WEB]}]),
        ([{"addresses": addresses(A, A), "ports": [WEB, WEB]}], [{"addresses": addresses(A), "ports": [WEB]}]),
        ([{"addresses": addresses(A), "ports": [WEB]}, {"addresses": addresses(B), "ports": [WEB]}], [{"addresses": addresses(A, B), "ports": [WEB]}]),
        ([{"addresses": addresses(A), "ports": [WEB]}, {"addresses": addresses(A), "ports": [ADMIN]}], [{"addresses": addresses(A), "ports": [ADMIN, WEB]}]),
        ([{"addresses": addresses(A), "notReadyAddresses": addresses(A), "ports": [WEB]}], [{"notReadyAddresses": addresses(A), "ports": [WEB]}]),
        ([{"addresses": addresses(B)}, {"notReadyAddresses": addresses(A)}], [{"addresses": addresses(B), "notReadyAddresses": addresses(A)}]),
        ([{"addresses": addresses(A)}], [{"addresses": addresses(A)}]),
        ([{"ports": [WEB]}], []),
    ],
)  # fmt: skip
def test_what_means_the_same_is_stored_alike(given: list[Any], stored: list[Any]) -> None:
    """Addresses stand together that have all their ports in common, each of them once; not ready is stronger."""
    assert repack(given) == stored
    assert repack(stored) == stored


@pytest.mark.parametrize(
    ("ports", "order"),
    [
        ([port(53, "dns", "UDP"), port(53, "dns-tcp"), port(9153, "metrics")], ["dns", "dns-tcp", "metrics"]),
        ([port(80, "http"), port(443, "https")], ["https", "http"]),
    ],
)
def test_ports_have_the_order_that_they_have_in_kubernetes(ports: list[Any], order: list[str]) -> None:
    """That of their hashes, in whichever they come: `kubectl get endpoints` shows it of CoreDNS, and of ingress-nginx."""
    for given in permutations(ports):
        [subset] = repack([{"addresses": addresses(A), "ports": list(given)}])
        assert [each["name"] for each in subset["ports"]] == order


def test_addresses_of_two_pods_are_two() -> None:
    """Even where they are the same text; those that belong to nobody come first."""
    of_pods = [{"ip": A, "targetRef": {"kind": "Pod", "uid": uid}} for uid in ("v", "u")]
    [subset] = repack([{"addresses": [*of_pods, {"ip": A}], "ports": [WEB]}])
    assert subset["addresses"] == [{"ip": A}, of_pods[1], of_pods[0]]


def test_a_write_stores_them_so() -> None:
    """After they were checked: a fault is told of at the place where it was made."""
    made = {**example(KINDS["Endpoints"]), "subsets": [{"addresses": addresses(B, A), "ports": [WEB]}]}
    stored = created(made)
    assert stored["subsets"] == [{"addresses": addresses(A, B), "ports": [WEB]}]
    assert updated({**stored, "subsets": made["subsets"]}, stored) == stored


def test_what_a_client_in_go_leaves_empty_is_as_if_it_were_absent() -> None:
    """Its protobuf has all plain fields: here the protocol and the name are such, in EndpointSlices they are pointers."""
    empty = {"name": "", "port": 80, "protocol": ""}
    stored = created(
        {**example(KINDS["Endpoints"]), "subsets": [{"addresses": addresses(A), "ports": [empty]}]}
    )
    assert stored["subsets"] == [{"addresses": addresses(A), "ports": [port(80)]}]
    with pytest.raises(Invalid, match=r"ports\[0\].protocol"):
        created({**example(KINDS["EndpointSlice"]), "ports": [empty]})
