"""The kubelet, put together.

    PodSource (API) ─┐                         ┌─► StatusWriter (API)
    Relist (CRI) ────┼─► PodWorkers ─► life ───┼─► PodExecutor (CRI, volumes, images, hooks)
    Probes ──────────┘    (one each)           └─► Probes, events

SIGTERM: the workers stop where they are, containers go on running, and the next kubelet takes them over.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from kubelet.certificates import NodeCertificates
from kubelet.config import KubeletConfig
from kubelet.container_garbage import ContainerGarbage
from kubelet.core.eviction.thresholds import OF_DISKS
from kubelet.core.node_status import Machine
from kubelet.core.sysctls import allowed_sysctls
from kubelet.diskless import DisklessRecords, DisklessVolumes
from kubelet.environment import Environment
from kubelet.eviction import EvictionManager, NodeReclaim, NodeSignals, PodDisks
from kubelet.ground import make_ground
from kubelet.hosting import CriChannel, KubeletProcess, OwnCertificates
from kubelet.housekeeping import Housekeeping
from kubelet.image_disk import ImageDisk
from kubelet.image_garbage import ImageGarbage
from kubelet.image_permits import ImagePermits
from kubelet.image_records import ImageRecords
from kubelet.images import Images
from kubelet.log_rotation import LogRotation
from kubelet.node import Node, NodeSettings
from kubelet.node_plugins import NodePlugins
from kubelet.node_service import make_node_service
from kubelet.own_metrics import OwnMetrics
from kubelet.pod_source import PodSource
from kubelet.pod_tools import make_tools
from kubelet.pod_workers import PodWorkers
from kubelet.probes import Probes
from kubelet.referenced_objects import ReferencedObjects
from kubelet.relist import Relist
from kubelet.situation import HOLLOW
from kubelet.status_writer import HOLD_S, StatusWriter
from kubelet.termination_messages import TerminationMessages
from kubelet.volume_metrics import VolumeMetrics
from kubelet.volume_news import VolumeNews
from kubelet.volumes import Volumes
from machinery.client.api import Api
from machinery.client.seam_channel import through
from machinery.model.backoff import Backoff
from machinery.model.insist import insist
from machinery.model.k8s.core_v1 import Pod
from machinery.model.seam import Ends
from machinery.process.run import Process
from machinery.process.server import GrpcServer, bound_ports, grpc_server
from machinery.wire.stubs import unix_channel

_MANY_HOLD_S: Final = (
    3.0  # wall seconds that a status waits for the next one where many kubelets share a core
)
_ASK_AGAIN = Backoff(initial_s=0.2, cap_s=0.2)  # wall seconds: a runtime that does not answer yet


async def serve(config: KubeletConfig, process: Process) -> None:
    """Be the node until cancelled."""
    config.root.mkdir(parents=True, exist_ok=True)
    certificates = NodeCertificates(config, process)
    api = process.connect(await certificates.identity())
    channel = unix_channel(config.cri_socket, process.clock)
    ends = Ends(process.name, f"cri@{config.node_name}", "cri")
    try:
        await Kubelet(config, process, api, through(channel, process.seam, ends), certificates).run()
    finally:
        await channel.close()
        await api.aclose()


class Kubelet:
    """All parts of one kubelet.

    One of many in a process is handed its machine and, where its host has given it one, its pod range, which it would else read from the real one; its containers are simulated, nobody
    brings plugins to it, no log grows, and it writes no files that only containers read.
    """

    def __init__(
        self,
        config: KubeletConfig,
        process: KubeletProcess,
        api: Api,
        channel: CriChannel,
        certificates: OwnCertificates,
        *,
        machine: Machine | None = None,
        pod_cidr: str = "",
    ) -> None:
        ground = self._ground = make_ground(config, process, api, channel, machine)
        self._certificates = certificates
        self._ports: tuple[int, ...] = ()
        self.events, clock, log = ground.events, ground.clock, ground.log
        self.node = self._make_node(pod_cidr)
        self.relist = self._make_relist()
        self.probes = Probes(ground.runtime, ground.events, clock, log, on_change=self._probes_changed)
        self.objects = ReferencedObjects(ground.api, clock, log)
        self.images = self._make_images()
        self.environment = self._make_environment()
        self.plugins = self._make_plugins()
        self.volumes = self._make_volumes()
        self.volume_news = VolumeNews(self.volumes.refresh, log)
        hold_s = _MANY_HOLD_S if ground.is_one_of_many else HOLD_S
        self.writer = StatusWriter(ground.api, clock, log, hold_s=hold_s)
        self.source = PodSource(ground.api, config.node_name, clock, log)
        self.workers = self._make_workers()
        self._disks = PodDisks(ground.runtime, self.volumes, ground.files)
        self._signals = NodeSignals(ground.cgroups, ground.machine, config.root)
        self.dead_containers = ContainerGarbage(self.workers, clock, log, config.container_limits)
        self.image_garbage = self._make_image_garbage()
        self.evictions = self._make_evictions()
        self._show_numbers()
        self.source.subscribe(self.workers.pod_changed)
        self.relist.subscribe(self.workers.runtime_changed)

    # each of these constructs a part over those that are there already

    def _make_node(self, pod_cidr: str) -> Node:
        ground = self._ground
        return Node(
            ground.vital,
            ground.runtime,
            ground.clock,
            ground.events,
            ground.log,
            settings=_settings(ground.config, ground.machine, pod_cidr),
            machine=ground.machine,
            cgroups=ground.cgroups,
            port=lambda: self._ports[0] if self._ports else 0,
            volumes_in_use=self._volumes_in_use,
            pressures=self._pressures,
        )

    def _make_relist(self) -> Relist:
        ground = self._ground
        return Relist(
            ground.runtime,
            ground.clock,
            ground.log,
            host_ips=ground.config.node_ips,
            read_message=TerminationMessages(ground.files).read,
            on_health=self.node.pulse,
            trusts_events=ground.situation.is_simulated,
        )

    def _make_images(self) -> Images:
        ground, log = self._ground, self._ground.log
        records = (DisklessRecords if ground.is_one_of_many else ImageRecords)(ground.config.root, log)
        permits = ImagePermits(records, ground.config.image_verification, ground.clock, log)
        return Images(self.objects, ground.runtime, ground.events, ground.clock, log, permits=permits)

    def _make_environment(self) -> Environment:
        ground = self._ground
        return Environment(
            ground.api,
            self.objects,
            ground.clock,
            ground.events,
            ground.log,
            allocatable=self.node.allocatable,
            host_ips=ground.config.node_ips,
        )

    def _make_plugins(self) -> NodePlugins:
        ground = self._ground
        return NodePlugins(
            ground.api,
            ground.config.root,
            self.node,
            ground.config.node_name,
            self.objects,
            ground.events,
            ground.clock,
            ground.log,
            makes_tokens=not ground.is_one_of_many,
        )

    def _make_volumes(self) -> Volumes:
        ground = self._ground
        kind = DisklessVolumes if ground.is_one_of_many else Volumes
        return kind(
            ground.api,
            ground.config.root,
            ground.clock,
            ground.events,
            ground.log,
            allocatable=self.node.allocatable,
            host_ips=ground.config.node_ips,
            boot_id=ground.machine.system.boot_id,
            node=self.node.own,
            handlers=self.node.handlers,
            sources=self.plugins.sources,
            drivers=self.plugins.volumes,
        )

    def _make_workers(self) -> PodWorkers:
        tools = make_tools(
            self._ground,
            relist=self.relist,
            node=self.node,
            plugins=self.plugins,
            volumes=self.volumes,
            images=self.images,
            environment=self.environment,
            probes=self.probes,
            writer=self.writer,
        )
        return PodWorkers(
            tools,
            self.relist,
            allocatable=self.node.allocatable,
            labels=self.node.labels,
            abilities=self.node.abilities,
            is_gone=self.source.is_gone,
            on_gone=self._forget,
            on_step=self.volume_news.note,
        )

    def _make_image_garbage(self) -> ImageGarbage:
        ground = self._ground
        return ImageGarbage(
            ground.runtime,
            self.workers.lives,
            ImageDisk(ground, self._signals).read,
            ground.events,
            ground.clock,
            ground.log,
            limits=ground.config.image_limits,
            node=self.node.own,
        )

    def _make_evictions(self) -> EvictionManager:
        ground = self._ground
        reclaim = NodeReclaim(self.dead_containers, self.image_garbage, self._signals, ground.log)
        return EvictionManager(
            self._signals,
            self._disks,
            ground.runtime,
            self.workers,
            ground.events,
            ground.clock,
            ground.log,
            settings=ground.config.evictions,
            make_room=reclaim.make_room,
            node=self.node.own,
            is_simulated=lambda: self.node.runtime_name == HOLLOW if self.node.runtime_name else None,
            on_change=self.node.pulse,
        )

    def _show_numbers(self) -> None:
        own, certificates = self._ground.config.node_name, self._certificates
        for numbers in (
            OwnMetrics(own, self.workers.pods, certificates.client_ttl_s, certificates.renewal_errors),
            self.image_garbage,
            self.evictions,
            VolumeMetrics(self.volumes.claimed.usage),
        ):
            self._ground.process.metrics.add(numbers)

    async def run(self) -> None:
        """Run every part until cancelled: then the workers end first, and what they call after them."""
        async with self._node_service() as server, asyncio.TaskGroup() as services:
            for name, part in (
                ("events", self.events.run()),
                ("node", self.node.run()),
                (
                    "certificates",
                    self._certificates.run(self._ground.vital, server.show if server else _serves_nothing),
                ),
                ("pod-source", self.source.run()),
                ("relist", self.relist.run()),
                ("probes", self.probes.run()),
                ("referenced-objects", self.objects.run()),
                ("environment", self.environment.run()),
                ("status-writer", self.writer.run()),
            ):
                services.create_task(part, name=name)
            await self._run_pods()

    async def _run_pods(self) -> None:
        """Begin with the pods once the node is registered and both sides have been seen whole."""
        await self.node.registered.wait()
        ground, situation = self._ground, self._ground.situation
        ground.process.ready()
        situation.learn_runtime(await self._ask_runtime_name())
        if situation.is_simulated():
            self.probes.simulate()
        await self.relist.listed.wait()
        await self.source.synced()
        clock, log = ground.clock, ground.log
        log.info("pods_begin", runtime=situation.surroundings().runtime, known=len(self.workers.active_uids))
        housekeeping = Housekeeping(
            self.workers,
            self.volumes,
            self.plugins.device_claims,
            ground.cgroups,
            ground.files,
            self.images,
            self.dead_containers,
            self.plugins.volumes,
            clock,
            log,
        )
        rotation = LogRotation(
            ground.runtime, clock, log, running=self.workers.running, limits=ground.config.log_limits
        )
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.workers.run(), name="pod-workers")
            tasks.create_task(housekeeping.run(), name="housekeeping")
            tasks.create_task(self.evictions.run(), name="evictions")
            if self._collects_images():
                tasks.create_task(self.image_garbage.run(), name="image-garbage")
            tasks.create_task(self.volume_news.run(), name="volume-news")
            if not ground.is_one_of_many:
                tasks.create_task(rotation.run(), name="log-rotation")
                # there may be more simulated nodes on a machine than the kernel has watches
                is_watched = not situation.is_simulated()
                tasks.create_task(self.plugins.run(is_watched=is_watched), name="plugins")
            tasks.create_task(self.plugins.ensure_csi_node(), name="csi-node")
            try:
                await asyncio.get_running_loop().create_future()
            finally:
                situation.drain()

    async def _ask_runtime_name(self) -> str:
        version = await insist(
            self._ground.runtime.version, self._ground.clock, _ASK_AGAIN
        )  # a failure: the status says so
        return version.runtime_name

    @asynccontextmanager
    async def _node_service(self) -> AsyncIterator[GrpcServer | None]:
        """Serve logs, exec, tunnels and pages while inside; nothing where there is no address to listen on."""
        config, process = self._ground.config, self._ground.process
        if not config.listen:
            yield None
            return
        service = make_node_service(self._ground, self.workers, self.probes, self.volumes, self._disks)
        server = grpc_server(
            config.listen, self._certificates.serving(), [service.handler()], process.seam, name=process.name
        )
        await server.start()
        self._ports = bound_ports(server)
        try:
            yield server
        finally:
            await server.stop(0.5)

    def _collects_images(self) -> bool:
        """Whether images may have to go, by themselves or for pods."""
        config = self._ground.config
        limits, thresholds = config.image_limits, config.evictions.thresholds
        return limits.is_on or any(each.signal in OF_DISKS for each in thresholds)

    # those that are called by parts which are there before the one that knows

    def _pressures(self) -> frozenset[str]:
        return self.evictions.conditions()

    def _volumes_in_use(self) -> list[str]:
        return self.plugins.volumes.in_use()

    def _probes_changed(self, pod_uid: str) -> None:
        self.workers.probes_changed(pod_uid)

    def _forget(self, pod: Pod) -> None:
        uid = pod.metadata.uid
        self.probes.forget(uid)
        self.images.forget(uid)
        self.objects.forget(uid)
        self.writer.forget(uid)
        self.volume_news.forget(uid)
        self._ground.files.remove_logs(pod)


def _serves_nothing(_certificate: str, _key: str) -> None:
    """Nobody listens who could show it."""


def _settings(config: KubeletConfig, machine: Machine, pod_cidr: str) -> NodeSettings:
    return NodeSettings(
        config.node_name,
        config.node_ips,
        config.labels,
        config.intervals,
        config.root,
        tuple(config.taints),
        allowed_sysctls(machine.system.kernel_version, config.allowed_unsafe_sysctls),
        pod_cidr,
    )
