"""Registration, status and lease, against a registry in memory, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kubelet.cgroups import Cgroups
from kubelet.core.node_status import (
    Machine,
    RuntimeNote,
    RuntimeState,
    System,
    compute_conditions,
    differs,
    read_labels,
    runtime_problems,
    view_images,
)
from kubelet.lease import NodeLease
from kubelet.machine_info import IdentityFiles, read_machine
from kubelet.node import Node, NodeSettings
from machinery.model.errors import Conflict, Unavailable
from machinery.model.k8s.core_v1 import Node as NodeObject
from machinery.model.k8s.core_v1 import NodeCondition, NodeStatus
from machinery.model.profile import intervals
from machinery.model.requests import PatchType
from machinery.model.resources import LEASES, NODES
from machinery.pb import cri_pb2 as cri
from tests.support.kubelet_node import KeptEvents, ScriptedRuntime
from tests.support.scripted_api import LocalRegistry, local_registry
from tests.support.virtual_clock import VirtualClock

SYSTEM = System("amd64", "boot", "machine", "uuid", "6.1", "Debian")
AMOUNTS = {"cpu": "500m", "memory": "256Mi", "pods": "110"}
MACHINE = Machine(AMOUNTS, AMOUNTS, SYSTEM, 500, 2**28, declared=True)
CALM = frozenset[str]()


class _World:
    def __init__(self, root: Path, clock: VirtualClock, server: LocalRegistry) -> None:
        self.root, self.clock, self.server, self.api = root, clock, server, server.user
        self.runtime = ScriptedRuntime()
        self.ips: tuple[str, ...] = ("10.0.0.5",)
        self.events: Any = KeptEvents()

    @asynccontextmanager
    async def kubelet(self, machine: Machine = MACHINE, **labels: str) -> AsyncIterator[Node]:
        settings = NodeSettings("node-1", self.ips, labels, intervals("default"), self.root)
        node = Node(
            self.server.api(), self.runtime, self.clock, self.events,
            settings=settings, machine=machine, cgroups=Cgroups(""), port=lambda: 10251,
        )  # fmt: skip
        running = asyncio.ensure_future(node.run())
        try:
            await node.registered.wait()
            await self.clock.settle()
            yield node
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    async def give_range(self) -> None:
        await self.api.patch(NODES, "node-1", {"spec": {"podCIDR": "10.1.0.0/24"}})

    async def node(self) -> NodeObject:
        return await self.api.get(NODES, "node-1")

    async def condition(self, type_: str = "Ready") -> NodeCondition:
        return next(item for item in (await self.node()).status.conditions if item.type == type_)

    async def renewed(self) -> str:
        lease = await self.api.get(LEASES, "node-1", namespace="kube-node-lease")
        return lease.spec.renewTime


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[_World]:
    clock = VirtualClock()
    async with local_registry(clock) as server:
        yield _World(tmp_path, clock, server)


async def test_a_node_registers_with_what_it_is_and_has(world: _World):
    """Labels, capacity as it was declared, addresses, and the port that it listens on."""
    async with world.kubelet(zone="a"):
        await world.clock.advance(1)
        node = await world.node()
    assert node.metadata.labels["kubernetes.io/hostname"] == "node-1"
    assert (node.metadata.labels["kubernetes.io/arch"], node.metadata.labels["zone"]) == ("amd64", "a")
    status = node.status
    assert status.capacity == status.allocatable == AMOUNTS
    assert [(item.type, item.address) for item in status.addresses] == [
        ("InternalIP", "10.0.0.5"),
        ("Hostname", "node-1"),
    ]
    assert status.daemonEndpoints.kubeletEndpoint.Port == 10251
    assert status.nodeInfo.containerRuntimeVersion == "docker://20.10.24"
    assert status.nodeInfo.kubeletVersion == "v1.36.0"


async def test_a_node_of_two_families_has_two_addresses_and_passes_two_ranges_on(world: _World):
    """Though addresses are merged by their types when they are written: also when that is done again."""
    world.ips = ("10.0.0.5", "fd00::5")
    wanted = [("InternalIP", "10.0.0.5"), ("InternalIP", "fd00::5"), ("Hostname", "node-1")]
    for _ in range(2):
        async with world.kubelet():
            await world.clock.advance(1)
            ranges = ["10.1.0.0/24", "fd00:1::/64"]
            await world.api.patch(NODES, "node-1", {"spec": {"podCIDR": ranges[0], "podCIDRs": ranges}})
            await world.clock.advance(1)
            status = (await world.node()).status
        assert [(item.type, item.address) for item in status.addresses] == wanted
    assert world.runtime.cidrs[-1] == "10.1.0.0/24,fd00:1::/64"


async def test_it_is_ready_as_soon_as_its_network_is(world: _World):
    """The pod range goes to the runtime at once, and Ready is written at once."""
    async with world.kubelet() as kubelet:
        ready = await world.condition()
        assert (ready.status, ready.reason) == ("False", "KubeletNotReady")
        assert ready.message == (
            "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:no pod range"
        )
        await world.clock.advance(3)
        begun_s = world.clock.now()
        await world.give_range()
        await kubelet.ready.wait()
        assert world.clock.now() == begun_s
        ready = await world.condition()
        assert (ready.status, ready.reason, ready.message) == (
            "True",
            "KubeletReady",
            "kubelet is posting ready status",
        )
        assert world.runtime.cidrs == ["10.1.0.0/24"]
        assert "NodeReady" in world.events.reasons


async def test_a_status_that_has_not_changed_is_written_seldom(world: _World):
    """Every five minutes; the lease says every ten seconds that the node is alive."""
    async with world.kubelet():
        await world.give_range()
        await world.clock.advance(30)
        before, lease_before = (await world.node()).metadata.resourceVersion, await world.renewed()
        await world.clock.advance(200)
        assert (await world.node()).metadata.resourceVersion == before
        assert await world.renewed() > lease_before
        await world.clock.advance(100)
        assert (await world.node()).metadata.resourceVersion != before


async def test_a_change_is_written_with_the_next_look(world: _World):
    """An image that has come is told within ten seconds."""
    async with world.kubelet():
        await world.give_range()
        await world.clock.advance(30)
        world.runtime.images["app:1"] = cri.Image(id="1", repo_tags=["app:1"], size=7)
        await world.clock.advance(11)
        [image] = (await world.node()).status.images
        assert (image.names, image.sizeBytes) == (["app:1"], 7)


async def test_a_runtime_that_is_away_for_long_makes_the_node_not_ready(world: _World):
    """Half a minute is forgiven; when it is back, so is the node."""
    async with world.kubelet() as kubelet:
        await world.give_range()
        await kubelet.ready.wait()
        world.runtime.error = Unavailable("connection refused")
        await world.clock.advance(25)
        assert (await world.condition()).status == "True"
        await world.clock.advance(20)
        ready = await world.condition()
        assert (ready.status, ready.message) == ("False", "container runtime is down: connection refused")
        world.runtime.error = None
        await world.clock.advance(3)
        assert (await world.condition()).status == "True"
        assert world.events.reasons.count("NodeNotReady") == 1


async def test_a_runtime_that_has_forgotten_its_range_is_told_again(world: _World):
    """A runtime that starts anew has no network before."""
    async with world.kubelet() as kubelet:
        await world.give_range()
        await kubelet.ready.wait()
        world.runtime.network_ready = False
        await world.clock.advance(11)
        assert world.runtime.cidrs == ["10.1.0.0/24"] * 2
        assert (await world.condition()).status == "True"


async def test_a_kubelet_that_starts_again_keeps_the_node_ready(world: _World):
    """Also when the runtime starts a little later than it does; nothing is registered twice."""
    async with world.kubelet() as first:
        await world.give_range()
        await first.ready.wait()
    uid = (await world.node()).metadata.uid
    seen: list[str] = []
    world.runtime.error = Unavailable("not yet")
    async with world.kubelet(zone="b") as second:
        for _ in range(5):
            await world.clock.advance(1)
            seen.append((await world.condition()).status)
        world.runtime.error = None
        await second.ready.wait()
    node = await world.node()
    assert (set(seen), node.metadata.uid, node.metadata.labels["zone"]) == ({"True"}, uid, "b")
    assert "NodeNotReady" not in world.events.reasons


async def test_a_machine_that_was_switched_off_and_on_is_told_of(world: _World):
    """Once, with the new boot id; a kubelet that only starts again says nothing."""
    async with world.kubelet():
        await world.give_range()
        await world.clock.advance(20)
    async with world.kubelet():
        await world.clock.advance(20)
    assert "Rebooted" not in world.events.reasons
    system = replace(SYSTEM, boot_id="another")
    for _ in range(2):
        async with world.kubelet(replace(MACHINE, system=system)):
            await world.clock.advance(20)
    rebooted = [(type_, message) for _, type_, reason, message in world.events.all if reason == "Rebooted"]
    assert rebooted == [("Warning", "Node node-1 has been rebooted, boot id: another")]
    assert (await world.node()).status.nodeInfo.bootID == "another"


async def test_what_others_say_of_the_node_is_kept_or_put_right(world: _World):
    """A condition of somebody else's stays; an Unknown after a cut is overruled at once."""
    async with world.kubelet() as kubelet:
        await world.give_range()
        await kubelet.ready.wait()
        await world.clock.advance(20)
        conditions = [{"type": "Ready", "status": "Unknown"}, {"type": "Disk", "status": "True"}]
        await world.api.patch(NODES, "node-1", {"status": {"conditions": conditions}}, subresource="status")
        await world.clock.settle()
        assert (await world.condition()).status == "True"
        assert (await world.condition("Disk")).status == "True"


