"""A whole cluster in one process under virtual time: apiserver, controllers, scheduler, kubelets, hollow runtimes.

Every component is put together by its own composition root and meets the others through channels only. What is left
out is what scenarios are not about: processes, sockets, TLS, etcd, probes over the network. All randomness comes
from the seed. A component that fails fails the test.
"""

from __future__ import annotations

import asyncio
import random
import secrets
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from controllers.app import serve as serve_controllers
from controllers.config import ControllersConfig
from hollow.image_service import ImageService
from hollow.runtime_service import RuntimeService
from hollow.simulation import Simulation as Hollow
from kubarium.identity.pki import Pki
from kubelet.app import Kubelet
from kubelet.certificates import NodeCertificates
from kubelet.config import KubeletConfig
from machinery.client.api import Api
from machinery.client.grpc_transport import GrpcTransport
from machinery.client.leader import LeadershipLost
from machinery.pb import cri_pb2 as cri
from machinery.process.config import ComponentConfig
from machinery.process.run import Process
from machinery.wire.services import handler
from scheduler.app import serve as serve_scheduler
from scheduler.config import SchedulerConfig
from tests.support.inline_executor import InlineExecutor
from tests.support.local_channel import LocalChannel
from tests.support.registry_api import LocalApiserver, local_apiserver
from tests.support.scenario_transcript import Observer, Transcript
from tests.support.virtual_clock import VirtualClock

_LIMIT_S = 3_600.0  # virtual; what has not happened by then does not
_PULL_S = 2.0
_CRI = cri.DESCRIPTOR.services_by_name
Serve = Callable[[Any, Process], Coroutine[Any, Any, None]]


class Journal:
    """A log that keeps what went wrong, with its virtual time."""

    def __init__(self, name: str, clock: VirtualClock, lines: list[str]) -> None:
        self._name = name
        self._clock = clock
        self._lines = lines

    def debug(self, event: str, /, **fields: object) -> None:
        """Drop it."""

    def info(self, event: str, /, **fields: object) -> None:
        """Drop it."""

    def warning(self, event: str, /, **fields: object) -> None:
        """Keep it."""
        self._lines.append(f"{self._clock.now():.3f} {self._name}: {event} {fields}")

    error = warning


class LocalProcess(Process):
    """The process of a component, with the world's clock and a channel to the world's apiserver."""

    def __init__(
        self,
        config: ComponentConfig,
        tasks: asyncio.TaskGroup,
        *,
        clock: VirtualClock,
        log: Journal,
        connect: Callable[[], Api] | None = None,
    ) -> None:
        super().__init__(config.name, config, log, tasks)  # type: ignore[arg-type]  # it is written to as a Log is
        self.clock = clock  # type: ignore[assignment]  # a Clock is what all of them ask for
        self._connect = connect

    def connect(self) -> Api:
        """Open the door."""
        assert self._connect
        return self._connect()


@dataclass
class Component:
    """A component that runs, and what it is killed with."""

    task: asyncio.Task[None]
    channels: list[LocalChannel]

    async def kill(self) -> None:
        """SIGKILL: nothing that it tries from here on has an effect."""
        for channel in self.channels:
            channel.kill()
        self.task.cancel()
        await asyncio.wait({self.task})


@dataclass
class NodeHost:
    """A machine: its runtime and its kubelet."""

    name: str
    hollow: Hollow
    runtime: LocalChannel
    kubelet: Component
    machine: Component  # the runtime's own tasks


