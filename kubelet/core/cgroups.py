"""How resources become cgroup settings, and how the groups are named.

https://kubernetes.io/docs/concepts/workloads/pods/pod-qos/ and the kernel's documents on both versions of cgroups.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from machinery.model import quantity
from machinery.model.k8s.core_v1 import Container, Pod
from machinery.model.pods import (
    BEST_EFFORT,
    BURSTABLE,
    GUARANTEED,
    container_limits,
    container_requests,
    is_sidecar,
    lasting_containers,
    limits,
    limits_all,
    qos_class,
    requests,
)

PERIOD_US: Final = 100_000
MIN_QUOTA_US: Final = 1_000
MIN_SHARES: Final = 2
MAX_SHARES: Final = 262_144
MAX_QUOTA_US: Final = 2**43  # the kernel refuses more; no machine has so many processors
MAX_BYTES: Final = 2**63 - 1  # of what the CRI can say
_GUARANTEED_OOM: Final = -997
_SYSTEM_CRITICAL: Final = 2_000_000_000


@dataclass(frozen=True, slots=True)
class Limits:
    """What a cgroup is held to; 0 leaves a thing as it is made (shares) or unbounded."""

    cpu_shares: int = 0
    cpu_quota_us: int = 0  # in a period of PERIOD_US
    memory_bytes: int = 0

    def at_least(self, other: Limits) -> Limits:
        """Return what bounds no less than either of both."""

        def larger(left: int, right: int) -> int:
            return max(left, right) if left and right else 0

        return Limits(
            max(self.cpu_shares, other.cpu_shares),
            larger(self.cpu_quota_us, other.cpu_quota_us),
            larger(self.memory_bytes, other.memory_bytes),
        )


def shares(cpu_millicores: int) -> int:
    """Return cpu.shares for a request."""
    return min(MAX_SHARES, max(MIN_SHARES, cpu_millicores * 1024 // 1000))


def quota(cpu_millicores: int) -> int:
    """Return cpu.cfs_quota_us for a limit, 0 for none."""
    return min(MAX_QUOTA_US, max(MIN_QUOTA_US, cpu_millicores * PERIOD_US // 1000)) if cpu_millicores else 0


def weight(cpu_shares: int) -> int:
    """Return cgroup v2's cpu.weight for shares, the linear mapping of KEP-2254."""
    return 1 + (cpu_shares - 2) * 9999 // 262142 if cpu_shares else 0


def pod_limits(pod: Pod) -> Limits:
    """Return what the group of a whole pod is held to: bounded only where each of its containers is."""
    asked, bound = requests(pod), limits(pod)
    if qos_class(pod) == BEST_EFFORT:
        return Limits(cpu_shares=MIN_SHARES)
    return Limits(
        cpu_shares=shares(asked.cpu_millicores or (bound.cpu_millicores if limits_all(pod, "cpu") else 0)),
        cpu_quota_us=quota(bound.cpu_millicores) if limits_all(pod, "cpu") else 0,
        memory_bytes=min(MAX_BYTES, bound.memory_bytes) if limits_all(pod, "memory") else 0,
    )


def node_limits(cpu_millicores: int, memory_bytes: int) -> Limits:
    """Return what a node's group is held to: its declared capacity."""
    return Limits(shares(cpu_millicores), quota(cpu_millicores), memory_bytes)


def burstable_shares(pods: list[Pod]) -> int:
    """Return the shares of the group of burstable pods: the sum of what they ask for."""
    return shares(sum(requests(pod).cpu_millicores for pod in pods if qos_class(pod) == BURSTABLE))


def oom_score_adj(pod: Pod, container: Container, node_memory_bytes: int) -> int:
    """Return who is killed first where memory runs out: best effort, then who uses more than it asked for."""
    if _is_critical(pod) or qos_class(pod) == GUARANTEED:
        return _GUARANTEED_OOM
    if qos_class(pod) == BEST_EFFORT:
        return 1000
    spare = _spare_memory(pod)
    score = _burstable_oom(container, spare, node_memory_bytes)
    if is_sidecar(container) and any(each.name == container.name for each in pod.spec.initContainers):
        mains = (_burstable_oom(main, spare, node_memory_bytes) for main in pod.spec.containers)
        score = min([score, *mains])
    return score


def pod_group(root: str, pod: Pod) -> str:
    """Name a pod's group below a node's: guaranteed pods directly below it, others in their class's group."""
    qos = qos_class(pod)
    return "/".join(
        [root.rstrip("/"), *([] if qos == GUARANTEED else [qos.lower()]), f"pod{pod.metadata.uid}"]
    )


def qos_groups(root: str) -> tuple[str, str]:
    """Name the groups of the two lower classes."""
    base = root.rstrip("/")
    return f"{base}/{BURSTABLE.lower()}", f"{base}/{BEST_EFFORT.lower()}"


def systemd_slice(group: str) -> str:
    """Name a group's slice for systemd's driver: /kubarium/c/node-1 is kubarium-c-node_1.slice, in its parents.

    A dash separates levels in the names of slices, so a dash inside a level is written as an underscore.
    """
    levels = [level.replace("-", "_") for level in group.strip("/").split("/") if level]
    return f"{'-'.join(levels)}.slice" if levels else "-.slice"


def systemd_path(group: str) -> str:
    """Return the place of a group's slice in the tree: each slice lies in the slices that its name starts with."""
    levels = [level.replace("-", "_") for level in group.strip("/").split("/") if level]
    return "".join(f"/{'-'.join(levels[: depth + 1])}.slice" for depth in range(len(levels))) or "/"


def container_cpu_limit(pod: Pod, container: Container) -> int:
    """Return the millicores that bound a container: its own, else its pod's, else 0."""
    own = container_limits(container).cpu_millicores
    return own or (limits(pod).cpu_millicores if _has_pod_limit(pod, "cpu") else 0)


def container_memory_limit(pod: Pod, container: Container) -> int:
    """Return the bytes that bound a container: its own, else its pod's, else 0."""
    own = container_limits(container).memory_bytes
    bound = own or (limits(pod).memory_bytes if _has_pod_limit(pod, "memory") else 0)
    return min(MAX_BYTES, bound)


def container_shares(container: Container) -> int:
    """Return the shares of a container: by its request, else by its limit."""
    asked = container_requests(container).cpu_millicores or container_limits(container).cpu_millicores
    return shares(asked)


def _has_pod_limit(pod: Pod, resource: str) -> bool:
    return bool(pod.spec.resources and resource in pod.spec.resources.limits)


def _spare_memory(pod: Pod) -> int:
    """Return each container's share of the bytes that a pod asks for as a whole, and its containers do not (KEP-2837)."""
    if not pod.spec.resources or "memory" not in pod.spec.resources.requests:
        return 0
    lasting = list(lasting_containers(pod.spec))
    whole = quantity.parse(pod.spec.resources.requests["memory"])
    return max(0, int(whole) - sum(container_requests(each).memory_bytes for each in lasting)) // len(lasting)


def _burstable_oom(container: Container, spare: int, node_memory_bytes: int) -> int:
    asked = container_requests(container).memory_bytes + spare
    score = 1000 - 1000 * asked // max(1, node_memory_bytes)
    return min(999, max(1000 + _GUARANTEED_OOM, score))


def _is_critical(pod: Pod) -> bool:
    return (pod.spec.priority or 0) >= _SYSTEM_CRITICAL