async def test_an_apiserver_that_is_away_is_waited_for(world: _World):
    """Registration is tried until it works."""
    failures = 3

    async def fail(*_args: Any) -> None:
        nonlocal failures
        failures -= 1
        if failures >= 0:
            raise Unavailable("starting")

    settings = NodeSettings("node-1", world.ips, {}, intervals("default"), world.root)
    api = world.server.api()
    api.before_call = fail
    node = Node(
        api, world.runtime, world.clock, world.events,
        settings=settings, machine=MACHINE, cgroups=Cgroups(""), port=lambda: 1,
    )  # fmt: skip
    running = asyncio.ensure_future(node.run())
    await node.registered.wait()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert (await world.node()).metadata.name == "node-1"


async def test_advertised_extended_resources_are_offered_to_pods_at_once(world: _World):
    """Whoever says in the node's capacity what it has; what is withdrawn there is offered no more."""

    async def say(operation: str, name: str, value: str) -> None:
        patch = [{"op": operation, "path": f"/status/capacity/{name.replace('/', '~1')}", "value": value}]
        await world.api.patch(NODES, "node-1", patch, kind=PatchType.JSON, subresource="status")
        await world.clock.settle()

    async with world.kubelet() as kubelet:
        await world.give_range()
        await kubelet.ready.wait()
        begun_s = world.clock.now()
        for operation, amount in (("add", "4"), ("replace", "3")):
            await say(operation, "example.com/dongle", amount)
            status = (await world.node()).status
            assert status.capacity == status.allocatable == {**AMOUNTS, "example.com/dongle": amount}
            assert kubelet.allocatable() == status.allocatable
        await say("remove", "example.com/dongle", "")
        status = (await world.node()).status
        assert status.capacity == status.allocatable == AMOUNTS
        await say("add", "hugepages-2Mi", "4Mi")  # the kubelet's own to say
        assert (await world.node()).status.allocatable == AMOUNTS
        assert world.clock.now() == begun_s


