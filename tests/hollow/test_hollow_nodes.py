"""Many nodes in one process, whole kubelets each, over a registry that is real, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from hollownodes.app import host
from hollownodes.config import HollowNodesConfig
from hollownodes.control import PATH
from machinery.model.conditions import is_true
from machinery.model.hollow_nodes import node_names
from machinery.model.k8s.core_v1 import ConfigMapVolumeSource, Node, NodeSpec, Pod, Volume, VolumeMount
from machinery.model.k8s.meta_v1 import ObjectMeta
from machinery.model.requests import DeleteOptions
from machinery.model.resources import CONFIG_MAPS, EVENTS, LEASES, NODES, PODS
from tests.support.builders import changed, config_map, container, pod
from tests.support.inline_executor import InlineExecutor
from tests.support.scenario_world import Journal, LocalProcess
from tests.support.scripted_api import LocalRegistry, ScriptedApi, local_registry
from tests.support.virtual_clock import VirtualClock

_LIMIT_S = 300.0  # virtual


@dataclass
class Host:
    """The process of the hollow nodes, while it runs."""

    clock: VirtualClock
    registry: LocalRegistry
    folder: Path
    count: int
    clients: list[ScriptedApi]
    complaints: list[str]
    pages: Any = None
    task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start the process."""
        config = HollowNodesConfig(
            name="hollownodes",
            server="-",
            nodes=self.count,
            root_dir=str(self.folder),
            check_invariants=True,
            starts_at_once=2,
        )

        def connect() -> ScriptedApi:
            self.clients.append(self.registry.api("kubelet@hollow"))
            return self.clients[-1]

        async def live() -> None:
            async with asyncio.TaskGroup() as tasks:
                log = Journal("hollownodes", self.clock, self.complaints)
                process = LocalProcess(config, tasks, clock=self.clock, log=log)
                self.pages = process.pages
                await host(config, process, connect)

        self.task = asyncio.create_task(live(), name="hollownodes")

    async def end(self) -> None:
        """End it."""
        assert self.task is not None
        assert not self.task.done(), self.task.result()
        self.task.cancel()
        await asyncio.wait([self.task])

    def order(self, name: str, do: str) -> int:
        """Say over the control socket what is to be done to a node; return the answer's status."""
        body = f'{{"node": "{name}", "do": "{do}"}}'.encode()
        return int(self.pages[PATH].answer("PUT", PATH, body).status)

    def powers(self) -> bytes:
        """Return what the process says of its nodes."""
        return bytes(self.pages[PATH].answer("GET", PATH, b"").body)

    async def until(self, holds: Callable[[], Any]) -> None:
        """Wait for something."""
        begun_s = self.clock.now()
        while not await holds():
            assert self.clock.now() - begun_s < _LIMIT_S, self.complaints[-5:]
            await self.clock.sleep(0.5)

    async def node(self, name: str) -> Node:
        """Return a Node."""
        return await self.registry.user.get(NODES, name)

    async def is_ready(self, name: str) -> bool:
        """Whether a node says that it is Ready."""
        return is_true((await self.node(name)).status.conditions, "Ready")

    async def renewed(self, name: str) -> str:
        """Return when a node renewed its lease."""
        found = await self.registry.user.get(LEASES, name, namespace="kube-node-lease")
        return found.spec.renewTime or ""

    async def is_renewing(self, name: str, *, within_s: float = 15.0) -> bool:
        """Whether a node renews its lease in the next seconds."""
        before = await self.renewed(name)
        await self.clock.sleep(within_s)
        return await self.renewed(name) != before

    async def given(self, name: str, node: str) -> None:
        """Create a pod that is bound to a node."""
        await self.registry.given(PODS, changed(pod(name), spec__nodeName=node))

    async def pod(self, name: str) -> Pod:
        """Return a pod."""
        return await self.registry.user.get(PODS, name, namespace="default")

    async def runs(self, name: str) -> bool:
        """Whether a pod runs."""
        return (await self.pod(name)).status.phase == "Running"


