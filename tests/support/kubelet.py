"""A whole kubelet in the test's own process, over a hollow runtime on a unix socket and a registry in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any, Self, cast

import msgspec

from hollow.image_service import ImageService
from hollow.runtime_service import RuntimeService
from hollow.simulation import Simulation
from kubelet.app import Kubelet
from kubelet.certificates import NodeCertificates
from kubelet.config import KubeletConfig
from machinery.model.k8s.core_v1 import Node, NodeSpec, Pod
from machinery.model.k8s.meta_v1 import ObjectMeta
from machinery.model.requests import DeleteOptions
from machinery.model.resources import EVENTS, NODES, PODS
from machinery.pb import cri_pb2 as cri
from machinery.process.clock import WALL
from machinery.process.logging import Log
from machinery.process.run import Process
from machinery.process.server import grpc_server
from machinery.process.trees import remove_tree
from machinery.wire.services import handler
from machinery.wire.stubs import unix_channel
from tests.support.builders import changed
from tests.support.scripted_api import LocalRegistry, ScriptedApi, local_registry
from tests.support.waiting import until

NODE = "node-1"
SCALE = 20.0
HELD = "tests.kubarium.dev/held"  # so that a test can look at what its kubelet has deleted


class SilentRuntimeService(RuntimeService):
    """A runtime that tells no events, as many do not."""

    GetContainerEvents = None  # type: ignore[assignment]  # answers UNIMPLEMENTED


class HollowRuntime:
    """CRI on a unix socket while inside; it may be stopped and started, its containers live on."""

    def __init__(self, folder: Path, process: Process, *, tells_events: bool = True) -> None:
        self._service = RuntimeService if tells_events else SilentRuntimeService
        self.world = Simulation(process.clock, process.tasks, "")
        self.world.configure(pod_cidr="10.77.0.0/24")
        self._address = f"unix:{folder}/cri.sock"
        self._server: Any = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Serve."""
        services = cri.DESCRIPTOR.services_by_name
        runtime, images = self._service(self.world), ImageService(self.world, 0)
        handlers = [
            handler(services["RuntimeService"], "runtime.v1.RuntimeService", runtime),
            handler(services["ImageService"], "runtime.v1.ImageService", images),
        ]
        self._server = grpc_server([self._address], None, handlers)
        await self._server.start()

    async def stop(self) -> None:
        """Serve no more."""
        await self._server.stop(None)


@dataclass(slots=True)
class Rig:
    """What a test works with."""

    folder: Path
    process: Process
    server: LocalRegistry
    runtime: HollowRuntime
    kubelet: Kubelet | None = None
    door: ScriptedApi | None = None  # the kubelet's own client

    @property
    def api(self) -> ScriptedApi:
        """The user's client."""
        return self.server.user

    @property
    def world(self) -> Simulation:
        """The simulated machine."""
        return self.runtime.world

    @property
    def running(self) -> Kubelet:
        """The kubelet, where there is only one."""
        assert self.kubelet is not None
        return self.kubelet

    @property
    def kubelets_api(self) -> ScriptedApi:
        """The client of the kubelet that was started last."""
        assert self.door is not None
        return self.door

    async def create(self, pod: Pod) -> Pod:
        """Create a pod that is bound to the node."""
        return await self.server.given(PODS, changed(pod, spec__nodeName=NODE, metadata__finalizers=[HELD]))

    async def delete(self, name: str, *, grace_s: int = 30) -> None:
        """Ask for a pod's deletion."""
        options = DeleteOptions(grace_period_s=grace_s)
        await self.api.delete(PODS, name, namespace="default", options=options)

    async def remove(self, name: str) -> None:
        """Remove a pod from the API, whatever its kubelet does."""
        await self.delete(name, grace_s=0)
        free = {"metadata": {"finalizers": None}}
        await self.api.patch(PODS, name, free, namespace="default")

    async def pod(self, name: str) -> Pod:
        """Read a pod."""
        return await self.api.get(PODS, name, namespace="default")

    async def until(self, name: str, holds: Callable[[Pod], Any], *, limit_s: float = 60.0) -> Pod:
        """Wait (wall seconds) until a pod is as it should be."""
        try:
            async with asyncio.timeout(limit_s):
                while not holds(pod := await self.pod(name)):
                    await asyncio.sleep(0.01)
                return pod
        except TimeoutError:
            raise AssertionError(msgspec.json.encode((await self.pod(name)).status).decode()) from None

    async def give_deadline(self, name: str, within_s: float) -> None:
        """Set the time at which a pod that runs has to be over: so many cluster seconds from now."""
        clock, started = self.process.clock, (await self.pod(name)).status.startTime
        assert started
        active_s = ceil(clock.now() - clock.timescale.parse(started) + within_s)
        await self.api.patch(PODS, name, {"spec": {"activeDeadlineSeconds": active_s}}, namespace="default")

    async def resize(self, name: str, requests: dict[str, str]) -> None:
        """Declare other requests of a pod's container that runs."""
        found = await self.pod(name)
        image = found.spec.containers[0].image
        wanted = [{"name": "main", "image": image, "resources": {"requests": requests}}]
        await self.api.patch(
            PODS, name, {"spec": {"containers": wanted}}, namespace="default", subresource="resize"
        )

    async def resize_whole(self, name: str, requests: dict[str, str]) -> None:
        """Declare other requests of a pod as a whole."""
        wanted = {"spec": {"resources": {"requests": requests}}}
        await self.api.patch(PODS, name, wanted, namespace="default", subresource="resize")

    async def until_true(self, holds: Callable[[], Any], *, limit_s: float = 60.0) -> None:
        """Wait (wall seconds) until something holds."""
        async with asyncio.timeout(limit_s):
            while not holds():
                await asyncio.sleep(0.01)

    async def events(self, name: str) -> list[tuple[str, str]]:
        """Return reason and message of the events about a pod, those included that wait for others."""
        if self.kubelet is not None:
            await self.kubelet.events.flush()
        listing = await self.api.list(EVENTS)
        found = [event for event in listing.items if event.involvedObject.name == name]
        return [(event.reason, event.message) for event in found]

    async def until_told(self, name: str, *reasons: str) -> None:
        """Wait until events about a pod have these reasons among them: they are written beside the work."""

        async def are_told() -> bool:
            return {*reasons} <= {reason for reason, _ in await self.events(name)}

        await until(are_told, what=f"events {reasons} about {name}")

    def containers(self, name: str = "") -> list[Any]:
        """Return the containers in the runtime, by name, the oldest first."""
        return [
            container
            for container in self.world.containers.values()
            if name in {"", container.config.metadata.name}
        ]


