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
from dataclasses import asdict, replace
from typing import Final

from kubelet.certificates import NodeCertificates
from kubelet.cgroups import Cgroups
from kubelet.config import KubeletConfig
from kubelet.container_garbage import ContainerGarbage
from kubelet.container_resizer import ContainerResizer
from kubelet.container_starter import ContainerStarter, Providers
from kubelet.container_stopper import ContainerStopper
from kubelet.core.eviction.thresholds import OF_DISKS, Observed, Signal
from kubelet.core.life import Surroundings
from kubelet.core.network_files import ClusterDns
from kubelet.core.node_status import Machine
from kubelet.core.sysctls import allowed_sysctls
from kubelet.core.usage import Counter
from kubelet.diskless import DisklessFiles, DisklessRecords, DisklessVolumes
from kubelet.environment import Environment
from kubelet.eviction import EvictionManager, NodeReclaim, NodeSignals, PodDisks, RecentDisks
from kubelet.hooks import Hooks
from kubelet.hosting import CriChannel, KubeletProcess, OwnCertificates
from kubelet.housekeeping import Housekeeping
from kubelet.image_garbage import ImageGarbage
from kubelet.image_permits import ImagePermits
from kubelet.image_records import ImageRecords
from kubelet.images import Images
from kubelet.local_volumes import LocalVolumes
from kubelet.log_rotation import LogRotation
from kubelet.machine_info import IdentityFiles, read_machine
from kubelet.network_pages import NetworkPages
from kubelet.node import Node, NodeSettings
from kubelet.node_plugins import NodePlugins
from kubelet.node_usage import NodeUsageReader
from kubelet.own_metrics import OwnMetrics
from kubelet.pages import Pages
from kubelet.pod_executor import PodExecutor
from kubelet.pod_files import PodFiles
from kubelet.pod_source import PodSource
from kubelet.pod_worker import Tools
from kubelet.pod_workers import PodWorkers
from kubelet.probe_states import ProbeStateView
from kubelet.probes import Probes
from kubelet.referenced_objects import ReferencedObjects
from kubelet.relist import Relist
from kubelet.runtime import Runtime
from kubelet.runtime_handlers import RuntimeHandlers
from kubelet.sandboxes import Sandboxes
from kubelet.server import NodeServer
from kubelet.status_writer import HOLD_S, StatusWriter
from kubelet.termination_messages import TerminationMessages
from kubelet.usage import UsageWindows
from kubelet.volume_metrics import VolumeMetrics
from kubelet.volume_news import VolumeNews
from kubelet.volumes import Volumes
from machinery.client.api import Api
from machinery.client.events import EventRecorder
from machinery.client.limited import limited
from machinery.client.seam_channel import through
from machinery.model.backoff import Backoff
from machinery.model.insist import insist
from machinery.model.k8s.core_v1 import Pod
from machinery.model.seam import Ends
from machinery.process.run import Process
from machinery.process.server import GrpcServer, bound_ports, grpc_server
from machinery.process.z_pages import ZPages
from machinery.wire.stubs import unix_channel

