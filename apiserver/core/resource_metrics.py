"""NodeMetrics and PodMetrics, from what the kubelets say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from apiserver.core.kind import ComputedKind
from apiserver.core.values import Json
from machinery.model.clock import Timescale
from machinery.model.go_numbers import format_duration
from machinery.model.quantity import Family, format_amount
from machinery.model.resource_metrics import DEFINITIONS, NODE_METRICS, POD_METRICS

KINDS: Final = (
    ComputedKind.of(NODE_METRICS, DEFINITIONS["NodeMetrics"]),
    ComputedKind.of(POD_METRICS, DEFINITIONS["PodMetrics"]),
)


@dataclass(frozen=True, slots=True)
class Usage:
    """What was used in a window; wall nanoseconds, and bytes."""

    end_ns: int
    length_ns: int
    cpu_nano_cores: int
    memory_bytes: int


def node_metrics(name: str, labels: Mapping[str, str], usage: Usage, now: str, timescale: Timescale) -> Json:
    """Return the metrics of a node. `now` is metav1.Time."""
    return {
        "kind": NODE_METRICS.kind,
        "apiVersion": NODE_METRICS.api_version,
        "metadata": _meta({"name": name}, labels, now),
        **_window([usage], timescale),
        "usage": _amounts(usage),
    }


def pod_metrics(
    place: tuple[str, str],
    labels: Mapping[str, str],
    containers: Iterable[tuple[str, Usage]],
    now: str,
    timescale: Timescale,
) -> Json:
    """Return the metrics of a pod, by its namespace and name; it has containers."""
    known = sorted(containers, key=lambda each: each[0])
    return {
        "kind": POD_METRICS.kind,
        "apiVersion": POD_METRICS.api_version,
        "metadata": _meta({"name": place[1], "namespace": place[0]}, labels, now),
        **_window([usage for _, usage in known], timescale),
        "containers": [{"name": name, "usage": _amounts(usage)} for name, usage in known],
    }


def _meta(named: Json, labels: Mapping[str, str], now: str) -> Json:
    found = {**named, "creationTimestamp": now}
    return {**found, "labels": dict(labels)} if labels else found


def _window(usages: list[Usage], timescale: Timescale) -> Json:
    """Return when it was: of several the earliest, as metrics-server has it."""
    first = min(usages, key=lambda each: each.end_ns)
    return {
        "timestamp": timescale.format(timescale.cluster(first.end_ns / 1e9)),
        "window": format_duration(timescale.cluster(first.length_ns / 1e9)),
    }


def _amounts(usage: Usage) -> Json:
    return {
        "cpu": format_amount(Fraction(usage.cpu_nano_cores, 10**9)),
        "memory": format_amount(Fraction(usage.memory_bytes), Family.BINARY),
    }
