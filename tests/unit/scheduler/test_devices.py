"""Which devices there are, which of them suit, and what is said where they do not do."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from machinery.model.device_claims import user_of_claim
from machinery.model.k8s.core_v1 import Pod, PodResourceClaimStatus
from machinery.model.k8s.resource_v1 import (
    AllocationResult,
    CapacityRequirements,
    DeviceClaimConfiguration,
    DeviceClassConfiguration,
    DeviceRequest,
    DeviceToleration,
    OpaqueDeviceConfiguration,
    ResourceClaim,
    ResourceSlice,
)
from scheduler.core.devices.pools import Pools
from scheduler.core.schedule import Bind
from tests.support.builders import changed, meta, node
from tests.support.controllers import CREATED, owner
from tests.support.device_claims import claim, claim_spec, pod
from tests.support.devices import (
    DRIVER,
    device,
    device_class,
    first_of,
    match,
    request,
    slice_of,
)
from tests.support.scheduler import Decider, devices_of

SMALL, LARGE = (
    device("small", color="red", size=1, memory="8Gi"),
    device("large", color="blue", size=2, memory="80Gi"),
)
ZONE_B = {"nodeSelectorTerms": [{"matchExpressions": [{"key": "zone", "operator": "In", "values": ["b"]}]}]}
ONE_OF_TWO = {"resourceSliceCount": 2}


def decider(*slices: ResourceSlice, **classes: Any) -> Decider:
    """Return a cluster of two nodes with devices of the class `card`."""
    found = Decider(node("node-1"), node("node-2"))
    found.snapshot.devices.set_class(classes.get("card", device_class()))
    for each in slices:
        found.snapshot.devices.set_slice(each)
    return found


def asking(found: Decider, *requests: DeviceRequest, name: str = "web", **fields: Any) -> Pod:
    """Return a pod with a claim that asks for this."""
    found.snapshot.devices.set_claim(claim(name, claim_spec(*requests, **fields)))
    return pod(name, shared=name)


def given(found: Decider, *requests: DeviceRequest, name: str = "web", **fields: Any) -> list[str]:
    """Return what a claim gets, as "request=device"."""
    decision = found.decide(asking(found, *requests, name=name, **fields))
    assert isinstance(decision, Bind), decision.message
    [got] = devices_of(decision)
    assert got.allocation is not None
    assert got.allocation.devices is not None
    found.snapshot.devices.reserve(got.claim, got.allocation)
    return [f"{each.request}={each.device}" for each in got.allocation.devices.results]


@pytest.mark.parametrize(
    ("requests", "fields", "devices"),
    [
        ([request()], {}, ["card=small"]),
        ([request("card", 2)], {}, ["card=small", "card=large"]),
        ([request("card", None)], {}, ["card=small", "card=large"]),
        ([request("card", 1, f"device.attributes['{DRIVER}'].size > 1")], {}, ["card=large"]),
        ([request("card", 1, f"device.capacity['{DRIVER}'].memory.isGreaterThan(quantity('10Gi'))")], {}, ["card=large"]),
        ([request("card", 1, f"device.driver == '{DRIVER}' && !('x' in device.attributes['other.example.com'])")], {}, ["card=small"]),
        ([first_of("card", three=3, two=2)], {}, ["card/two=small", "card/two=large"]),
        ([request("a"), request("b")], {}, ["a=small", "b=large"]),
        ([request("a"), request("b", 1, f"device.attributes['{DRIVER}'].color == 'red'")], {}, ["a=large", "b=small"]),
        ([request("a"), request("b")], {"constraints": [match("color", "a")]}, ["a=small", "b=large"]),
    ],
)  # fmt: skip
def test_a_claim_gets_the_first_devices_that_do(requests, fields, devices):
    """In the order of its requests, and of the devices of the slice."""
    assert given(decider(slice_of(SMALL, LARGE)), *requests, **fields) == devices


NOT = "0/2 nodes are available: 2 cannot allocate all claims."


@pytest.mark.parametrize(
    ("slices", "requests", "fields", "message"),
    [
        ([slice_of(SMALL)], [request("card", 2)], {}, NOT),
        ([slice_of(SMALL, LARGE)], [request("card", 2)], {"constraints": [match("color")]}, NOT),
        ([slice_of(SMALL, LARGE)], [request("card", 1)], {"constraints": [match("shape")]}, NOT),
        ([slice_of(SMALL, pool_fields=ONE_OF_TWO)], [request()], {}, NOT),
        ([slice_of(SMALL, SMALL)], [request()], {}, NOT),
        ([slice_of()], [request("card", None)], {}, NOT),
        ([slice_of(device("bad", taints=[{"key": "broken", "effect": "NoSchedule"}]))], [request()], {}, NOT),
        ([slice_of(device("late", bindingConditions=["up"], bindingFailureConditions=["down"]))], [request()], {}, NOT),
        ([slice_of(SMALL, pool_fields=ONE_OF_TWO)], [request("card", None)], {}, "0/2 nodes are available: 1 cannot allocate all claims, 1 request card: asks for all devices, but resource pool cards.example.com/node-1 is currently being updated."),
        ([slice_of(SMALL)], [request("card", 1, "device.attributes['cards.example.com'].price > 1")], {}, "0/2 nodes are available: 1 cannot allocate all claims, 1 request card: selector #0 on device cards.example.com/node-1/small: CEL runtime error: no such key: price."),
        ([slice_of(SMALL)], [request("card", 1, capacity=CapacityRequirements(requests={"memory": "1Gi"}))], {}, "0/2 nodes are available: 2 request card: capacity is not built in Kubarium."),
        ([slice_of(SMALL)], [request("card", 1, deviceClassName="none")], {}, "0/2 nodes are available: request card: device class none does not exist."),
    ],
)  # fmt: skip
def test_where_devices_do_not_do_it_is_told(slices, requests, fields, message):
    """By Kubernetes' words, where it has some."""
    found = decider(*slices)
    assert found.message(asking(found, *requests, **fields)).startswith(message)