@dataclass
class Cluster:
    """The cluster of a scenario."""

    clock: VirtualClock
    tasks: asyncio.TaskGroup
    api: LocalApiserver
    observer: Observer
    folder: Path
    rng: random.Random
    journal: list[str] = field(default_factory=list)
    components: dict[str, Component] = field(default_factory=dict)
    nodes: dict[str, NodeHost] = field(default_factory=dict)

    @property
    def transcript(self) -> Transcript:
        """What has happened."""
        return self.observer.transcript

    # --- components

    def start(self, name: str) -> None:
        """Start "controllers" or "scheduler"."""
        serve: dict[str, tuple[ComponentConfig, Serve]] = {
            "controllers": (
                ControllersConfig(name="controllers", cluster_cidr="10.244.0.0/16", check_invariants=True),
                self._serve_controllers,
            ),
            "scheduler": (SchedulerConfig(name="scheduler"), serve_scheduler),
        }
        config, main = serve[name]
        self.components[name] = self._launch(name, config, lambda process: main(config, process))

    async def kill(self, name: str) -> None:
        """Kill a component that was started."""
        await self.components.pop(name).kill()

    async def boot(self, name: str, *, cpu: str = "2", memory: str = "2Gi") -> None:
        """Start a machine, with its runtime and its kubelet."""
        born: asyncio.Future[Hollow] = asyncio.get_running_loop().create_future()

        async def run_machine() -> None:
            async with asyncio.TaskGroup() as tasks:
                born.set_result(Hollow(self.clock, tasks, ""))
                await asyncio.get_running_loop().create_future()

        machine = Component(self.tasks.create_task(run_machine(), name=name), [])
        hollow = await born
        services = [
            handler(_CRI["RuntimeService"], "runtime.v1.RuntimeService", RuntimeService(hollow)),
            handler(_CRI["ImageService"], "runtime.v1.ImageService", ImageService(hollow, _PULL_S)),
        ]
        runtime = LocalChannel(services, self.api.server)
        kubelet = self._start_kubelet(name, runtime, cpu, memory)
        self.nodes[name] = NodeHost(name, hollow, runtime, kubelet, machine)

    async def power_off(self, name: str) -> None:
        """Kill a machine: its containers die with it."""
        node = self.nodes.pop(name)
        node.runtime.kill()
        await node.kubelet.kill()
        await node.machine.kill()

    def cut_off(self, name: str) -> None:
        """Cut a node's network; its kubelet and containers go on."""
        for channel in self.nodes[name].kubelet.channels:
            channel.cut()

    def join(self, name: str) -> None:
        """Restore it."""
        for channel in self.nodes[name].kubelet.channels:
            channel.join()

    async def _serve_controllers(self, config: Any, process: Process) -> None:
        await serve_controllers(config, process, random_ints=self.rng.randrange)

    def _start_kubelet(self, name: str, runtime: LocalChannel, cpu: str, memory: str) -> Component:
        root = self.folder / name
        root.mkdir(exist_ok=True)
        config = KubeletConfig(
            name=f"kubelet-{name}",
            node_name=name,
            node_ip=f"192.168.7.{name.rpartition('-')[2]}",
            cri_socket="-",
            root_dir=str(root),
            cpu=cpu,
            memory=memory,
            check_invariants=True,
        )

        async def run(process: Process) -> None:
            certificates = NodeCertificates(config, process)
            await Kubelet(config, process, process.connect(), runtime, certificates).run()

        return self._launch(name, config, run)

    def _launch(
        self, identity: str, config: ComponentConfig, run: Callable[[Process], Coroutine[Any, Any, None]]
    ) -> Component:
        channels: list[LocalChannel] = []

        def connect() -> Api:
            channels.append(self.api.channel(identity))
            return Api(GrpcTransport(channels[-1], caller=config.name))

        async def live() -> None:
            log = Journal(config.name, self.clock, self.journal)
            try:
                async with asyncio.TaskGroup() as tasks:
                    await run(LocalProcess(config, tasks, clock=self.clock, log=log, connect=connect))
            except* LeadershipLost as lost:  # such a process ends; who starts it decides what follows
                log.info("leadership_lost", errors=lost.exceptions)

        return Component(self.tasks.create_task(live(), name=identity), channels)

    # --- waiting and looking

    def objects(self, resource: str) -> list[dict[str, Any]]:
        """Return all objects of a resource ("pods"), as the observer has them."""
        return self.observer.objects(resource)

    def object(self, resource: str, name: str, namespace: str = "default") -> dict[str, Any] | None:
        """Return one object, None where it is not there."""
        return self.observer.object(resource, namespace, name)

    async def until(self, condition: Callable[[], Any], *, limit_s: float = _LIMIT_S, why: str = "") -> float:
        """Wait until a condition holds; gives the virtual seconds that it took, to a tenth."""
        begun_s = self.clock.now()
        while not condition():
            await self.observer.changed_within(self.clock, limit_s - (self.clock.now() - begun_s), why)
        await self.clock.settle()
        return round(self.clock.now() - begun_s, 1)

    async def rest(self, for_s: float = 5.0) -> None:
        """Advance the time."""
        await self.clock.sleep(for_s)
        await self.clock.settle()

    @property
    def elapsed_s(self) -> float:
        """The transcript's time."""
        return round(self.clock.now() - self.transcript.begun_s, 1)


@asynccontextmanager
async def running_cluster(
    folder: Path, pki: Pki, *, nodes: int = 3, cpu: str = "2", seed: int = 1
) -> AsyncIterator[Cluster]:
    """Run a cluster until its nodes are Ready; the transcript begins then."""
    rng = random.Random(seed)
    asyncio.get_running_loop().set_default_executor(InlineExecutor())
    clock, journal = VirtualClock(), []
    with pytest.MonkeyPatch.context() as patch:
        random.seed(seed)
        patch.setattr(secrets, "token_hex", lambda size: rng.randbytes(size).hex())
        async with asyncio.TaskGroup() as tasks:
            log = Journal("apiserver", clock, journal)
            process = LocalProcess(ComponentConfig(name="apiserver"), tasks, clock=clock, log=log)
            async with local_apiserver(pki, process, rng=rng) as api:
                observer = Observer(api, clock)
                running = tasks.create_task(observer.run(), name="observer")
                await api.core.bootstrap.run_until_done(clock)
                await api.core.presence.ensure()
                api.core.registry.open()
                cluster = Cluster(clock, tasks, api, observer, folder, rng, journal)
                try:
                    await _bring_up(cluster, nodes, cpu)
                    observer.begin()
                    yield cluster
                finally:
                    await _tear_down(cluster)
                    running.cancel()


async def _bring_up(cluster: Cluster, nodes: int, cpu: str) -> None:
    for name in ("controllers", "scheduler"):
        cluster.start(name)
    for number in range(1, nodes + 1):
        name = f"node-{number}"
        await cluster.boot(name, cpu=cpu)
        await cluster.until(lambda name=name: is_node_ready(cluster.object("nodes", name, "")), limit_s=60)
    await cluster.until(lambda: cluster.object("serviceaccounts", "default"), limit_s=60)


async def _tear_down(cluster: Cluster) -> None:
    for name in list(cluster.components):
        await cluster.kill(name)
    for name in list(cluster.nodes):
        await cluster.power_off(name)


def is_node_ready(node: dict[str, Any] | None) -> bool:
    """Whether a node is Ready, and may get pods."""
    return condition(node, "Ready") == "True" and not (node or {}).get("spec", {}).get("taints")


def is_pod_ready(pod: dict[str, Any] | None) -> bool:
    """Whether a pod is Ready and is to stay."""
    return condition(pod, "Ready") == "True" and "deletionTimestamp" not in (pod or {})["metadata"]


def condition(obj: dict[str, Any] | None, type_: str) -> str:
    """Return the status of a condition, "" where there is none."""
    found = (obj or {}).get("status", {}).get("conditions", [])
    return next((each["status"] for each in found if each["type"] == type_), "")
