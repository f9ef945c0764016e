"""What a kubelet serves, put together: logs, exec, tunnels, and its pages."""

from __future__ import annotations

from dataclasses import asdict

from kubelet.core.usage import Counter
from kubelet.eviction import PodDisks, RecentDisks
from kubelet.ground import Ground
from kubelet.local_volumes import LocalVolumes
from kubelet.network_pages import NetworkPages
from kubelet.node_usage import NodeUsageReader
from kubelet.pages import Pages
from kubelet.pod_workers import PodWorkers
from kubelet.probes import Probes
from kubelet.server import NodeServer
from kubelet.usage import UsageWindows
from kubelet.volumes import Volumes
from machinery.process.z_pages import ZPages


def make_node_service(
    ground: Ground, workers: PodWorkers, probes: Probes, volumes: Volumes, disks: PodDisks
) -> NodeServer:
    """Construct the node's service over the parts that know the answers."""
    usage = NodeUsageReader(ground.cgroups, ground.machine, ground.config.root, ground.clock)

    def node_counter() -> Counter | None:
        """Return what the node has used; None of a simulated one, which is not the machine that it runs on."""
        return None if ground.situation.is_simulated() else usage.counter()

    return NodeServer(
        workers,
        ground.runtime,
        ground.clock,
        ground.log,
        pages=_make_pages(ground, workers, probes, volumes, disks, usage),
        usage=UsageWindows(ground.runtime, node_counter, ground.clock).read,
        is_simulated=ground.situation.is_simulated,
    )


def _make_pages(
    ground: Ground,
    workers: PodWorkers,
    probes: Probes,
    volumes: Volumes,
    disks: PodDisks,
    usage: NodeUsageReader,
) -> Pages:
    config, clock = ground.config, ground.clock
    return Pages(
        node_name=config.node_name,
        started=clock.timescale.format(clock.now()),
        configuration=config.published,
        logs=config.root / "logs",
        runtime=ground.runtime,
        pods=workers.pods,
        metrics=ground.process.metrics.render,
        usage=usage.read,
        probe_metrics=probes.metrics,
        machine=ground.machine,
        local_volumes=LocalVolumes(config.root / "local-volumes"),
        checkpoints=config.root / "checkpoints",
        now=lambda: clock.timescale.format(clock.now()),
        z_pages=ZPages("kubelet", clock, asdict(config), ("/healthz", "/metrics", "/pods", "/stats/summary")),
        volumes=volumes.claimed.usage,
        disks=RecentDisks(disks, workers.lives, clock).read,
        network=NetworkPages(
            workers.pods,
            workers.sandbox,
            ground.runtime.sandbox_process,
            is_simulated=ground.situation.is_simulated,
        ).read,
    )