def test_devices_that_are_taken_are_no_one_elses():
    """Except for who looks after all of them."""
    found = decider(slice_of(SMALL))
    admin = request("card", None, adminAccess=True)
    assert given(found, admin, name="first") == ["card=small"]
    assert given(found, request(), name="second") == ["card=small"]
    assert given(found, admin, name="third") == ["card=small"]
    end = "still not schedulable, preemption: 0/2 nodes are available: 2 Preemption is not helpful for scheduling."
    assert found.message(asking(found, request(), name="fourth")) == f"{NOT} {end}"
    second = found.snapshot.devices.claim(("default", "second"))
    assert second is not None
    found.snapshot.devices.release(second)
    assert given(found, request(), name="fourth") == ["card=small"]


def test_a_taint_is_tolerated_by_who_says_so():
    """By key and effect; what has no effect on scheduling keeps nobody."""
    taints = [{"key": "broken", "value": "yes", "effect": "NoExecute"}, {"key": "old", "effect": "None"}]
    tolerations = [DeviceToleration(key="broken", operator="Equal", value="yes")]
    found = decider(slice_of(device("bad", taints=taints)))
    assert found.message(asking(found, request())).startswith(NOT)
    assert given(found, request("card", 1, tolerations=tolerations)) == ["card=bad"]


def test_devices_that_share_a_counter_take_from_it():
    """Parts of one device cannot be more than it; those that are on another node count, too."""
    counters = [{"name": "chip", "counters": {"units": {"value": "3"}}}]
    uses = {"consumesCounters": [{"counterSet": "chip", "counters": {"units": {"value": "2"}}}]}
    shared = slice_of(
        name="a", node="", allNodes=True, pool="p", sharedCounters=counters, pool_fields=ONE_OF_TWO
    )
    parts = [device("left", nodeName="node-1", **uses), device("right", nodeName="node-2", **uses)]
    halves = slice_of(
        *parts, name="b", node="", pool="p", perDeviceNodeSelection=True, pool_fields=ONE_OF_TWO
    )
    found = decider(shared, halves)
    assert given(found, request(), name="first") == ["card=left"]
    assert found.message(asking(found, request(), name="second")).startswith(NOT)


@pytest.mark.parametrize(
    ("slice_", "nodes"),
    [
        (slice_of(SMALL, node="node-2"), {"node-2"}),
        (slice_of(SMALL, node="", pool="p", allNodes=True), {"node-1", "node-2"}),
        (slice_of(SMALL, node="", pool="p", nodeSelector=ZONE_B), {"node-2"}),
    ],
)  # fmt: skip
def test_a_claim_with_devices_is_used_where_they_are(slice_, nodes):
    """The allocation says which nodes that are."""
    for number in (0.0, 0.9):
        found = Decider(node("node-1", labels={"zone": "a"}), node("node-2", labels={"zone": "b"}))
        found.snapshot.devices.set_class(device_class())
        found.snapshot.devices.set_slice(slice_)
        decision = found.decide(asking(found), number)
        assert isinstance(decision, Bind)
        assert decision.node in nodes
        [got] = devices_of(decision)
        allocated = changed(got.claim, status__allocation=got.allocation)
        found.snapshot.devices.set_claim(allocated)
        for other in (0.0, 0.9):
            again = found.decide(pod("other", shared="web"), other)
            assert isinstance(again, Bind)
            assert again.node in nodes
            assert [(each.claim, each.allocation) for each in devices_of(again)] == [(allocated, None)]


def own(name: str = "", **fields: Any) -> Pod:
    """Return a pod with a claim from a template, which is made if it has a name."""
    made = [PodResourceClaimStatus(name="own", resourceClaimName=name)] if name else []
    return changed(pod("web", own="card"), status__resourceClaimStatuses=made, **fields)


