"""The loop with pods that have claims, against a registry in memory, in virtual time; the test binds and provisions."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from machinery.model.k8s.core_v1 import PersistentVolumeClaimVolumeSource, Volume
from machinery.model.requests import DeleteOptions
from machinery.model.resources import (
    CSI_DRIVERS,
    CSI_STORAGE_CAPACITIES,
    NODES,
    PERSISTENT_VOLUME_CLAIMS,
    PERSISTENT_VOLUMES,
    PODS,
    STORAGE_CLASSES,
)
from machinery.model.storage import BIND_COMPLETED, BOUND_BY_CONTROLLER, NO_PROVISIONER, SELECTED_NODE
from tests.support.builders import node, pod
from tests.support.claims import claim, csi_driver, room, storage_class, volume
from tests.support.scheduler_world import SchedulerWorld
from tests.support.scripted_api import local_registry
from tests.support.virtual_clock import VirtualClock

HOST = "kubernetes.io/hostname"
FAILED = 'running PreBind plugin "VolumeBinding": binding volumes: '


def user_of(name: str = "web", claim_name: str = "data") -> Any:
    source = PersistentVolumeClaimVolumeSource(claimName=claim_name)
    return pod(name, volumes=[Volume(name="data", persistentVolumeClaim=source)])


class World(SchedulerWorld):
    """Two nodes, a claim, and a scheduler when one is wanted."""

    async def claim(self, name: str = "data") -> Any:
        return await self.user.get(PERSISTENT_VOLUME_CLAIMS, name, namespace="default")

    async def change(self, patch: dict[str, Any], name: str = "data") -> None:
        await self.user.patch(PERSISTENT_VOLUME_CLAIMS, name, patch, namespace="default")

    async def bind(self, volume_name: str, name: str = "data") -> None:
        """Do as the controller of volumes does, in the end."""
        await self.change(
            {"metadata": {"annotations": {BIND_COMPLETED: "yes"}}, "spec": {"volumeName": volume_name}}, name
        )
        await self.clock.advance(0)

    async def bind_what_waits(self) -> None:
        """Do as the controller of volumes and a provisioner do, with what the scheduler has written."""
        volumes = (await self.user.list(PERSISTENT_VOLUMES)).items
        reserved = {each.spec.claimRef.name: each.metadata.name for each in volumes if each.spec.claimRef}
        for own in (await self.user.list(PERSISTENT_VOLUME_CLAIMS)).items:
            name = own.metadata.name
            if own.spec.volumeName:
                continue
            if name not in reserved and SELECTED_NODE in own.metadata.annotations:
                await self.server.given(PERSISTENT_VOLUMES, volume(f"made-for-{name}", of=own))
                reserved[name] = f"made-for-{name}"
            if name in reserved:
                await self.bind(reserved[name], name)

    async def expected(self, name: str = "web") -> str:
        """Return the node that is kept for a pod, by its status."""
        return (await self.user.get(PODS, name, namespace="default")).status.nominatedNodeName


@pytest.fixture
async def world() -> AsyncIterator[World]:
    clock = VirtualClock()
    async with local_registry(clock) as server:
        for name in ("node-1", "node-2"):
            await server.given(NODES, node(name, labels={HOST: name}))
        await server.given(PERSISTENT_VOLUME_CLAIMS, claim(storage_class="standard"))
        yield World(clock, server)


async def test_a_volume_is_reserved_and_the_pod_bound_when_its_claim_is(world: World):
    """Not before; and a claim that is named by nobody but the scheduler says so."""
    await world.server.given(STORAGE_CLASSES, storage_class(provisioner=NO_PROVISIONER))
    await world.server.given(PERSISTENT_VOLUMES, volume(storage_class="standard"))
    async with world.scheduling():
        await world.server.given(PODS, user_of())
        await world.clock.advance(10)
        found = await world.user.get(PERSISTENT_VOLUMES, "pv")
        own = await world.claim()
        reference = found.spec.claimRef
        assert reference is not None
        assert (reference.name, reference.uid) == ("data", own.metadata.uid)
        assert found.metadata.annotations[BOUND_BY_CONTROLLER] == "yes"
        assert (await world.node_of(), await world.expected()) == ("", "node-1")
        await world.bind("pv")
        await world.clock.advance(1)
        assert (await world.node_of(), await world.expected()) == ("node-1", "")
    assert await world.failures() == []


async def test_a_claim_is_told_the_node_and_told_again_when_that_fails(world: World):
    """Who provisions takes the node away where it cannot; the pod says why it waits, and another node may be found."""
    await world.server.given(STORAGE_CLASSES, storage_class())
    async with world.scheduling():
        await world.server.given(PODS, user_of())
        await world.clock.advance(1)
        assert (await world.claim()).metadata.annotations[SELECTED_NODE] == "node-1"
        await world.change({"metadata": {"annotations": {SELECTED_NODE: None}}})
        await world.clock.advance(2)
        assert await world.failures() == [f'{FAILED}provisioning failed for PVC "data"']
        await world.clock.advance(20)
        assert (await world.claim()).metadata.annotations[SELECTED_NODE] == "node-1"
        await world.server.given(PERSISTENT_VOLUMES, volume(of=await world.claim()))
        await world.bind("pv")
        await world.clock.advance(1)
        assert await world.node_of() == "node-1"


async def test_a_pod_waits_so_long_and_then_looks_for_a_node_again(world: World):
    """Nobody provisions; the claim stays with the node that was chosen for it."""
    await world.server.given(STORAGE_CLASSES, storage_class())
    async with world.scheduling(volume_bind_timeout_s=30.0):
        await world.server.given(PODS, user_of())
        await world.clock.advance(29)
        assert await world.failures() == []
        await world.clock.advance(2)
        assert await world.failures() == [f"{FAILED}context deadline exceeded"]
        await world.clock.advance(15)
        assert (await world.claim()).metadata.annotations[SELECTED_NODE] == "node-1"


async def test_who_waits_for_volumes_keeps_nobody_else_waiting(world: World):
    """Not even where only one pod is bound at a time; one that is deleted waits no longer."""
    await world.server.given(STORAGE_CLASSES, storage_class())
    async with world.scheduling(bindings=1):
        await world.server.given(PODS, user_of())
        await world.clock.advance(1)
        await world.server.given(PODS, pod("other"))
        await world.clock.advance(1)
        assert await world.node_of("other") != ""
        await world.user.delete(PODS, "web", namespace="default", options=DeleteOptions(grace_period_s=0))
        await world.clock.advance(5)
        assert await world.failures() == []
        await world.server.given(PODS, pod("third"))
        await world.clock.advance(1)
        assert await world.node_of("third") != ""


async def test_another_scheduler_goes_on_where_one_was_killed(world: World):
    """What is written says where the volume is to be."""
    await world.server.given(STORAGE_CLASSES, storage_class())
    async with world.scheduling():
        await world.server.given(PODS, user_of())
        await world.clock.advance(1)
    chosen = (await world.claim()).metadata.annotations[SELECTED_NODE]
    await world.user.patch(NODES, chosen, {"spec": {"unschedulable": True}})
    async with world.scheduling():
        await world.clock.advance(1)
        [failure] = await world.failures()
        assert (
            "1 node(s) didn't find available persistent volumes to bind, 1 node(s) were unschedulable"
            in failure
        )
        await world.user.patch(NODES, chosen, {"spec": {"unschedulable": False}})
        await world.clock.advance(15)
        await world.server.given(PERSISTENT_VOLUMES, volume(of=await world.claim()))
        await world.bind("pv")
        await world.clock.advance(15)
        assert await world.node_of() == chosen


async def test_a_pod_is_tried_again_when_its_claim_comes(world: World):
    """And one with another claim is not."""
    await world.server.given(STORAGE_CLASSES, storage_class())
    async with world.scheduling():
        await world.server.given(PODS, user_of("early", "late"))
        await world.clock.advance(20)
        [failure] = await world.failures()
        assert 'persistentvolumeclaim "late" not found' in failure
        await world.server.given(PERSISTENT_VOLUME_CLAIMS, claim("late", storage_class="standard"))
        await world.clock.advance(1)
        assert (await world.claim("late")).metadata.annotations[SELECTED_NODE] == "node-1"


async def test_which_node_a_pod_was_to_get_is_not_said_any_more_when_it_does_not_get_it(world: World):
    """Others may have the place then. Nobody provisions."""
    await world.server.given(STORAGE_CLASSES, storage_class())
    async with world.scheduling(volume_bind_timeout_s=20):
        await world.server.given(PODS, user_of())
        await world.clock.advance(1)
        assert await world.expected() == "node-1"
        await world.server.user.delete(NODES, "node-2")
        await world.user.patch(NODES, "node-1", {"spec": {"unschedulable": True}})
        await world.clock.advance(21)
        assert (await world.node_of(), await world.expected()) == ("", "")


async def test_the_next_scheduler_goes_on_where_the_pod_was_to_go(world: World):
    """Though by now it would take another node."""
    await world.server.given(STORAGE_CLASSES, storage_class(provisioner=NO_PROVISIONER))
    await world.server.given(PERSISTENT_VOLUMES, volume(storage_class="standard"))
    dying = world.server.api("scheduler")

    async def die(verb: str, plural: str, _name: str) -> None:
        if plural == "persistentvolumes" and verb not in {"list", "watch"}:
            await asyncio.get_running_loop().create_future()

    dying.before_call = die
    await world.user.patch(NODES, "node-1", {"spec": {"unschedulable": True}})
    async with world.scheduling(dying):
        await world.server.given(PODS, user_of())
        await world.clock.advance(1)
        assert await world.expected() == "node-2"
    await world.user.patch(NODES, "node-1", {"spec": {"unschedulable": None}})
    async with world.scheduling():
        await world.clock.advance(1)
        await world.bind("pv")
        await world.clock.advance(1)
        assert await world.node_of() == "node-2"


async def test_a_pod_that_is_bound_at_once_has_nothing_written_before(world: World):
    """One request, as before."""
    api = world.server.api("scheduler")
    async with world.scheduling(api):
        await world.server.given(PODS, pod("plain"))
        await world.clock.advance(1)
        assert (await world.node_of("plain"), await world.expected("plain")) == ("node-1", "")
    assert [call for call in api.calls if call[:2] == ("patch", "pods")] == []


async def test_a_pod_waits_for_room_and_is_tried_again_when_there_is_more(world: World):
    """It is told in Kubernetes' words; that there is less than was asked for helps nobody."""
    await world.server.given(STORAGE_CLASSES, storage_class(provisioner="disks.example.com"))
    await world.server.given(CSI_DRIVERS, csi_driver("disks.example.com"))
    await world.server.given(CSI_STORAGE_CAPACITIES, room("1Mi", {HOST: "node-2"}))

    async def said(free: str) -> None:
        await world.user.patch(CSI_STORAGE_CAPACITIES, "room", {"capacity": free}, namespace="default")
        await world.clock.advance(20)

    async with world.scheduling():
        await world.server.given(PODS, user_of())
        await world.clock.advance(20)
        [failure] = await world.failures()
        assert failure.startswith("0/2 nodes are available: 2 node(s) did not have enough free storage.")
        await said("1Ki")
        assert SELECTED_NODE not in (await world.claim()).metadata.annotations
        await said("1Gi")
        assert (await world.claim()).metadata.annotations[SELECTED_NODE] == "node-2"


