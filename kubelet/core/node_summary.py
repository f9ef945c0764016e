"""What the pods of a node use, as /stats/summary and /metrics/resource of a kubelet say it.

https://kubernetes.io/docs/reference/instrumentation/node-metrics/
Of CRI's PodSandboxStats, of its ImageFsInfo, of what pods have written, and of what the machine tells of the node. Volumes
are told of where a claim stands for them, or where they lie on the node's own disk (emptyDir). What nobody tells is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Final

from kubelet.core import labels
from kubelet.core.eviction.usage import PodDisk, Space
from machinery.model.k8s.core_v1 import Pod

_CONTAINER_CPU: Final = "container_cpu_usage_seconds_total"
_CONTAINER_MEMORY: Final = "container_memory_working_set_bytes"
_CONTAINER_START: Final = "container_start_time_seconds"
_POD_CPU: Final = "pod_cpu_usage_seconds_total"
_POD_MEMORY: Final = "pod_memory_working_set_bytes"
_NODE_CPU: Final = "node_cpu_usage_seconds_total"
_NODE_MEMORY: Final = "node_memory_working_set_bytes"
_ERROR: Final = "resource_scrape_error"
_HEADS: Final = {
    _CONTAINER_CPU: ("counter", "Cumulative cpu time consumed by the container in core-seconds"),
    _CONTAINER_MEMORY: ("gauge", "Current working set of the container in bytes"),
    _CONTAINER_START: ("gauge", "Start time of the container since unix epoch in seconds"),
    _NODE_CPU: ("counter", "Cumulative cpu time consumed by the node in core-seconds"),
    _NODE_MEMORY: ("gauge", "Current working set of the node in bytes"),
    _POD_CPU: ("counter", "Cumulative cpu time consumed by the pod in core-seconds"),
    _POD_MEMORY: ("gauge", "Current working set of the pod in bytes"),
    _ERROR: ("gauge", "1 if there was an error while getting container metrics, 0 otherwise"),
}


@dataclass(frozen=True, slots=True)
class Disk:
    """A file system: bytes and inodes."""

    size: int
    available: int
    used: int
    inodes: int
    inodes_free: int


@dataclass(frozen=True, slots=True)
class VolumeUsage:
    """How full a volume is that a claim of a pod stands for; `name` is the pod's own for it."""

    pod_uid: str
    name: str
    namespace: str
    claim: str
    disk: Disk


@dataclass(frozen=True, slots=True)
class Traffic:
    """What has gone through an interface."""

    name: str
    rx_bytes: int
    rx_errors: int
    tx_bytes: int
    tx_errors: int


@dataclass(frozen=True, slots=True)
class NodeUsage:
    """What a node uses in all; None where nobody knows."""

    at_ns: int
    cpu_ns: int | None
    cpu_nano_cores: int | None
    memory_bytes: int
    memory_used_bytes: int | None
    disk: Disk
    traffic: tuple[Traffic, ...]
    default_interface: str
    most_processes: int | None
    processes: int | None


def summary(
    node_name: str,
    started: str,
    stats: Iterable[Any],
    usage: NodeUsage,
    image_fs: Iterable[Any] = (),
    volumes: Iterable[VolumeUsage] = (),
    disks: Mapping[str, PodDisk] = MappingProxyType({}),
) -> dict[str, Any]:
    """Return the Summary (stats/v1alpha1) of a node and its pods.

    `image_fs`: FilesystemUsage of where images are; `disks`: what pods have written, by uid.
    """
    of_pods: dict[str, list[dict[str, Any]]] = {}
    for each in volumes:
        of_pods.setdefault(each.pod_uid, []).append(_volume(each, usage.at_ns))
    pods = [_pod(each) for each in stats]
    for pod in pods:
        uid = pod["podRef"]["uid"]
        found = of_pods.get(uid, [])
        if (written := disks.get(uid)) is not None:
            found += _add_written(pod, written, usage)
        if found:
            pod["volume"] = found
    return {"node": _node(node_name, started, usage, image_fs), "pods": pods}


