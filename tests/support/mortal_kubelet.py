"""A kubelet that dies of a chosen CRI call, over a hollow runtime and a registry that live on, in virtual time."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hollow.image_service import ImageService
from hollow.runtime_service import RuntimeService
from hollow.simulation import Simulation
from kubelet.app import Kubelet
from kubelet.certificates import NodeCertificates
from kubelet.config import KubeletConfig
from machinery.model.errors import NotFound, Unavailable
from machinery.model.k8s.core_v1 import Node, NodeSpec, Pod
from machinery.model.k8s.meta_v1 import ObjectMeta
from machinery.model.requests import DeleteOptions
from machinery.model.resources import NODES, PODS
from machinery.pb import cri_pb2 as cri
from machinery.wire.services import handler
from tests.support.builders import changed
from tests.support.inline_executor import InlineExecutor
from tests.support.local_channel import LocalChannel, ServerTasks
from tests.support.scenario_world import Journal, LocalProcess
from tests.support.scripted_api import LocalRegistry, local_registry
from tests.support.virtual_clock import VirtualClock

NODE = "node-1"
_CRI = cri.DESCRIPTOR.services_by_name
_LIMIT_S = 600.0  # virtual


class MortalChannel(LocalChannel):
    """A channel to the runtime that counts the calls, and whose owner dies of one of them.

    The runtime has carried the fatal call out; its answer is heard by nobody.
    """

    def __init__(self, world: Simulation, server: ServerTasks, fatal: int | None) -> None:
        services = [
            handler(_CRI["RuntimeService"], "runtime.v1.RuntimeService", RuntimeService(world)),
            handler(_CRI["ImageService"], "runtime.v1.ImageService", ImageService(world, 1.0)),
        ]
        super().__init__(services, server)
        self.made: list[str] = []
        self.is_counting = False
        self.dead = asyncio.Event()
        self._fatal = fatal

    def unary_unary(self, path: str, request_serializer: Any, response_deserializer: Any) -> Any:
        """Make a multicallable whose calls are counted."""
        call = super().unary_unary(path, request_serializer, response_deserializer)

        async def counted(request: Any, **options: Any) -> Any:
            answer = await call(request, **options)
            if not self.is_counting:
                return answer
            self.made.append(path.rpartition("/")[2])
            if self._fatal is not None and len(self.made) > self._fatal:
                self.kill()
                self.dead.set()
                await asyncio.get_running_loop().create_future()
            return answer

        return counted


@dataclass(slots=True)
class History:
    """What the runtime has seen, from its own events."""

    events: asyncio.Queue[Any | None]
    sandboxes: list[str] = field(default_factory=list)
    created: Counter[tuple[str, int]] = field(default_factory=Counter)  # by name and attempt
    started: Counter[tuple[str, int]] = field(default_factory=Counter)
    exit_codes: dict[str, int] = field(default_factory=dict)  # by name
    most_at_once: Counter[str] = field(default_factory=Counter)  # by name: how many ran

    def read(self) -> None:
        """Return what has happened since."""
        while not self.events.empty():
            event = self.events.get_nowait()
            assert event is not None, "events were lost"
            self._take(event)

    def _take(self, event: Any) -> None:
        kind, statuses = event.container_event_type, event.containers_statuses
        if event.container_id == event.pod_sandbox_status.id:
            if kind == cri.CONTAINER_STARTED_EVENT:
                self.sandboxes.append(event.container_id)
            return
        running = Counter(each.metadata.name for each in statuses if each.state == cri.CONTAINER_RUNNING)
        self.most_at_once |= running
        about = next((each for each in statuses if each.id == event.container_id), None)
        if about is None:
            return
        run = (about.metadata.name, about.metadata.attempt)
        self.created[run] += kind == cri.CONTAINER_CREATED_EVENT
        self.started[run] += kind == cri.CONTAINER_STARTED_EVENT
        if kind == cri.CONTAINER_STOPPED_EVENT:
            self.exit_codes[about.metadata.name] = about.exit_code


class MortalNode:
    """A node whose kubelet can be killed and started; its runtime and the apiserver go on."""

    def __init__(
        self, folder: Path, clock: VirtualClock, tasks: asyncio.TaskGroup, registry: LocalRegistry
    ) -> None:
        self.folder = folder
        self.clock = clock
        self.registry = registry
        self.world = Simulation(clock, tasks, "")
        self.server = ServerTasks()
        self.complaints: list[str] = []
        self.channel: MortalChannel | None = None
        self._kubelet: asyncio.Task[None] | None = None
        self._api: Any = None

    async def start(self, fatal: int | None = None) -> MortalChannel:
        """Start a kubelet that dies of the CRI call with this number, counted from `is_counting` on."""
        channel = self.channel = MortalChannel(self.world, self.server, fatal)
        api = self._api = self.registry.api("kubelet")
        config = KubeletConfig(
            name="kubelet",
            node_name=NODE,
            node_ip="192.0.2.7",
            cri_socket="-",
            root_dir=str(self.folder),
            cpu="2",
            memory="4Gi",
            check_invariants=True,
        )

        async def live() -> None:
            async with asyncio.TaskGroup() as tasks:
                log = Journal("kubelet", self.clock, self.complaints)
                process = LocalProcess(config, tasks, clock=self.clock, log=log, connect=lambda: api)
                certificates = NodeCertificates(config, process)
                await Kubelet(config, process, api, channel, certificates).run()  # type: ignore[arg-type]  # a local channel

        self._kubelet = asyncio.create_task(live(), name="kubelet")
        await self._until(self._runs_pods)
        return channel

    async def kill(self) -> None:
        """Kill the kubelet: nothing that it tries from here on has an effect."""
        assert self.channel is not None
        assert self._kubelet is not None
        assert not self._kubelet.done(), "the kubelet ended by itself"
        self.channel.kill()

        async def refuse(*_: Any) -> None:
            raise Unavailable("the kubelet is dead")

        self._api.before_call = refuse
        self._kubelet.cancel()
        await asyncio.wait([self._kubelet])

    async def until(self, holds: Callable[[Pod | None], Any], name: str) -> Pod | None:
        """Wait until a pod is so (None: it is gone); a kubelet that dies meanwhile is followed by another one."""
        begun_s = self.clock.now()
        while not holds(found := await self._pod(name)):
            assert self.clock.now() - begun_s < _LIMIT_S, f"{found}: {self.complaints[-5:]}"
            assert self.channel is not None
            if self.channel.dead.is_set():
                await self.kill()
                await self.start()
            await self.clock.sleep(0.1)
        return found

    async def create(self, pod: Pod) -> None:
        """Create a pod that is bound to the node."""
        await self.registry.given(PODS, changed(pod, spec__nodeName=NODE))

    async def delete(self, name: str) -> None:
        """Ask for a pod's deletion."""
        options = DeleteOptions(grace_period_s=30)
        await self.registry.user.delete(PODS, name, namespace="default", options=options)

    def history(self) -> History:
        """Begin to note what the runtime sees."""
        return History(self.world.subscribers.subscribe())

    def traces(self) -> list[str]:
        """Return what the node still has of any pod."""
        folders = [*self.folder.glob("pods/*")]
        return [*self.world.sandboxes, *self.world.containers, *map(str, folders)]

    async def _pod(self, name: str) -> Pod | None:
        try:
            return await self.registry.user.get(PODS, name, namespace="default")
        except NotFound:
            return None

    async def _runs_pods(self) -> bool:
        assert self._kubelet is not None
        if self._kubelet.done():
            self._kubelet.result()
        node = await self.registry.user.get(NODES, NODE)
        return any(each.type == "Ready" and each.status == "True" for each in node.status.conditions)

    async def _until(self, holds: Callable[[], Any]) -> None:
        while not await holds():
            await self.clock.sleep(0.1)


@asynccontextmanager
async def mortal_node(folder: Path) -> AsyncIterator[MortalNode]:
    """Run a node without a kubelet, and an apiserver that knows it."""
    asyncio.get_running_loop().set_default_executor(InlineExecutor())
    clock = VirtualClock()
    async with local_registry(clock) as registry, asyncio.TaskGroup() as tasks:
        await registry.given(
            NODES, Node(metadata=ObjectMeta(name=NODE), spec=NodeSpec(podCIDR="10.77.0.0/24"))
        )
        node = MortalNode(folder, clock, tasks, registry)
        yield node
        await node.kill()
        await node.server.aclose()
        assert not node.server.bugs
        for task in list(tasks._tasks):
            task.cancel()
