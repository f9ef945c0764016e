"""What containers and pods use, from the kernel's own files: no engine is asked for it.

Found by the pid of the first process, whose cgroup and network namespace are the container's. CPU use per second is
the difference between two looks that are at least a second apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from dockershim.core.cgroup_files import UNIFIED, Usage, cgroup_paths, read_interfaces, usage_v1, usage_v2
from dockershim.core.cni import INTERFACE
from dockershim.core.states import Details
from machinery.model.clock import Clock
from machinery.pb import cri_pb2 as cri

_ROOT: Final = Path("/sys/fs/cgroup")
_LEAST_NS: Final = 1_000_000_000


class Statistics:
    """Reads usage, and remembers the last look at each container."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._looks: dict[str, list[tuple[int, int]]] = {}  # by id: (when, cpu time), the older one first

    def container(self, details: Details) -> Any:
        """Return what a container uses; one that does not run has no numbers."""
        config = details.container_config()
        stats = cri.ContainerStats(
            attributes=cri.ContainerAttributes(
                id=details.id, metadata=config.metadata, labels=config.labels, annotations=config.annotations
            )
        )
        if details.pid and (usage := read_usage(details.pid)):
            cpu, memory = self._write(details.id, usage)
            stats.cpu.CopyFrom(cpu)
            stats.memory.CopyFrom(memory)
        return stats

    def sandbox(self, details: Details, containers: Sequence[Details]) -> Any:
        """Return what a pod uses: the sum over its containers and its sandbox, and its network."""
        config = details.sandbox_config()
        running = [item for item in (details, *containers) if item.pid]
        usages = [usage for item in running if (usage := read_usage(item.pid))]
        stats = cri.PodSandboxStats(
            attributes=cri.PodSandboxAttributes(
                id=details.id, metadata=config.metadata, labels=config.labels, annotations=config.annotations
            ),
            linux=cri.LinuxPodSandboxStats(
                containers=[self.container(item) for item in containers if item.pid]
            ),
        )
        if usages:
            cpu, memory = self._write(details.id, _total(usages))
            now_ns = self._clock.wall_ns()
            stats.linux.cpu.CopyFrom(cpu)
            stats.linux.memory.CopyFrom(memory)
            stats.linux.process.timestamp = now_ns
            stats.linux.process.process_count.value = sum(usage.processes for usage in usages)
            stats.linux.network.CopyFrom(_network(details.pid, now_ns))
        return stats

    def forget(self, id_: str) -> None:
        """Drop what is remembered of a container that is gone."""
        self._looks.pop(id_, None)

    def _write(self, id_: str, usage: Usage) -> tuple[Any, Any]:
        now_ns = self._clock.wall_ns()
        cpu = cri.CpuUsage(timestamp=now_ns, usage_core_nano_seconds=_value(usage.cpu_ns))
        rate = self._nano_cores(id_, now_ns, usage.cpu_ns)
        if rate is not None:
            cpu.usage_nano_cores.value = rate
        memory = cri.MemoryUsage(
            timestamp=now_ns,
            working_set_bytes=_value(usage.working_set_bytes),
            usage_bytes=_value(usage.memory_bytes),
            rss_bytes=_value(usage.rss_bytes),
            page_faults=_value(usage.page_faults),
            major_page_faults=_value(usage.major_page_faults),
        )
        return cpu, memory

    def _nano_cores(self, id_: str, now_ns: int, cpu_ns: int) -> int | None:
        looks = self._looks.setdefault(id_, [])
        if not looks or now_ns - looks[-1][0] >= _LEAST_NS:
            looks.append((now_ns, cpu_ns))
            del looks[:-2]
        if len(looks) < 2:
            return None
        (begin_ns, before), (end_ns, after) = looks
        return max(0, (after - before) * 1_000_000_000 // (end_ns - begin_ns))


def read_usage(pid: int) -> Usage | None:
    """Read what the cgroup of a process uses; None if it ended meanwhile."""
    try:
        paths = cgroup_paths(Path(f"/proc/{pid}/cgroup").read_text())
    except OSError:
        return None
    if "memory" in paths:
        cpu, memory, pids = (_ROOT / name / paths[name].lstrip("/") for name in ("cpuacct", "memory", "pids"))
        return usage_v1(
            _text(cpu / "cpuacct.usage"),
            _text(memory / "memory.usage_in_bytes"),
            _text(memory / "memory.stat"),
            _text(pids / "pids.current"),
        )
    group = _ROOT / paths.get(UNIFIED, "").lstrip("/")
    return usage_v2(
        _text(group / "cpu.stat"),
        _text(group / "memory.current"),
        _text(group / "memory.stat"),
        _text(group / "pids.current"),
    )


def _total(usages: Sequence[Usage]) -> Usage:
    fields = Usage.__dataclass_fields__
    return Usage(**{name: sum(getattr(usage, name) for usage in usages) for name in fields})


def _network(pid: int, now_ns: int) -> Any:
    interfaces = [
        cri.NetworkInterfaceUsage(
            name=name,
            rx_bytes=_value(received),
            rx_errors=_value(receive_errors),
            tx_bytes=_value(sent),
            tx_errors=_value(send_errors),
        )
        for name, (received, receive_errors, sent, send_errors) in read_interfaces(
            _text(Path(f"/proc/{pid}/net/dev"))
        ).items()
        if name != "lo"
    ]
    usage = cri.NetworkUsage(timestamp=now_ns, interfaces=interfaces)
    for interface in interfaces:
        if interface.name == INTERFACE:
            usage.default_interface.CopyFrom(interface)
    return usage


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""


def _value(number: int) -> Any:
    return cri.UInt64Value(value=number)
