"""Whoever gets devices gets those that a search which tries everything would find first."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import assume, given
from hypothesis import strategies as st

from machinery.model.k8s.resource_v1 import DeviceConstraint, DeviceRequest
from scheduler.core.devices.allocator import Supply, allocate
from scheduler.core.devices.asking import read_spec
from scheduler.core.devices.pools import DeviceId, NodePool, PoolId, read_pool
from tests.support.device_claims import claim_spec
from tests.support.devices import DRIVER, device, first_of, reference, request, slice_of
from tests.support.examples import examples

NAMES = ["a", "b", "c", "d"]
UNITS = 3
COUNTERS = [{"name": "chip", "counters": {"units": {"value": str(UNITS)}}}]


def uses(units: int) -> dict[str, Any]:
    """Return that a device takes so many units of a counter."""
    if not units:
        return {}
    return {"consumesCounters": [{"counterSet": "chip", "counters": {"units": {"value": str(units)}}}]}


DEVICES = st.lists(
    st.tuples(st.sampled_from(["red", "blue", ""]), st.integers(0, 2)), min_size=1, max_size=len(NAMES)
)
COUNTS = st.sampled_from([1, 1, 2, None])
EXACT = st.builds(
    lambda name, count, admin: request(name, count, adminAccess=admin), st.just("x"), COUNTS, st.booleans()
)
EITHER = st.builds(lambda one, two: first_of("x", one=one, two=two), COUNTS, COUNTS)
CONSTRAINTS = st.lists(
    st.builds(
        lambda kind, wanted: DeviceConstraint(**{kind: f"{DRIVER}/color"}, requests=wanted),
        st.sampled_from(["matchAttribute", "distinctAttribute"]),
        st.sampled_from([[], ["r0"], ["r1"], ["r0/one"], ["r0", "r1"]]),
    ),
    max_size=1,
)
CLAIMS = st.lists(
    st.tuples(st.lists(EXACT | EITHER, min_size=1, max_size=2), CONSTRAINTS), min_size=1, max_size=2
)


def named(requests: list[DeviceRequest]) -> list[DeviceRequest]:
    """Return requests with names of their own."""
    return [msgspec.structs.replace(each, name=f"r{number}") for number, each in enumerate(requests)]


@examples(150)
@given(DEVICES, st.sets(st.sampled_from(NAMES), max_size=2), CLAIMS)
def test_the_search_finds_what_trying_everything_finds(devices, taken, claims):
    """The same devices for the same requests, or none, with taken ones, counters, constraints, alternatives and admin access."""
    documents = [
        device(name, **({"color": color} if color else {}), **uses(units))
        for name, (color, units) in zip(NAMES, devices, strict=False)
    ]
    gone = taken & {each["name"] for each in documents}
    assume(sum(units for name, (_, units) in zip(NAMES, devices, strict=False) if name in gone) <= UNITS)
    slices = [
        slice_of(*documents, name="a", pool_fields={"resourceSliceCount": 2}),
        slice_of(name="b", pool_fields={"resourceSliceCount": 2}, sharedCounters=COUNTERS),
    ]
    pool = read_pool(PoolId(DRIVER, "node-1"), slices)
    supply = Supply(
        [NodePool(pool, pool.on("node-1", {}))],
        {DeviceId(DRIVER, "node-1", name) for name in gone},
        lambda _asked, _device: True,
    )
    wanted = [named(requests) for requests, _ in claims]
    constraints = [own for _, own in claims]
    asking = [
        read_spec(claim_spec(*requests, constraints=own))
        for requests, own in zip(wanted, constraints, strict=True)
    ]
    found = allocate(asking, supply)
    shown = [[(each.asked.name, each.device.id.device) for each in claim] for claim in found or []]
    expected = reference(wanted, constraints, documents, gone, {("chip", "units"): UNITS})
    assert (shown if found is not None else None) == expected
