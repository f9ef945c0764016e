"""What simulated containers seem to use: a steady share of a core, of memory and of the disk, as annotations say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hollow.core.lifetime import State
from hollow.records import Container, Sandbox
from hollow.views import view_attributes, wall_ns
from machinery.model.clock import Clock, Timescale
from machinery.pb import cri_pb2 as cri


def container_stats(container: Container, clock: Clock) -> Any:
    """Return the statistics of a container."""
    cpu, memory = _used([container], clock)
    layer = cri.FilesystemUsage(timestamp=cpu.timestamp, used_bytes=_value(container.behaviour.disk_bytes))
    return cri.ContainerStats(
        attributes=view_attributes(container), cpu=cpu, memory=memory, writable_layer=layer
    )


def sandbox_stats(sandbox: Sandbox, containers: Sequence[Container], clock: Clock) -> Any:
    """Return the statistics of a pod: the sums over its containers."""
    config = sandbox.config
    cpu, memory = _used(containers, clock)
    now_s = clock.now()
    running = [container for container in containers if container.state(now_s) is State.RUNNING]
    each = [container_stats(container, clock) for container in running]
    return cri.PodSandboxStats(
        attributes=cri.PodSandboxAttributes(
            id=sandbox.id, metadata=config.metadata, labels=config.labels, annotations=config.annotations
        ),
        linux=cri.LinuxPodSandboxStats(cpu=cpu, memory=memory, containers=each),
    )


def _used(containers: Sequence[Container], clock: Clock) -> tuple[Any, Any]:
    now_s = clock.now()
    running = [container for container in containers if container.state(now_s) is State.RUNNING]
    nano_cores = sum(container.behaviour.cpu_millicores for container in running) * 1_000_000
    memory = sum(container.behaviour.memory_bytes for container in running)
    spent = sum(_spent_core_ns(container, clock.timescale, now_s) for container in containers)
    at_ns = wall_ns(clock.timescale, now_s)
    return (
        cri.CpuUsage(
            timestamp=at_ns, usage_core_nano_seconds=_value(spent), usage_nano_cores=_value(nano_cores)
        ),
        cri.MemoryUsage(
            timestamp=at_ns,
            working_set_bytes=_value(memory),
            usage_bytes=_value(memory),
            rss_bytes=_value(memory),
        ),
    )


def _spent_core_ns(container: Container, timescale: Timescale, now_s: float) -> int:
    if container.record.started_s is None:
        return 0
    end = container.end
    until_s = min(now_s, end.at_s) if end else now_s
    ran_s = timescale.wall(until_s - container.record.started_s)
    return int(ran_s * container.behaviour.cpu_millicores * 1_000_000)


def _value(number: int) -> Any:
    return cri.UInt64Value(value=number)