@asynccontextmanager
async def process_for(folder: Path, **flags: Any) -> AsyncIterator[Process]:
    """Return a process for a kubelet, with its TaskGroup."""
    config = KubeletConfig(
        server="memory",
        node_name=NODE,
        node_ip="192.0.2.7",
        cri_socket=f"{folder}/cri.sock",
        root_dir=f"{folder}/kubelet",
        cpu="2",
        memory="4Gi",
        time_scale=flags.pop("time_scale", SCALE),
        profile="fast",
        check_invariants=True,
        **flags,
    )
    async with asyncio.TaskGroup() as tasks:
        yield Process("kubelet", config, Log("kubelet", "error"), tasks)
        for task in list(tasks._tasks):
            task.cancel()


@asynccontextmanager
async def machine(folder: Path, *, tells_events: bool = True, **flags: Any) -> AsyncIterator[Rig]:
    """Return a node without a kubelet, and an apiserver that does not know it yet."""
    (folder / "kubelet").mkdir()
    try:
        async with (
            process_for(folder, **flags) as process,
            local_registry(process.clock) as server,
            HollowRuntime(folder, process, tells_events=tells_events) as hollow,
        ):
            yield Rig(folder, process, server, hollow)
    finally:
        with suppress(FileNotFoundError):  # a thread of the kubelet that has ended may still be at it
            remove_tree(
                folder / "kubelet" / "pods"
            )  # pytest itself cannot remove folders that are nested deep


@asynccontextmanager
async def running_kubelet(made: Rig) -> AsyncIterator[Kubelet]:
    """Run a kubelet while inside; leaving is what SIGTERM does."""
    config = cast("KubeletConfig", made.process.config)
    channel = unix_channel(f"{made.folder}/cri.sock", WALL)
    made.door = made.server.api("kubelet")
    certificates = NodeCertificates(config, made.process)
    kubelet = Kubelet(config, made.process, made.door, channel, certificates)
    running = asyncio.ensure_future(kubelet.run())
    try:
        yield kubelet
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await channel.close()
    if not running.cancelled() and (error := running.exception()):
        raise error


async def register(made: Rig) -> None:
    """Create the node in the API."""
    node = Node(metadata=ObjectMeta(name=NODE), spec=NodeSpec(podCIDR="10.77.0.0/24"))
    await made.server.given(NODES, node)


@asynccontextmanager
async def rig(folder: Path, **flags: Any) -> AsyncIterator[Rig]:
    """Return a kubelet whose node is registered."""
    async with machine(folder, **flags) as made:
        await register(made)
        async with running_kubelet(made) as made.kubelet:
            yield made