@asynccontextmanager
async def hosted(folder: Path, count: int) -> AsyncIterator[Host]:
    """Run the process with so many nodes, each Ready."""
    asyncio.get_running_loop().set_default_executor(InlineExecutor())
    clock = VirtualClock()
    async with local_registry(clock) as registry:
        for number, name in enumerate(node_names(count), 1):
            spec = NodeSpec(podCIDR=f"10.128.{number}.0/24")
            await registry.given(NODES, Node(metadata=ObjectMeta(name=name), spec=spec))
        found = Host(clock, registry, folder, count, [], [])
        found.start()
        for name in node_names(count):
            await found.until(lambda name=name: found.is_ready(name))
        yield found
        await found.end()


async def test_each_node_is_a_kubelet_of_its_own_and_all_share_their_watches(tmp_path: Path):
    """Each has its Node, its lease, its pods; the collections are listed and watched once for all."""
    async with hosted(tmp_path, 5) as nodes:
        for name in node_names(5):
            await nodes.given(f"web-on-{name}", name)
        for name in node_names(5):
            await nodes.until(lambda name=name: nodes.runs(f"web-on-{name}"))
            assert await nodes.renewed(name)
        ips = {(await nodes.pod(f"web-on-{name}")).status.podIP for name in node_names(5)}
        assert ips == {f"10.128.{number}.2" for number in range(1, 6)}
        boots = {(await nodes.node(name)).status.nodeInfo.bootID for name in node_names(5)}
        assert len(boots) == 5
        calls = [call for client in nodes.clients for call in client.calls]
        for plural in ("pods", "nodes", "services"):
            watches = [verb for verb, of, _ in calls if verb == "watch" and of == plural]
            assert len(watches) == 1, plural
        assert nodes.complaints == []


async def test_a_node_that_is_killed_says_nothing_more_until_it_is_switched_on(tmp_path: Path):
    """Its containers are gone with it, as with a machine without power; the others notice nothing."""
    async with hosted(tmp_path, 2) as nodes:
        await nodes.given("web", "hollow-0001")
        await nodes.until(lambda: nodes.runs("web"))
        container = (await nodes.pod("web")).status.containerStatuses[0].containerID
        boot = (await nodes.node("hollow-0001")).status.nodeInfo.bootID
        assert nodes.order("hollow-0001", "kill") == 200
        assert not await nodes.is_renewing("hollow-0001")
        assert await nodes.is_renewing("hollow-0002")
        assert nodes.powers() == b'{"hollow-0001":"off","hollow-0002":"on"}'
        assert nodes.order("hollow-0001", "pause") == 404
        assert nodes.order("hollow-0001", "restart") == 200

        async def has_begun_anew() -> bool:
            status = (await nodes.pod("web")).status.containerStatuses[0]
            return status.containerID != container and status.state.running is not None

        await nodes.until(has_begun_anew)
        assert (await nodes.node("hollow-0001")).status.nodeInfo.bootID != boot


@pytest.mark.parametrize("how", ["pause", "cut"])
async def test_a_node_that_is_paused_or_cut_off_is_not_heard_and_goes_on_afterwards(tmp_path: Path, how: str):
    """What came for it meanwhile it does when it is resumed; its pods are still those from before."""
    async with hosted(tmp_path, 2) as nodes:
        await nodes.given("before", "hollow-0001")
        await nodes.until(lambda: nodes.runs("before"))
        container = (await nodes.pod("before")).status.containerStatuses[0].containerID
        assert nodes.order("hollow-0001", how) == 200
        await nodes.given("meanwhile", "hollow-0001")
        await nodes.given("elsewhere", "hollow-0002")
        await nodes.until(lambda: nodes.runs("elsewhere"))
        assert not await nodes.is_renewing("hollow-0001", within_s=30.0)
        assert not await nodes.runs("meanwhile")
        assert nodes.order("hollow-0001", "resume") == 200
        await nodes.until(lambda: nodes.runs("meanwhile"))
        assert await nodes.is_renewing("hollow-0001")
        assert (await nodes.pod("before")).status.containerStatuses[0].containerID == container