def _add_written(pod: dict[str, Any], written: PodDisk, usage: NodeUsage) -> list[dict[str, Any]]:
    """Add what a pod has written, in all and by container; return its volumes."""
    pod["ephemeral-storage"] = _written(written.total, usage)
    for container in pod["containers"]:
        if (own := written.containers.get(container["name"])) is not None:
            container["rootfs"] = _written(own.layer, usage)
            container["logs"] = _written(own.logs, usage)
    return [{"name": name, **_written(space, usage)} for name, space in sorted(written.volumes.items())]


def _written(space: Space, usage: NodeUsage) -> dict[str, Any]:
    """Return what is used of the node's file system, and what that has."""
    mine = {"usedBytes": space.used_bytes, "inodesUsed": space.inodes}
    return {"time": _time(usage.at_ns), **_disk(usage.disk), **mine}


def _volume(volume: VolumeUsage, at_ns: int) -> dict[str, Any]:
    return {
        "name": volume.name,
        "pvcRef": {"name": volume.claim, "namespace": volume.namespace},
        "time": _time(at_ns),
        **_disk(volume.disk),
    }


def _disk(disk: Disk) -> dict[str, int]:
    return {
        "availableBytes": disk.available,
        "capacityBytes": disk.size,
        "usedBytes": disk.used,
        "inodesFree": disk.inodes_free,
        "inodes": disk.inodes,
        "inodesUsed": disk.inodes - disk.inodes_free,
    }


def _node(node_name: str, started: str, usage: NodeUsage, image_fs: Iterable[Any]) -> dict[str, Any]:
    now = {"time": _time(usage.at_ns)}
    memory: dict[str, int] = {}
    if (used := usage.memory_used_bytes) is not None:
        memory = {
            "availableBytes": max(0, usage.memory_bytes - used),
            "usageBytes": used,
            "workingSetBytes": used,
        }
    interfaces = [_interface(each) for each in usage.traffic]
    default = next((each for each in interfaces if each["name"] == usage.default_interface), {})
    found: dict[str, Any] = {
        "nodeName": node_name,
        "startTime": started,
        "cpu": now | _known(usageNanoCores=usage.cpu_nano_cores, usageCoreNanoSeconds=usage.cpu_ns),
        "memory": now | memory,
        "network": now | default | {"interfaces": interfaces},
        "fs": now | _disk(usage.disk),
        "rlimit": now | _known(maxpid=usage.most_processes, curproc=usage.processes),
    }
    if images := next(iter(image_fs), None):
        found["runtime"] = {
            "imageFs": {"time": _time(images.timestamp), "usedBytes": images.used_bytes.value}
            | ({"inodesUsed": images.inodes_used.value} if images.HasField("inodes_used") else {})
        }
    return found


def _interface(traffic: Traffic) -> dict[str, Any]:
    return {
        "name": traffic.name,
        "rxBytes": traffic.rx_bytes,
        "rxErrors": traffic.rx_errors,
        "txBytes": traffic.tx_bytes,
        "txErrors": traffic.tx_errors,
    }


def _known(**values: int | None) -> dict[str, int]:
    return {name: value for name, value in values.items() if value is not None}


_CADVISOR: Final = {  # of containers: kind, what it says, where it is in ContainerStats
    "container_cpu_usage_seconds_total": ("counter", "Cumulative cpu time consumed in seconds."),
    "container_memory_working_set_bytes": ("gauge", "Current working set in bytes."),
    "container_memory_usage_bytes": (
        "gauge",
        "Current memory usage in bytes, regardless of when it was accessed.",
    ),
    "container_memory_rss": ("gauge", "Size of RSS in bytes."),
    "container_network_receive_bytes_total": ("counter", "Cumulative count of bytes received"),
    "container_network_transmit_bytes_total": ("counter", "Cumulative count of bytes transmitted"),
}