@pytest.mark.parametrize("fatal", [1, 2, 3, 4])
async def test_whatever_write_is_the_last_one_the_pod_gets_its_volumes(world: World, fatal: int):
    """The pod's node, the volume that is reserved, the claim that is told it, the binding: the next one goes on with what is done."""
    await world.server.given(STORAGE_CLASSES, storage_class())
    await world.server.given(PERSISTENT_VOLUMES, volume(storage_class="standard"))
    await world.server.given(PERSISTENT_VOLUME_CLAIMS, claim("more", "2Gi", storage_class="standard"))
    dying, written = world.server.api("scheduler"), 0

    async def die(_verb: str, plural: str, _name: str) -> None:
        nonlocal written
        written += plural in {"persistentvolumes", "persistentvolumeclaims", "pods"}
        if written == fatal:
            await asyncio.get_running_loop().create_future()

    dying.before_reply = die
    both = [PersistentVolumeClaimVolumeSource(claimName=each) for each in ("data", "more")]
    sources = [Volume(name=each.claimName, persistentVolumeClaim=each) for each in both]
    async with world.scheduling(dying):
        await world.server.given(PODS, pod("web", volumes=sources))
        for _ in range(3):
            await world.clock.advance(1)
            await world.bind_what_waits()
    assert written == fatal
    async with world.scheduling():
        for _ in range(3):
            await world.clock.advance(5)
            await world.bind_what_waits()
        assert await world.node_of() == "node-1"
    volumes = (await world.user.list(PERSISTENT_VOLUMES)).items
    owners = {each.metadata.name: each.spec.claimRef.name for each in volumes if each.spec.claimRef}
    assert owners == {"pv": "data", "made-for-more": "more"}
