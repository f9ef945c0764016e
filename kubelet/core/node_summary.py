"""What the pods of a node use, as /stats/summary and /metrics/resource of a kubelet say it.

https://kubernetes.io/docs/reference/instrumentation/node-metrics/
Of CRI's PodSandboxStats; of the node itself only its name and start are told, and of filesystems nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, Final

from kubelet.core import labels

_CONTAINER_CPU: Final = "container_cpu_usage_seconds_total"
_CONTAINER_MEMORY: Final = "container_memory_working_set_bytes"
_POD_CPU: Final = "pod_cpu_usage_seconds_total"
_POD_MEMORY: Final = "pod_memory_working_set_bytes"
_HEADS: Final = {
    _CONTAINER_CPU: ("counter", "Cumulative cpu time consumed by the container in core-seconds"),
    _CONTAINER_MEMORY: ("gauge", "Current working set of the container in bytes"),
    _POD_CPU: ("counter", "Cumulative cpu time consumed by the pod in core-seconds"),
    _POD_MEMORY: ("gauge", "Current working set of the pod in bytes"),
}


def summary(node_name: str, started: str, stats: Iterable[Any]) -> dict[str, Any]:
    """Return the Summary (stats/v1alpha1) of some pods' statistics."""
    return {"node": {"nodeName": node_name, "startTime": started}, "pods": [_pod(each) for each in stats]}


def resource_metrics(stats: Iterable[Any]) -> str:
    """Return the statistics as Prometheus reads them."""
    series: dict[str, list[str]] = {name: [] for name in _HEADS}
    for pod in stats:
        where = _where(pod)
        for each in pod.linux.containers:
            named = f'container="{each.attributes.metadata.name}",{where}'
            _add(series[_CONTAINER_CPU], _CONTAINER_CPU, named, _core_seconds(each.cpu), each.cpu.timestamp)
            _add(series[_CONTAINER_MEMORY], _CONTAINER_MEMORY, named, *_working_set(each.memory))
        _add(series[_POD_CPU], _POD_CPU, where, _core_seconds(pod.linux.cpu), pod.linux.cpu.timestamp)
        _add(series[_POD_MEMORY], _POD_MEMORY, where, *_working_set(pod.linux.memory))
    return "".join(_lines(series))


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