def cadvisor_metrics(stats: Iterable[Any], cpu_millicores: int, memory_bytes: int) -> str:
    """Return the part of cAdvisor's metrics that CRI's statistics have, and the machine's two totals."""
    series: dict[str, list[str]] = {name: [] for name in _CADVISOR}
    for pod in stats:
        where = _where(pod)
        for each in pod.linux.containers:
            id_, name = each.attributes.id, each.attributes.metadata.name
            _add_cadvisor(series, f'container="{name}",id="{id_}",{where}', each.cpu, each.memory)
        labelled = f'container="",id="{pod.attributes.id}",{where}'
        _add_cadvisor(series, labelled, pod.linux.cpu, pod.linux.memory)
        interface, at_ns = pod.linux.network.default_interface, pod.linux.network.timestamp
        for direction, counted in (("receive", interface.rx_bytes), ("transmit", interface.tx_bytes)):
            if interface.name:
                metric = f"container_network_{direction}_bytes_total"
                named = f'{labelled},interface="{interface.name}"'
                _add(series[metric], metric, named, float(counted.value), at_ns)
    lines = [
        (
            "# HELP machine_cpu_cores Number of logical CPU cores.\n# TYPE machine_cpu_cores gauge\n"
            f"machine_cpu_cores {cpu_millicores / 1000:g}\n"
        ),
        (
            "# HELP machine_memory_bytes Amount of memory installed on the machine.\n"
            f"# TYPE machine_memory_bytes gauge\nmachine_memory_bytes {memory_bytes}\n"
        ),
    ]
    for name, (kind, text) in _CADVISOR.items():
        lines += [f"# HELP {name} {text}\n# TYPE {name} {kind}\n", *series[name]]
    return "".join(lines)


def _add_cadvisor(series: dict[str, list[str]], labelled: str, cpu: Any, memory: Any) -> None:
    if cpu.timestamp:
        name = "container_cpu_usage_seconds_total"
        _add(series[name], name, f'{labelled},cpu="total"', _core_seconds(cpu), cpu.timestamp)
    for name, field in (
        ("container_memory_working_set_bytes", "working_set_bytes"),
        ("container_memory_usage_bytes", "usage_bytes"),
        ("container_memory_rss", "rss_bytes"),
    ):
        if memory.HasField(field):
            _add(series[name], name, labelled, float(getattr(memory, field).value), memory.timestamp)


def resource_metrics(stats: Iterable[Any], usage: NodeUsage, pods: Iterable[Pod]) -> str:
    """Return the statistics of a node and its pods as Prometheus reads them; `pods` say since when their containers run."""
    series: dict[str, list[str]] = {name: [] for name in _HEADS}
    at_ms = usage.at_ns // 1_000_000
    if usage.cpu_ns is not None:
        series[_NODE_CPU].append(f"{_NODE_CPU} {usage.cpu_ns / 1e9:g} {at_ms}\n")
    if usage.memory_used_bytes is not None:
        series[_NODE_MEMORY].append(f"{_NODE_MEMORY} {usage.memory_used_bytes} {at_ms}\n")
    series[_ERROR].append(f"{_ERROR} 0\n")  # a failed look is a failed request
    series[_CONTAINER_START] += [line for pod in pods for line in _starts(pod)]
    for pod in stats:
        where = _where(pod)
        for each in pod.linux.containers:
            named = f'container="{each.attributes.metadata.name}",{where}'
            _add(series[_CONTAINER_CPU], _CONTAINER_CPU, named, _core_seconds(each.cpu), each.cpu.timestamp)
            _add(series[_CONTAINER_MEMORY], _CONTAINER_MEMORY, named, *_working_set(each.memory))
        _add(series[_POD_CPU], _POD_CPU, where, _core_seconds(pod.linux.cpu), pod.linux.cpu.timestamp)
        _add(series[_POD_MEMORY], _POD_MEMORY, where, *_working_set(pod.linux.memory))
    return "".join(_lines(series))