@pytest.mark.parametrize(
    ("there", "asker", "message"),
    [
        (None, own(), 'pod "default/web": pod claim name not found: own'),
        (None, own("x"), 'resourceclaim.resource.k8s.io "x" not found'),
        (claim("x", metadata__deletionTimestamp=CREATED), own("x"), 'resourceclaim "x" is being deleted'),
        (claim("x"), own("x"), "ResourceClaim default/x was not created for pod default/web (pod is not owner)"),
        (claim("x", metadata__ownerReferences=[owner(own())]), own("x"), ""),
        (None, changed(own(), status__resourceClaimStatuses=[PodResourceClaimStatus(name="own")]), ""),
    ],
)  # fmt: skip
def test_a_pod_whose_claims_are_not_there_waits(there: ResourceClaim | None, asker: Pod, message: str):
    """A claim that its status says is not needed keeps nothing."""
    found = decider(slice_of(SMALL))
    if there is not None:
        found.snapshot.devices.set_claim(there)
    decision = found.decide(asker)
    assert isinstance(decision, Bind) if not message else message in decision.message  # type: ignore[union-attr]


def test_a_claim_that_is_being_allocated_is_waited_for():
    """Two pods share it: the second comes when the first has it."""
    found = decider(slice_of(SMALL))
    given(found, request())
    text = "resource claim default/web is in the process of being allocated"
    assert text in found.message(pod("other", shared="web"))


def test_a_claim_that_is_out_of_reach_is_given_up():
    """If nobody else uses it: its devices may be elsewhere then."""
    found = decider(slice_of(SMALL, node="gone"))
    reached = {
        "nodeSelectorTerms": [
            {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["gone"]}]}
        ]
    }
    web = pod("web", shared="data")
    for users, reason in (
        ([], "deallocation of ResourceClaim completed"),
        ([meta("b", "default")], "still not schedulable"),
    ):
        there = claim("data", status__reservedFor=[user_of_claim(each) for each in users])
        allocation = msgspec.convert({"nodeSelector": reached}, AllocationResult)
        found.snapshot.devices.set_claim(
            changed(there, status__allocation=allocation, metadata__resourceVersion=str(len(users) + 1))
        )
        decision = found.decide(web)
        assert not isinstance(decision, Bind)
        assert decision.message.startswith(
            f"0/2 nodes are available: 2 resourceclaim not available on the node. {reason}"
        )
        assert bool(decision.actions) == (not users)


def test_configuration_comes_along():
    """That of a class once, for all requests of it; that of a claim where its requests were chosen."""
    opaque = [OpaqueDeviceConfiguration(driver=DRIVER, parameters={"n": number}) for number in range(4)]
    card = device_class(config=[DeviceClassConfiguration(opaque=opaque[0])])
    found = decider(slice_of(SMALL, LARGE), card=card)
    config = [
        DeviceClaimConfiguration(opaque=opaque[1]),
        DeviceClaimConfiguration(opaque=opaque[2], requests=["b/two"]),
        DeviceClaimConfiguration(opaque=opaque[3], requests=["a"]),
    ]
    decision = found.decide(asking(found, request("a"), first_of("b", three=3, one=1), config=config))
    assert isinstance(decision, Bind)
    [got] = devices_of(decision)
    assert got.allocation is not None
    assert got.allocation.devices is not None
    shown = [(each.source, each.requests, each.opaque) for each in got.allocation.devices.config]
    assert shown == [
        ("FromClass", [], opaque[0]),
        ("FromClaim", [], opaque[1]),
        ("FromClaim", ["a"], opaque[3]),
    ]


def test_of_a_pool_the_newest_generation_counts():
    """An older slice is left over; the pool is complete without it."""
    pools = Pools()
    assert pools.put(slice_of(SMALL, name="old")) == {"node-1"}
    pools.put(slice_of(LARGE, name="new", pool_fields={"generation": 2}))
    [found] = pools.of_node("node-1", {})
    assert ([each.id.device for each in found.devices], found.pool.problem) == (["large"], "")
    assert pools.drop("new") == {"node-1"}
    [found] = pools.of_node("node-1", {})
    assert [each.id.device for each in found.devices] == ["small"]
    assert pools.put(slice_of(SMALL, name="old", node="node-2", pool="node-1")) == {"node-1", "node-2"}
    assert not pools.of_node("node-1", {})


def test_the_newest_revision_of_a_claim_counts():
    """What the scheduler has written is not undone by a watch that lags."""
    found = decider(slice_of(SMALL))
    devices = found.snapshot.devices
    given(found, request())
    reserved = devices.claim(("default", "web"))
    assert reserved is not None
    held = changed(reserved, metadata__resourceVersion="2")
    assert not devices.set_claim(held)
    assert devices.is_in_flight(("default", "web"))
    assert found.message(asking(found, request(), name="other")).startswith(NOT)
