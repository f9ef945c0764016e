"""What an evicted pod's status and event say, in the words of Kubernetes' kubelet; each sentence ends with a blank."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from typing import Final

from kubelet.core.eviction.thresholds import RESOURCES, Observations, Signal, Threshold, least_of
from kubelet.core.eviction.usage import PodUsage
from machinery.model import quantity
from machinery.model.k8s.core_v1 import Container, Pod

EVICTED: Final = "Evicted"
_OF_DISK: Final = (Signal.NODEFS, Signal.IMAGEFS)


def empty_dir(volume: str, limit: str) -> str:
    """Say that a volume is larger than it may be."""
    return f'Usage of EmptyDir volume "{volume}" exceeds the limit "{quantity.canonical(limit)}". '


def pod_limit(limit: str) -> str:
    """Say that a pod takes more disk than its containers together may."""
    return f"Pod ephemeral local storage usage exceeds the total limit of containers {limit}. "


def container_limit(container: str, limit: str) -> str:
    """Say that a container takes more disk than it may."""
    limit = quantity.canonical(limit)
    return f'Container {container} exceeded its local ephemeral storage limit "{limit}". '


def condition(types: Iterable[str]) -> str:
    """Say why a node takes no pod now."""
    return f"The node had condition: [{' '.join(sorted(types))}]. "


def pressure(threshold: Threshold, observations: Observations, pod: Pod, usage: PodUsage | None) -> str:
    """Say what the node was short of, and which containers of the pod use more of it than they asked for."""
    signal = threshold.signal
    text = f"The node was low on resource: {RESOURCES[signal]}. "
    if (observed := observations.get(signal)) is not None:
        least, available = (
            _written(signal, each) for each in (least_of(threshold, observed), observed.available)
        )
        text += f"Threshold quantity: {least}, available: {available}. "
    if usage is None:
        return text
    for container in (*pod.spec.containers, *pod.spec.initContainers):
        used, asked = _used(signal, usage, container.name), _asked(signal, container)
        if used is not None and used > asked:
            text += (
                f"Container {container.name} was using {_written(signal, used)}, request is {_written(signal, asked)},"
                f" has larger consumption of {RESOURCES[signal]}. "
            )
    return text


def _used(signal: Signal, usage: PodUsage, container: str) -> int | None:
    if signal is Signal.MEMORY:
        return usage.container_memory.get(container)
    if signal in _OF_DISK and container in usage.disk.containers:
        return usage.disk.containers[container].total.used_bytes
    return None


def _asked(signal: Signal, container: Container) -> Fraction:
    requests = container.resources.requests if container.resources else {}
    return quantity.parse(requests.get(RESOURCES[signal], "0"))


def _written(signal: Signal, amount: Fraction | int) -> str:
    """Write bytes as a quantity, numbers as they are."""
    is_bytes = signal is Signal.MEMORY or signal in _OF_DISK
    return quantity.format_amount(Fraction(amount), quantity.Family.BINARY) if is_bytes else str(amount)