REQUESTS_AT_ONCE: Final = 12  # of all pods together: the node's lease and status are not among them
_MANY_HOLD_S: Final = (
    3.0  # wall seconds that a status waits for the next one where many kubelets share a core
)
HOLLOW = "hollow"  # the runtime that simulates containers
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
        self._config = config
        self._process = process
        self._certificates = certificates
        self._vital, self.api = api, limited(api, REQUESTS_AT_ONCE)
        api = self.api
        self._draining = False
        self._is_blind = False  # to the disk of the images, and has said so
        is_one_of_many = self._is_one_of_many = machine is not None
        kept = config.container_limits.kept_at_once
        self._around = Surroundings(process.clock.timescale, "", config.node_ips, kept)
        self._ports: tuple[int, ...] = ()
        clock, log = process.clock, process.log
        identity = IdentityFiles(config.machine_id_file, config.system_uuid_file, config.boot_id_file)
        self.machine = machine or read_machine(
            config.root, cpu=config.cpu, memory=config.memory, identity=identity
        )
        self.runtime = Runtime(channel, clock, caller="" if is_one_of_many else process.name)
        self.events = EventRecorder(api, component="kubelet", host=config.node_name, clock=clock, log=log)
        self.cgroups = Cgroups(config.cgroup_root, log=log)
        self._usage = NodeUsageReader(self.cgroups, self.machine, config.root, clock)
        files = DisklessFiles if is_one_of_many else PodFiles
        self.files = files(config.root, config.cluster_domain)
        self.node = Node(
            self._vital,
            self.runtime,
            clock,
            self.events,
            log,
            settings=_settings(config, self.machine, pod_cidr),
            machine=self.machine,
            cgroups=self.cgroups,
            port=lambda: self._ports[0] if self._ports else 0,
            volumes_in_use=self._volumes_in_use,
            pressures=self._pressures,
        )
        messages = TerminationMessages(self.files)
        self.relist = Relist(
            self.runtime,
            clock,
            log,
            host_ips=config.node_ips,
            read_message=messages.read,
            on_health=self.node.pulse,
            trusts_events=self._is_simulated,
        )
        self.probes = Probes(self.runtime, self.events, clock, log, on_change=self._probes_changed)
        self.objects = ReferencedObjects(api, clock, log)
        records = DisklessRecords if is_one_of_many else ImageRecords
        self.images = Images(
            self.objects,
            self.runtime,
            self.events,
            clock,
            log,
            permits=ImagePermits(records(config.root, log), config.image_verification, clock, log),
        )
        self.environment = Environment(
            api,
            self.objects,
            clock,
            self.events,
            log,
            allocatable=self.node.allocatable,
            host_ips=config.node_ips,
        )
        self.plugins = NodePlugins(
            api,
            config.root,
            self.node,
            config.node_name,
            self.objects,
            self.events,
            clock,
            log,
            makes_tokens=not is_one_of_many,
        )
        self.volumes = self._make_volumes()
        self.volume_news = VolumeNews(self.volumes.refresh, log)
        self.writer = StatusWriter(api, clock, log, hold_s=_MANY_HOLD_S if is_one_of_many else HOLD_S)
        self.source = PodSource(api, config.node_name, clock, log)
        self.workers = PodWorkers(
            self._tools(),
            self.relist,
            allocatable=self.node.allocatable,
            labels=self.node.labels,
            abilities=self.node.abilities,
            is_gone=self.source.is_gone,
            on_gone=self._forget,
            on_step=self.volume_news.note,
        )
        process.metrics.add(
            OwnMetrics(
                config.node_name, self.workers.pods, certificates.client_ttl_s, certificates.renewal_errors
            )
        )
        self._disks = PodDisks(self.runtime, self.volumes, self.files)
        self._signals = NodeSignals(self.cgroups, self.machine, config.root)
        self.dead_containers = ContainerGarbage(self.workers, clock, log, config.container_limits)
        self.image_garbage = ImageGarbage(
            self.runtime,
            self.workers.lives,
            self._image_disk,
            self.events,
            clock,
            log,
            limits=config.image_limits,
            node=self.node.own,
        )
        process.metrics.add(self.image_garbage)
        self.evictions = self._make_evictions()
        process.metrics.add(self.evictions)
        process.metrics.add(VolumeMetrics(self.volumes.claimed.usage))
        self.source.subscribe(self.workers.pod_changed)
        self.relist.subscribe(self.workers.runtime_changed)

    def _make_evictions(self) -> EvictionManager:
        """Return what ends pods by itself, over the parts that are there already."""
        return EvictionManager(
            self._signals,
            self._disks,
            self.runtime,
            self.workers,
            self.events,
            self._process.clock,
            self._process.log,
            settings=self._config.evictions,
            make_room=NodeReclaim(
                self.dead_containers, self.image_garbage, self._signals, self._process.log
            ).make_room,
            node=self.node.own,
            is_simulated=lambda: self.node.runtime_name == HOLLOW if self.node.runtime_name else None,
            on_change=self.node.pulse,
        )

    def _make_volumes(self) -> Volumes:
        """Return what fills the volumes of pods, over the parts that are there already."""
        kind = DisklessVolumes if self._is_one_of_many else Volumes
        return kind(
            self.api,
            self._config.root,
            self._process.clock,
            self.events,
            self._process.log,
            allocatable=self.node.allocatable,
            host_ips=self._config.node_ips,
            boot_id=self.machine.system.boot_id,
            node=self.node.own,
            handlers=self.node.handlers,
            sources=self.plugins.sources,
            drivers=self.plugins.volumes,
        )

    async def run(self) -> None:
        """Run every part until cancelled: then the workers end first, and what they call after them."""
        async with self._node_service() as server, asyncio.TaskGroup() as services:
            for name, part in (
                ("events", self.events.run()),
                ("node", self.node.run()),
                (
                    "certificates",
                    self._certificates.run(self._vital, server.show if server else _serves_nothing),
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
        self._process.ready()
        self._around = replace(self._around, runtime=await self._ask_runtime_name())
        if self._around.runtime == HOLLOW:
            self.probes.simulate()
        await self.relist.listed.wait()
        await self.source.synced()
        clock, log = self._process.clock, self._process.log
        log.info("pods_begin", runtime=self._around.runtime, known=len(self.workers.active_uids))
        housekeeping = Housekeeping(
            self.workers,
            self.volumes,
            self.plugins.device_claims,
            self.cgroups,
            self.files,
            self.images,
            self.dead_containers,
            self.plugins.volumes,
            clock,
            log,
        )
        rotation = LogRotation(
            self.runtime, clock, log, running=self.workers.running, limits=self._config.log_limits
        )
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.workers.run(), name="pod-workers")
            tasks.create_task(housekeeping.run(), name="housekeeping")
            tasks.create_task(self.evictions.run(), name="evictions")
            if self._collects_images():
                tasks.create_task(self.image_garbage.run(), name="image-garbage")
            tasks.create_task(self.volume_news.run(), name="volume-news")
            if not self._is_one_of_many:
                tasks.create_task(rotation.run(), name="log-rotation")
                # there may be more simulated nodes on a machine than the kernel has watches
                is_watched = self._around.runtime != HOLLOW
                tasks.create_task(self.plugins.run(is_watched=is_watched), name="plugins")
            tasks.create_task(self.plugins.ensure_csi_node(), name="csi-node")
            try:
                await asyncio.get_running_loop().create_future()
            finally:
                self._draining = True

    async def _ask_runtime_name(self) -> str:
        version = await insist(
            self.runtime.version, self._process.clock, _ASK_AGAIN
        )  # a failure: the status says so
        return version.runtime_name

    @asynccontextmanager
    async def _node_service(self) -> AsyncIterator[GrpcServer | None]:
        """Serve logs, exec, tunnels and pages while inside; nothing where there is no address to listen on."""
        config, process = self._config, self._process
        if not config.listen:
            yield None
            return
        clock = process.clock
        pages = Pages(
            node_name=config.node_name,
            started=clock.timescale.format(clock.now()),
            configuration=config.published,
            logs=config.root / "logs",
            runtime=self.runtime,
            pods=self.workers.pods,
            metrics=process.metrics.render,
            usage=self._usage.read,
            probe_metrics=self.probes.metrics,
            machine=self.machine,
            local_volumes=LocalVolumes(config.root / "local-volumes"),
            checkpoints=config.root / "checkpoints",
            now=lambda: clock.timescale.format(clock.now()),
            z_pages=ZPages(
                "kubelet", clock, asdict(config), ("/healthz", "/metrics", "/pods", "/stats/summary")
            ),
            volumes=self.volumes.claimed.usage,
            disks=RecentDisks(self._disks, self.workers.lives, clock).read,
            network=NetworkPages(
                self.workers.pods,
                self.workers.sandbox,
                self.runtime.sandbox_process,
                is_simulated=self._is_simulated,
            ).read,
        )
        service = NodeServer(
            self.workers,
            self.runtime,
            clock,
            process.log,
            pages=pages,
            usage=UsageWindows(self.runtime, self._node_counter, clock).read,
            is_simulated=self._is_simulated,
        )
        server = grpc_server(
            config.listen, self._certificates.serving(), [service.handler()], process.seam, name=process.name
        )
        await server.start()
        self._ports = bound_ports(server)
        try:
            yield server
        finally:
            await server.stop(0.5)

    def _is_simulated(self) -> bool:
        return self._around.runtime == HOLLOW

    def _node_counter(self) -> Counter | None:
        """Return what the node has used; None of a simulated one, which is not the machine that it runs on."""
        return None if self._is_simulated() else self._usage.counter()

    def _tools(self) -> Tools:
        clock, log = self._process.clock, self._process.log
        hooks = Hooks(self.runtime, clock)
        stopper = ContainerStopper(self.runtime, hooks, self.events, clock, log)
        sandboxes = Sandboxes(
            self.runtime,
            self.relist,
            self.volumes,
            self.plugins.device_claims,
            self.cgroups,
            self.files,
            self.events,
            clock,
            RuntimeHandlers(self.api, self.node.handlers),
            is_draining=self._is_draining,
            cluster_dns=ClusterDns(self._config.cluster_dns, self._config.cluster_domain),
        )
        providers = Providers(
            images=self.images,
            environment=self.environment,
            volumes=self.volumes,
            sandboxes=sandboxes,
            files=self.files,
            machine=self.machine,
            device_claims=self.plugins.device_claims,
            enforces_cpu=bool(self._config.cgroup_root),
        )
        starter = ContainerStarter(
            self.runtime,
            self.relist,
            providers,
            hooks,
            stopper,
            self.events,
            clock,
            log,
            is_draining=self._is_draining,
        )
        resizer = ContainerResizer(
            self.runtime, self.cgroups, self.machine, log, enforces_cpu=bool(self._config.cgroup_root)
        )
        executor = PodExecutor(
            self.runtime, self.relist, sandboxes, starter, stopper, resizer, self.events, log
        )
        return Tools(
            executor=executor,
            pictures=self.relist,
            probes=ProbeStateView(self.probes),
            writer=self.writer,
            events=self.events,
            clock=clock,
            log=log,
            surroundings=self._surroundings,
            is_draining=self._is_draining,
            checks_invariants=self._config.check_invariants,
        )

    def _surroundings(self) -> Surroundings:
        return self._around

    def _collects_images(self) -> bool:
        """Whether images may have to go, by themselves or for pods."""
        limits, thresholds = self._config.image_limits, self._config.evictions.thresholds
        return limits.is_on or any(each.signal in OF_DISKS for each in thresholds)

    async def _image_disk(self) -> Observed | None:
        """Return how full the disk of the images is; None where that cannot be seen from here."""
        signals = self._signals
        if not signals.has_asked:
            signals.learn_image_dir(each.fs_id.mountpoint for each in await self.runtime.image_fs())
        is_blind = signals.image_dir is None and self._around.runtime != HOLLOW
        if is_blind and not self._is_blind:
            why = "the folder of the images cannot be seen"
            self._process.log.warning("image_gc_thresholds_without_effect", why=why)
        self._is_blind = is_blind
        return signals.read([Signal.IMAGEFS]).get(Signal.IMAGEFS)

    def _pressures(self) -> frozenset[str]:
        return self.evictions.conditions()

    def _volumes_in_use(self) -> list[str]:
        return self.plugins.volumes.in_use()

    def _is_draining(self) -> bool:
        return self._draining

    def _probes_changed(self, pod_uid: str) -> None:
        self.workers.probes_changed(pod_uid)

    def _forget(self, pod: Pod) -> None:
        uid = pod.metadata.uid
        self.probes.forget(uid)
        self.images.forget(uid)
        self.objects.forget(uid)
        self.writer.forget(uid)
        self.volume_news.forget(uid)
        self.files.remove_logs(pod)


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
