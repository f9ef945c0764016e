"""The loop with pods that have claims of devices, against a registry in memory, in virtual time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from machinery.model.device_claims import CLAIM_FINALIZER
from machinery.model.errors import Forbidden
from machinery.model.k8s.resource_v1 import ResourceClaim
from machinery.model.requests import DeleteOptions, PatchType
from machinery.model.resources import (
    DEVICE_CLASSES,
    NODES,
    PODS,
    RESOURCE_CLAIMS,
    RESOURCE_SLICES,
)
from tests.support.builders import changed, node
from tests.support.device_claims import claim, claim_spec, pod
from tests.support.devices import device, device_class, request, slice_of
from tests.support.scheduler_world import SchedulerWorld
from tests.support.scripted_api import local_registry
from tests.support.virtual_clock import VirtualClock


class World(SchedulerWorld):
    """Two nodes, a card on one of them, and a scheduler when one is wanted."""

    async def claimed(self, *names: str) -> None:
        """Make claims of one card each, and a pod of the same name for each."""
        for name in names:
            await self.server.given(RESOURCE_CLAIMS, claim(name, claim_spec(request())))
            await self.server.given(PODS, pod(name, shared=name))
        await self.clock.advance(2)

    async def claim(self, name: str) -> ResourceClaim:
        return await self.user.get(RESOURCE_CLAIMS, name, namespace="default")

    async def device_of(self, name: str) -> str:
        allocation = (await self.claim(name)).status.allocation
        assert allocation is not None
        assert allocation.devices is not None
        return allocation.devices.results[0].device


@pytest.fixture
async def world() -> AsyncIterator[World]:
    clock = VirtualClock()
    async with local_registry(clock) as server:
        for name in ("node-1", "node-2"):
            await server.given(NODES, node(name))
        await server.given(DEVICE_CLASSES, changed(device_class(), metadata__uid=""))
        await server.given(RESOURCE_SLICES, slice_of(device("one"), node="node-2"))
        yield World(clock, server)


async def test_a_claim_has_its_device_before_its_pod_has_a_node(world: World):
    """With the finalizer, the nodes that reach it, and the pod as its user."""
    async with world.scheduling():
        await world.claimed("web")
        found = await world.claim("web")
        assert found.metadata.finalizers == [CLAIM_FINALIZER]
        assert [(each.resource, each.name) for each in found.status.reservedFor] == [("pods", "web")]
        assert found.status.allocation is not None
        assert found.status.allocation.nodeSelector is not None
        assert await world.device_of("web") == "one"
        assert await world.node_of("web") == "node-2"
    assert await world.failures() == []


async def test_a_second_pod_waits_until_the_first_has_gone(world: World):
    """It wakes by the change of the claim that frees the device."""
    async with world.scheduling():
        await world.claimed("first", "second")
        assert await world.node_of("second") == ""
        [told] = await world.failures()
        assert told.startswith("0/2 nodes are available: 2 cannot allocate all claims. still not schedulable")
        free = {"metadata": {"finalizers": None}}
        await world.user.patch(RESOURCE_CLAIMS, "first", free, namespace="default")
        await world.user.delete(PODS, "first", namespace="default", options=DeleteOptions(grace_period_s=0))
        await world.clock.advance(20)
        assert await world.node_of("second") == ""
        await world.user.delete(RESOURCE_CLAIMS, "first", namespace="default")
        await world.clock.advance(20)
        assert (await world.device_of("second"), await world.node_of("second")) == ("one", "node-2")


async def test_a_pod_whose_claim_is_made_later_says_nothing(world: World):
    """It is looked at when the claim comes, without a pause."""
    async with world.scheduling():
        await world.server.given(PODS, pod("web", shared="web"))
        await world.clock.advance(5)
        assert await world.failures() == []
        await world.server.given(RESOURCE_CLAIMS, claim("web", claim_spec(request())))
        await world.clock.advance(0.1)
        assert await world.node_of("web") == "node-2"


async def test_two_pods_share_a_claim(world: World):
    """The second waits while the first is being given it."""
    async with world.scheduling():
        await world.server.given(RESOURCE_CLAIMS, claim("card", claim_spec(request())))
        for name in ("a", "b"):
            await world.server.given(PODS, pod(name, shared="card"))
        await world.clock.advance(20)
        assert [await world.node_of(name) for name in ("a", "b")] == ["node-2", "node-2"]
        users = (await world.claim("card")).status.reservedFor
        assert sorted(each.name for each in users) == ["a", "b"]


async def test_what_others_write_meanwhile_is_no_harm(world: World):
    """The claim is read again, and written."""
    api = world.server.api("scheduler")
    others = iter([{"metadata": {"labels": {"a": "b"}}}])

    async def before_call(verb: str, plural: str, _name: str) -> None:
        if (verb, plural) == ("patch", "resourceclaims") and (change := next(others, None)):
            await world.user.patch(RESOURCE_CLAIMS, "web", change, namespace="default", kind=PatchType.MERGE)

    api.before_call = before_call
    async with world.scheduling(api):
        await world.claimed("web")
        assert await world.node_of("web") == "node-2"
    assert (await world.claim("web")).metadata.labels == {"a": "b"}


async def test_a_claim_that_cannot_be_written_leaves_its_device_to_others(world: World):
    """The pod says why, and tries again later."""
    api = world.server.api("scheduler")
    refused: list[Any] = []

    async def before_call(verb: str, plural: str, name: str) -> None:
        if (verb, plural, name) == ("patch", "resourceclaims", "first"):
            refused.append(name)
            raise Forbidden("not today")

    api.before_call = before_call
    async with world.scheduling(api):
        await world.claimed("first")
        await world.claimed("second")
        assert (await world.node_of("first"), await world.node_of("second")) == ("", "node-2")
    assert refused
    text = 'running PreBind plugin "DynamicResources": add finalizer to claim default/first: not today'
    assert (await world.failures())[0] == text


async def test_devices_that_are_out_of_reach_are_given_back(world: World):
    """The claim is allocated anew where its pod can be."""
    async with world.scheduling():
        await world.claimed("web")
        await world.user.delete(PODS, "web", namespace="default", options=DeleteOptions(grace_period_s=0))
        await world.user.delete(NODES, "node-2")
        await world.server.given(RESOURCE_SLICES, slice_of(device("other"), node="node-1"))
        free = {"status": {"reservedFor": None}}
        await world.user.patch(RESOURCE_CLAIMS, "web", free, namespace="default", subresource="status")
        await world.server.given(PODS, pod("again", shared="web"))
        await world.clock.advance(20)
        assert (await world.device_of("web"), await world.node_of("again")) == ("other", "node-1")
    assert any("deallocation of ResourceClaim completed" in each for each in await world.failures())
