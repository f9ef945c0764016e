"""In which order pods are evicted: those that use more than they asked for, then by priority, then by how much more.

https://kubernetes.io/docs/concepts/scheduling-eviction/node-pressure-eviction/#pod-selection-for-kubelet-eviction
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, TypeAlias

from kubelet.core.eviction.thresholds import Signal
from kubelet.core.eviction.usage import PodUsage
from machinery.model.k8s.core_v1 import Pod
from machinery.model.pods import requests

CRITICAL: Final = 2_000_000_000  # the priority of system-cluster-critical

_Key: TypeAlias = tuple[bool, bool, int, int]


def is_critical(pod: Pod) -> bool:
    """Whether a pod is never evicted: what the cluster itself needs."""
    return (pod.spec.priority or 0) >= CRITICAL


def rank(signal: Signal, pods: Iterable[Pod], usages: Mapping[str, PodUsage]) -> list[Pod]:
    """Return the pods that may be evicted, those first that are to go first. `usages`: by uid.

    Of a pod whose usage is not known nobody can say that it is modest: it goes before the others. Requests protect memory and
    disk space; of inodes and processes nobody can ask for any.
    """
    return sorted(
        (pod for pod in pods if not is_critical(pod)),
        key=lambda pod: _key(signal, pod, usages.get(pod.metadata.uid)),
    )


def _key(signal: Signal, pod: Pod, usage: PodUsage | None) -> _Key:
    priority = pod.spec.priority or 0
    if usage is None:
        return (False, False, priority, 0)
    used, asked = _used(signal, usage), _asked(signal, pod)
    is_modest = signal is not Signal.PIDS and used <= asked
    return (True, is_modest, priority, asked - used)


def _used(signal: Signal, usage: PodUsage) -> int:
    match signal:
        case Signal.MEMORY:
            return usage.memory_bytes
        case Signal.NODEFS | Signal.IMAGEFS:
            return usage.disk.total.used_bytes
        case Signal.NODEFS_INODES | Signal.IMAGEFS_INODES:
            return usage.disk.total.inodes
        case Signal.PIDS:
            return usage.processes


def _asked(signal: Signal, pod: Pod) -> int:
    match signal:
        case Signal.MEMORY:
            return requests(pod).memory_bytes
        case Signal.NODEFS | Signal.IMAGEFS:
            return requests(pod).ephemeral_bytes
        case _:
            return 0
