"""Endpoints of Services without selectors, as EndpointSlices."""

import msgspec
import pytest

from controllers.endpointslicemirroring.plan import LEADER, MANAGER, SKIPPED, Seen, plan
from machinery.model.k8s.core_v1 import EndpointAddress, EndpointPort, Endpoints, EndpointSubset
from tests.support.builders import changed, meta
from tests.support.controllers import at, events, moment, writes
from tests.support.endpointslices import applied, service

PLAIN = changed(service(), spec__selector={})


def endpoints(*subsets, **fields):
    annotations = {"kept": "1", "endpoints.kubernetes.io/last-change-trigger-time": at(0)}
    fields = {"labels": {"mine": "1"}, "annotations": annotations, **fields}
    return Endpoints(metadata=meta("web", "default", **fields), subsets=list(subsets))


def subset(*ips, unready=(), port=80):
    return EndpointSubset(
        addresses=[EndpointAddress(ip=ip, hostname="h") for ip in ips],
        notReadyAddresses=[EndpointAddress(ip=ip) for ip in unready],
        ports=[EndpointPort(name="web", port=port, protocol="TCP")],
    )


def plan_for(known, slices=(), svc=PLAIN):
    return plan(Seen(known, svc, list(slices)), moment())


def mirrored(known, slices=()):
    """Return the slices after a plan; a second one finds nothing to do."""
    after = applied(plan_for(known, slices), list(slices))
    assert plan_for(known, after).actions == ()
    return after


def shape(slices):
    return sorted(
        (
            each.addressType,
            [(one.addresses[0], one.conditions.ready) for one in each.endpoints],
            [port.port for port in each.ports],
        )
        for each in slices
    )


def test_each_family_and_set_of_ports_has_a_slice():
    """With the object's labels, what it says of itself, and the object as its owner."""
    known = endpoints(subset("10.0.0.1", "fd00::1", unready=["10.0.0.2"]), subset("10.0.0.3", port=81))
    found = mirrored(known)
    assert shape(found) == [
        ("IPv4", [("10.0.0.1", True), ("10.0.0.2", False)], [80]),
        ("IPv4", [("10.0.0.3", True)], [81]),
        ("IPv6", [("fd00::1", True)], [80]),
    ]
    for each in found:
        assert each.metadata.labels == {
            "mine": "1",
            "kubernetes.io/service-name": "web",
            "endpointslice.kubernetes.io/managed-by": MANAGER,
        }
        assert (each.metadata.annotations, each.metadata.ownerReferences[0].kind) == (
            {"kept": "1"},
            "Endpoints",
        )
    assert {one.hostname for each in found for one in each.endpoints} == {"h", ""}


def test_slices_are_written_anew_before_they_are_deleted():
    """Other ports, an address less, other labels; the family stays what it was."""
    found = mirrored(endpoints(subset("10.0.0.1", "fd00::1")))
    names = {each.metadata.name for each in found}
    after = mirrored(endpoints(subset("10.0.0.2", port=81), labels={"other": "1"}), found)
    assert shape(after) == [("IPv4", [("10.0.0.2", True)], [81])]
    assert {each.metadata.name for each in after} < names
    assert after[0].metadata.labels["other"] == "1"
    assert "mine" not in after[0].metadata.labels


@pytest.mark.parametrize(
    ("known", "svc"),
    [
        (endpoints(subset("10.0.0.1"), labels={SKIPPED: "true"}), PLAIN),
        (endpoints(subset("10.0.0.1"), annotations={LEADER: "{}"}), PLAIN),
        (endpoints(subset("10.0.0.1")), service()),
        (endpoints(subset("10.0.0.1")), None),
        (None, PLAIN),
        (endpoints(), PLAIN),
    ],
)
def test_what_is_not_to_be_mirrored_has_no_slices(known, svc):
    """Nor keeps those that it had."""
    before = mirrored(endpoints(subset("10.0.0.1")))
    assert applied(plan_for(known, before, svc), before) == []
    assert writes(plan_for(known, (), svc)) == []


def test_what_is_left_out_is_said():
    """More than 1,000 addresses of one subset, and what is no address."""
    many = [f"10.0.{number // 250}.{number % 250 + 1}" for number in range(1002)]
    known = endpoints(subset("nowhere", *many))
    assert events(plan_for(known)) == [
        ("Warning", "InvalidIPAddress", "Skipped 1 invalid IP addresses when mirroring to EndpointSlices"),
        (
            "Warning",
            "TooManyAddressesToMirror",
            "A max of 1000 addresses can be mirrored to EndpointSlices per Endpoints subset. 3 addresses were skipped",
        ),
    ]
    [one] = mirrored(known)
    assert len(one.endpoints) == 1000


def test_the_order_of_addresses_is_no_change():
    """Whoever writes the object may have another one."""
    found = mirrored(endpoints(subset("10.0.0.1", "10.0.0.2")))
    assert plan_for(endpoints(subset("10.0.0.2", "10.0.0.1")), found).actions == ()
    assert msgspec.to_builtins(found)
