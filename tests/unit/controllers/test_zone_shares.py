"""Hints by share: https://kubernetes.io/docs/concepts/services-networking/topology-aware-routing/."""

from __future__ import annotations

from typing import Any

import pytest

from controllers.core.actions import Patch, Plan
from controllers.endpointslice.plan import Seen, plan
from controllers.endpointslice.shares import NotShared, allocate, is_overloaded, moves
from controllers.endpointslice.zone_cpus import ZoneCpus
from machinery.model.k8s.core_v1 import Service
from machinery.model.k8s.discovery_v1 import EndpointSlice
from machinery.model.requests import EventType
from machinery.model.store import Change
from tests.support import builders
from tests.support.builders import changed
from tests.support.controllers import events, moment, of_type
from tests.support.endpointslices import applied, pod, service

MODE = "service.kubernetes.io/topology-mode"
ZONES = {"a-1": "a", "a-2": "a", "b-1": "b", "nowhere": ""}
HALVES = {"a": 0.5, "b": 0.5}


@pytest.mark.parametrize(
    ("endpoints", "shares", "expected"),
    [
        (4, HALVES, {"a": (2, 2), "b": (2, 2)}),
        (6, HALVES, {"a": (3, 3), "b": (3, 3)}),
        (12, HALVES, {"a": (5, 7), "b": (5, 7)}),
        (10, {"a": 0.8, "b": 0.2}, {"a": (7, 8), "b": (2, 3)}),
        (2, HALVES, {"a": (1, 1), "b": (1, 1)}),
        (3, HALVES, "Unable to allocate minimum required endpoints to each zone without exceeding overload threshold (3 endpoints, 2 zones)"),
        (1, HALVES, "Insufficient number of endpoints (1 endpoints, 2 zones)"),
        (9, None, "Insufficient Node information: allocatable CPU or zone not specified on one or more nodes"),
    ],
)  # fmt: skip
def test_each_zone_gets_endpoints_by_its_share(endpoints: int, shares: Any, expected: Any) -> None:
    """At least its share less what a fifth more load saves, at most what that leaves."""
    if isinstance(expected, str):
        with pytest.raises(NotShared) as caught:
            allocate(endpoints, shares)
        assert str(caught.value) == expected
    else:
        found = allocate(endpoints, shares)
        assert {zone: (each.least, each.most) for zone, each in found.items()} == expected


@pytest.mark.parametrize(
    ("hints", "giving", "receiving"),
    [
        ({"a": 2, "b": 2}, {}, {}),
        ({"a": 4}, {"a": 2}, {"b": 2}),
        ({"b": 3, "a": 1}, {"b": 1}, {"a": 1}),
        ({"c": 4}, {}, {}),
    ],
)
def test_zones_give_what_others_need(
    hints: dict[str, int], giving: dict[str, int], receiving: dict[str, int]
) -> None:
    """A zone without a share gives nothing."""
    assert moves(allocate(4, HALVES), hints) == (giving, receiving)


def auto(mode: str = "Auto", **spec: Any) -> Service:
    return changed(service(**spec), metadata__annotations={MODE: mode} if mode else {})


def planned(svc: Service, nodes: str, slices: list[EndpointSlice], shares: Any = None) -> Plan:
    pods = [pod(number, node=node) for number, node in enumerate(nodes.split(), 1)]
    return plan(Seen(svc, pods, slices, ZONES, shares or HALVES), moment())


def hints_in(slices: list[EndpointSlice]) -> list[str]:
    return [
        ",".join(zone.name for zone in each.hints.forZones) if each.hints else "-"
        for slice_ in slices
        for each in slice_.endpoints
    ]


def test_endpoints_are_shared_out() -> None:
    """It is said once; what does not change is not written; a trafficDistribution does not count beside it."""
    svc = auto(trafficDistribution="PreferSameNode")
    made = planned(svc, "a-1 a-1 a-2 b-1", [])
    slices = applied(made)
    assert hints_in(slices) == ["b", "a", "a", "b"]
    assert events(made) == [
        ("Normal", "TopologyAwareHintsEnabled", "Topology Aware Hints has been enabled, addressType: IPv4")
    ]
    assert planned(svc, "a-1 a-1 a-2 b-1", slices).actions == ()


@pytest.mark.parametrize(
    ("svc", "nodes", "message"),
    [
        (auto(), "a-1 a-1 nowhere b-1", "One or more endpoints do not have a zone specified, addressType: IPv4"),
        (auto(), "a-1", "Insufficient number of endpoints (1 endpoints, 2 zones), addressType: IPv4"),
        (auto(""), "a-1 a-1 a-2 b-1", "Topology Aware Hints has been disabled, addressType: IPv4"),
        (auto("Disabled"), "a-1 a-1 a-2 b-1", "Topology Aware Hints has been disabled, addressType: IPv4"),
    ],
)  # fmt: skip
def test_where_they_cannot_be_shared_nobody_has_hints(svc: Service, nodes: str, message: str) -> None:
    """And it is said why, when the slices change."""
    slices = applied(planned(auto(), "a-1 a-1 a-2 b-1", []))
    made = planned(svc, nodes, slices)
    assert events(made) == [("Warning", "TopologyAwareHintsDisabled", message)]
    after = applied(made, slices)
    assert set(hints_in(after)) == {"-"}
    assert planned(svc, nodes, after).actions == ()


def test_a_slice_that_is_not_written_keeps_its_hints() -> None:
    """While each zone has what the others leave it; other shares alone write nothing until a zone has too few."""
    slices = applied(planned(auto(), "a-1 a-1 a-2 b-1 b-1 b-1", []))
    thirds = {"a": 0.45, "b": 0.55}
    assert not is_overloaded(slices, thirds)
    assert planned(auto(), "a-1 a-1 a-2 b-1 b-1 b-1", slices, thirds).actions == ()
    few = {"a": 0.75, "b": 0.25}
    assert is_overloaded(slices, few)
    made = planned(auto(), "a-1 a-1 a-2 b-1 b-1 b-1", slices, few)
    assert len(of_type(made, Patch)) == 1
    assert hints_in(applied(made, slices)).count("a") == 4


def test_the_cpus_of_ready_nodes_are_counted_by_zone() -> None:
    """Those that a control plane has to itself are none; one of which it is not known spoils it for all."""
    cpus = ZoneCpus()

    def put(name: str, zone: str, *, cpu: str = "2", ready: bool = True, **labels: str) -> None:
        labels |= {"topology.kubernetes.io/zone": zone} if zone else {}
        node = builders.node(name, ready=ready, labels=labels)
        cpus.note(Change(EventType.MODIFIED, None, changed(node, status__allocatable={"cpu": cpu})), 0.0)

    put("a-1", "a")
    assert cpus.shares is None
    put("b-1", "b", cpu="6000m")
    put("c-1", "c", ready=False)
    put("d-1", "d", **{"node-role.kubernetes.io/control-plane": ""})
    assert cpus.shares == {"a": 0.25, "b": 0.75}
    put("c-1", "")
    assert cpus.shares is None
    put("c-1", "a", cpu="8")
    assert cpus.shares == {"a": 10 / 16, "b": 6 / 16}
    put("c-1", "a", cpu="0")
    assert cpus.shares is None
    cpus.note(Change(EventType.DELETED, builders.node("c-1"), None), 0.0)
    assert cpus.shares == {"a": 0.25, "b": 0.75}