def _starts(pod: Pod) -> Iterator[str]:
    meta, status = pod.metadata, pod.status
    for each in (
        *status.initContainerStatuses,
        *status.containerStatuses,
        *status.ephemeralContainerStatuses,
    ):
        if each.state and each.state.running and (started := each.state.running.startedAt):
            since_s = datetime.fromisoformat(started).timestamp()
            labelled = f'container="{each.name}",namespace="{meta.namespace}",pod="{meta.name}"'
            yield f"{_CONTAINER_START}{{{labelled}}} {since_s:.0f}\n"


def _lines(series: dict[str, list[str]]) -> Iterator[str]:
    for name, (kind, text) in _HEADS.items():
        yield f"# HELP {name} [STABLE] {text}\n# TYPE {name} {kind}\n"
        yield from series[name]


def _add(lines: list[str], name: str, labelled: str, number: float, at_ns: int) -> None:
    lines.append(f"{name}{{{labelled}}} {number:g} {at_ns // 1_000_000}\n")


def _core_seconds(cpu: Any) -> float:
    return float(cpu.usage_core_nano_seconds.value) / 1e9


def _working_set(memory: Any) -> tuple[float, int]:
    return float(memory.working_set_bytes.value), memory.timestamp


def _where(pod: Any) -> str:
    meta = pod.attributes.metadata
    return f'namespace="{meta.namespace}",pod="{meta.name}"'


def _pod(stats: Any) -> dict[str, Any]:
    meta = stats.attributes.metadata
    told = {
        "podRef": {"name": meta.name, "namespace": meta.namespace, "uid": meta.uid},
        "containers": [
            {"name": each.attributes.labels.get(labels.CONTAINER_NAME, "") or each.attributes.metadata.name}
            | _used(each.cpu, each.memory)
            for each in stats.linux.containers
        ],
        **_used(stats.linux.cpu, stats.linux.memory),
    }
    interface = stats.linux.network.default_interface
    if interface.name:
        counters = {
            "name": interface.name,
            "rxBytes": interface.rx_bytes.value,
            "txBytes": interface.tx_bytes.value,
        }
        told["network"] = {"time": _time(stats.linux.network.timestamp), **counters, "interfaces": [counters]}
    return told


def _used(cpu: Any, memory: Any) -> dict[str, Any]:
    told: dict[str, Any] = {}
    if cpu.timestamp:
        told["cpu"] = {"time": _time(cpu.timestamp), **_values(cpu, _CPU)}
    if memory.timestamp:
        told["memory"] = {"time": _time(memory.timestamp), **_values(memory, _MEMORY)}
    return told


_CPU: Final = {"usage_nano_cores": "usageNanoCores", "usage_core_nano_seconds": "usageCoreNanoSeconds"}
_MEMORY: Final = {
    "available_bytes": "availableBytes",
    "usage_bytes": "usageBytes",
    "working_set_bytes": "workingSetBytes",
    "rss_bytes": "rssBytes",
    "page_faults": "pageFaults",
    "major_page_faults": "majorPageFaults",
}


def _values(message: Any, names: dict[str, str]) -> dict[str, int]:
    return {told: getattr(message, name).value for name, told in names.items() if message.HasField(name)}


def _time(at_ns: int) -> str:
    return datetime.fromtimestamp(at_ns / 1e9, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def running_pod(pod: Pod) -> dict[str, Any] | None:
    """Return a pod with its containers that run, as the runtime knows them; None where none does."""
    runs = {each.name for each in pod.status.containerStatuses if each.state and each.state.running}
    containers = [
        {"name": each.name, "image": each.image} for each in pod.spec.containers if each.name in runs
    ]
    if not containers:
        return None
    meta = {"name": pod.metadata.name, "namespace": pod.metadata.namespace, "uid": pod.metadata.uid}
    return {"metadata": meta, "spec": {"containers": containers}, "status": {}}