async def test_the_lease_belongs_to_the_node_and_survives_rivals(world: _World):
    """A conflict or a deletion costs one renewal, no more."""
    lease = NodeLease(world.api, world.clock, name="node-1", node_uid="u1", intervals=intervals("default"))
    await lease.renew()
    stored = await world.api.get(LEASES, "node-1", namespace="kube-node-lease")
    assert (stored.spec.holderIdentity, stored.spec.leaseDurationSeconds) == ("node-1", 40)
    assert [(owner.kind, owner.uid) for owner in stored.metadata.ownerReferences] == [("Node", "u1")]
    await world.api.patch(LEASES, "node-1", {"spec": {"holderIdentity": "x"}}, namespace="kube-node-lease")
    with pytest.raises(Conflict):
        await lease.renew()
    await lease.renew()
    await world.api.delete(LEASES, "node-1", namespace="kube-node-lease")
    running = asyncio.ensure_future(lease.run())
    await world.clock.advance(2)
    running.cancel()
    assert await world.renewed() == world.clock.timescale.format_micro(world.clock.now() - 1.9)


def test_the_machine_is_read_and_what_is_declared_wins(tmp_path: Path):
    """Quantities are reported as they are written."""
    machine = read_machine(tmp_path, cpu="500m", memory="256Mi")
    assert (machine.capacity["cpu"], machine.capacity["memory"], machine.capacity["pods"]) == (
        "500m",
        "256Mi",
        "110",
    )
    assert (machine.cpu_millicores, machine.memory_bytes, machine.declared) == (500, 2**28, True)
    real = read_machine(tmp_path)
    assert int(real.capacity["cpu"]) >= 1
    assert real.memory_bytes > 2**20
    assert real.system.kernel_version
    with pytest.raises(ValueError, match="quantities must match"):
        read_machine(tmp_path, cpu="lots")