async def test_who_was_killed_stays_off_when_the_process_comes_back(tmp_path: Path):
    """The other nodes have lost their power with it, and begin their pods anew."""
    async with hosted(tmp_path, 2) as nodes:
        nodes.order("hollow-0001", "kill")
        boot = (await nodes.node("hollow-0002")).status.nodeInfo.bootID
        await nodes.end()
        nodes.start()

        async def is_back() -> bool:
            return (await nodes.node("hollow-0002")).status.nodeInfo.bootID != boot

        await nodes.until(is_back)
        assert not await nodes.is_renewing("hollow-0001")
        assert nodes.powers() == b'{"hollow-0001":"off","hollow-0002":"on"}'


async def test_a_pod_that_is_deleted_goes_and_watches_survive_a_break(tmp_path: Path):
    """A connection that breaks, and a history that is forgotten, cost a new list and no news."""
    async with hosted(tmp_path, 3) as nodes:
        await nodes.given("first", "hollow-0001")
        await nodes.until(lambda: nodes.runs("first"))
        nodes.registry.break_watches()
        await nodes.given("second", "hollow-0002")
        await nodes.until(lambda: nodes.runs("second"))
        await nodes.registry.forget_history()
        nodes.registry.break_watches()
        await nodes.given("third", "hollow-0003")
        await nodes.until(lambda: nodes.runs("third"))
        await nodes.registry.user.delete(
            PODS, "first", namespace="default", options=DeleteOptions(grace_period_s=1)
        )

        async def is_gone() -> bool:
            return "first" not in {
                each.metadata.name for each in (await nodes.registry.user.list(PODS)).items
            }

        await nodes.until(is_gone)


async def test_events_of_many_nodes_go_in_few_requests(tmp_path: Path):
    """Each is its node's own all the same."""
    async with hosted(tmp_path, 4) as nodes:
        for name in node_names(4):
            await nodes.given(f"web-on-{name}", name)
        for name in node_names(4):
            await nodes.until(lambda name=name: nodes.runs(f"web-on-{name}"))
        await nodes.clock.sleep(5)
        events = (await nodes.registry.user.list(EVENTS)).items
        started = [each for each in events if each.reason == "Started"]
        assert {(each.involvedObject.name, each.source.host) for each in started} == {
            (f"web-on-{name}", name) for name in node_names(4)
        }
        writes = [call for client in nodes.clients for call in client.calls if call[0] == "createeach"]
        assert len(writes) < len(events)


async def test_orders_that_cannot_be_read_are_refused(tmp_path: Path):
    """With words for whoever sent them."""
    async with hosted(tmp_path, 1) as nodes:
        pages = nodes.pages[PATH]
        assert pages.answer("PUT", PATH, b"{").status == 400
        assert pages.answer("PUT", PATH, b'{"node": "hollow-0001", "do": "explode"}').status == 400
        assert pages.answer("PUT", PATH, b'{"node": "hollow-0009", "do": "kill"}').status == 404
        assert pages.answer("DELETE", PATH, b"").status == 405


async def test_a_pod_waits_for_what_its_volumes_come_from_though_nobody_reads_them(tmp_path: Path):
    """Nothing of them is written, and no token is asked for."""
    async with hosted(tmp_path, 1) as nodes:
        volume = Volume(name="settings", configMap=ConfigMapVolumeSource(name="settings"))
        mount = VolumeMount(name="settings", mountPath="/settings")
        wanted = pod("web", containers=[container(volumeMounts=[mount])], volumes=[volume])
        await nodes.registry.given(PODS, changed(wanted, spec__nodeName="hollow-0001"))
        await nodes.clock.sleep(30)
        assert not await nodes.runs("web")
        await nodes.registry.given(CONFIG_MAPS, config_map())
        await nodes.until(lambda: nodes.runs("web"))
        calls = [call for client in nodes.clients for call in client.calls]
        assert not [call for call in calls if call[0] == "post token"]
        folder = tmp_path / "hollow-0001" / "pods"
        assert not list(folder.iterdir())