def test_a_node_may_have_ids_of_its_own(tmp_path: Path):
    """They are read from the files that it is told of."""
    files = IdentityFiles(*(str(tmp_path / name) for name in ("machine", "system", "boot")))
    for path in files:
        Path(path).write_text(f"{Path(path).name}-id\n")
    system = read_machine(tmp_path, identity=files).system
    assert (system.machine_id, system.system_uuid, system.boot_id) == ("machine-id", "system-id", "boot-id")


def test_conditions_have_the_reasons_that_users_know():
    """Transition times move with the status only."""
    first = compute_conditions([], CALM, RuntimeState("d", ()), now_text="t1")
    assert [(item.type, item.status, item.reason) for item in first] == [
        ("MemoryPressure", "False", "KubeletHasSufficientMemory"),
        ("DiskPressure", "False", "KubeletHasNoDiskPressure"),
        ("PIDPressure", "False", "KubeletHasSufficientPID"),
        ("Ready", "True", "KubeletReady"),
    ]
    pressed = {"MemoryPressure"}
    second = compute_conditions(first, pressed, RuntimeState("d", ("a", "b")), now_text="t2")
    assert (second[0].reason, second[0].lastTransitionTime) == ("KubeletHasInsufficientMemory", "t2")
    assert (second[1].lastTransitionTime, second[1].lastHeartbeatTime) == ("t1", "t2")
    assert (second[3].status, second[3].message) == ("False", "[a, b]")


def test_a_heartbeat_is_no_news():
    """But a new reason is."""
    one, two = (compute_conditions([], CALM, RuntimeState("d", ()), now_text=text) for text in ("t", "t"))
    assert not differs(NodeStatus(conditions=one), NodeStatus(conditions=two))
    three = compute_conditions(one, CALM, RuntimeState("d", ("x",)), now_text="t")
    assert differs(NodeStatus(conditions=one), NodeStatus(conditions=three))


async def test_what_the_host_does_not_allow_is_told_once(world: _World):
    """As a condition of the node and an event; it is neither the end of Ready nor said where all is allowed."""
    restricted = cri.RuntimeCondition(
        type="RuntimeUnrestricted", reason="CapabilitiesMissing", message="no CAP_BPF"
    )
    for _ in range(2):  # also by a kubelet that starts again
        world.runtime.conditions = [restricted]
        async with world.kubelet():
            await world.give_range()
            await world.clock.advance(20)
            condition = await world.condition("RuntimeUnrestricted")
            told = (condition.status, condition.reason, condition.message)
            assert told == ("False", "CapabilitiesMissing", "no CAP_BPF")
            assert (await world.condition()).status == "True"
    assert world.events.messages.count("no CAP_BPF") == 1
    world.runtime.conditions = [cri.RuntimeCondition(type="RuntimeUnrestricted", status=True)]
    async with world.kubelet():
        await world.clock.advance(20)
        assert (await world.condition("RuntimeUnrestricted")).status == "True"


def test_a_runtime_that_may_do_everything_is_not_worth_a_condition():
    """The node's are those that every Kubernetes node has."""
    fine = RuntimeState("d", (), (RuntimeNote("RuntimeUnrestricted", True, "", ""),))
    assert len(compute_conditions([], CALM, fine, now_text="t")) == 4


def test_what_the_runtime_lacks_is_said():
    """Also that it does not say so itself."""
    status = cri.RuntimeStatus(conditions=[cri.RuntimeCondition(type="RuntimeReady", status=True)])
    assert runtime_problems(status) == (
        "container runtime network not ready: the runtime does not report NetworkReady",
    )


def test_the_largest_images_are_listed():
    """Fifty of them."""
    images = [cri.Image(repo_tags=[f"i:{number}"], size=number) for number in range(60)]
    listed = view_images(images)
    assert (len(listed), listed[0].names, listed[-1].sizeBytes) == (50, ["i:59"], 10)


def test_labels_are_pairs():
    """Each with its sign."""
    assert read_labels(["a=b", "c="]) == {"a": "b", "c": ""}
    with pytest.raises(ValueError, match="key=value"):
        read_labels(["alone"])
