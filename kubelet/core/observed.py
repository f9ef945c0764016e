"""A pod as the runtime shows it: sandboxes and containers, newest first.

Made by the shell (kubelet/relist.py) from CRI messages, read by everything that decides. Times are cluster
seconds, 0 for what has not happened.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final

from kubelet.core import labels
from machinery.model.clock import Timescale
from machinery.model.k8s.core_v1 import Container, ContainerPort, Lifecycle, LifecycleHandler, Pod, PodSpec
from machinery.model.k8s.meta_v1 import ObjectMeta
from machinery.pb import cri_pb2 as cri


class ContainerState(Enum):
    """Where a container stands; the numbers are CRI's."""

    CREATED = 0
    RUNNING = 1
    EXITED = 2
    UNKNOWN = 3


@dataclass(frozen=True, slots=True)
class ObservedSandbox:
    """One sandbox of a pod."""

    id: str
    attempt: int = 0
    is_ready: bool = True
    created_s: float = 0.0
    ips: tuple[str, ...] = ()  # the first is the pod's; the node's where the pod is on its network
    on_host_network: bool = False


@dataclass(frozen=True, slots=True)
class ObservedContainer:
    """One container of a pod, running or not."""

    id: str
    name: str
    attempt: int = 0
    state: ContainerState = ContainerState.RUNNING
    sandbox_id: str = ""
    restart_count: int = 0
    created_s: float = 0.0
    started_s: float = 0.0
    finished_s: float = 0.0
    exit_code: int = 0
    reason: str = ""
    message: str = ""
    image: str = ""
    image_id: str = ""
    hash: str = ""
    log_path: str = ""
    grace_s: int | None = None
    pre_stop: LifecycleHandler | None = None
    ports: tuple[ContainerPort, ...] = ()

    @property
    def is_running(self) -> bool:
        """Whether it runs, or may: UNKNOWN counts, since nobody can tell."""
        return self.state in {ContainerState.RUNNING, ContainerState.UNKNOWN}


@dataclass(frozen=True, slots=True)
class ObservedPod:
    """All that the runtime has of one pod."""

    uid: str
    namespace: str = ""
    name: str = ""
    sandboxes: tuple[ObservedSandbox, ...] = ()  # newest first
    containers: tuple[ObservedContainer, ...] = ()  # newest first
    _by_name: dict[str, list[ObservedContainer]] = field(
        init=False, repr=False, compare=False, default_factory=dict
    )

    def __post_init__(self) -> None:
        for container in self.containers:
            self._by_name.setdefault(container.name, []).append(container)

    @property
    def sandbox(self) -> ObservedSandbox | None:
        """The newest sandbox."""
        return self.sandboxes[0] if self.sandboxes else None

    @property
    def is_empty(self) -> bool:
        """Whether the runtime has nothing of the pod."""
        return not self.sandboxes and not self.containers

    def named(self, name: str) -> Iterator[ObservedContainer]:
        """Return the containers of a name, newest first."""
        return iter(self._by_name.get(name, ()))

    def newest(self, name: str) -> ObservedContainer | None:
        """Return the newest container of a name."""
        return next(self.named(name), None)

    def running(self) -> list[ObservedContainer]:
        """Return the containers that run."""
        return [container for container in self.containers if container.is_running]


NOTHING: Final = ObservedPod("")


def observe_pod(
    uid: str,
    namespace: str,
    name: str,
    sandboxes: Iterable[ObservedSandbox],
    containers: Iterable[ObservedContainer],
) -> ObservedPod:
    """Combine a pod's sandboxes and containers, newest first."""
    return ObservedPod(
        uid,
        namespace,
        name,
        tuple(sorted(sandboxes, key=lambda each: (each.attempt, each.created_s), reverse=True)),
        tuple(sorted(containers, key=lambda each: (each.attempt, each.created_s), reverse=True)),
    )


def read_sandbox(status: Any, timescale: Timescale, host_ips: tuple[str, ...]) -> ObservedSandbox:
    """Read a CRI PodSandboxStatus. A runtime gives no address to a sandbox on the node's network: `host_ips` are."""
    on_host_network = status.linux.namespaces.options.network == cri.NODE
    ips = (status.network.ip, *(item.ip for item in status.network.additional_ips))
    return ObservedSandbox(
        id=status.id,
        attempt=status.metadata.attempt,
        is_ready=status.state == cri.SANDBOX_READY,
        created_s=_cluster_s(status.created_at, timescale),
        ips=host_ips if on_host_network else tuple(ip for ip in ips if ip),
        on_host_network=on_host_network,
    )


def read_container(
    status: Any, sandbox_id: str, timescale: Timescale, *, message: str = ""
) -> ObservedContainer:
    """Read a CRI ContainerStatus; `message` is what the container left as its termination message."""
    annotations = status.annotations
    return ObservedContainer(
        id=status.id,
        name=status.labels.get(labels.CONTAINER_NAME, "") or status.metadata.name,
        attempt=status.metadata.attempt,
        state=ContainerState(status.state),
        sandbox_id=sandbox_id,
        restart_count=labels.read_restart_count(annotations, status.metadata.attempt),
        created_s=_cluster_s(status.created_at, timescale),
        started_s=_cluster_s(status.started_at, timescale),
        finished_s=_cluster_s(status.finished_at, timescale),
        exit_code=status.exit_code,
        reason=status.reason,
        message=message or status.message,
        image=status.image.user_specified_image or status.image.image,
        image_id=status.image_ref or status.image_id,
        hash=annotations.get(labels.HASH, ""),
        log_path=status.log_path,
        grace_s=labels.read_grace_s(annotations),
        pre_stop=labels.read_pre_stop(annotations),
        ports=tuple(labels.read_ports(annotations)),
    )


def pod_of(observed: ObservedPod) -> Pod:
    """Reconstruct a pod that has left the API from what its containers remember of it: enough to stop it well."""
    newest = {container.name: container for container in reversed(observed.containers)}
    graces = [container.grace_s for container in newest.values() if container.grace_s is not None]
    return Pod(
        metadata=ObjectMeta(name=observed.name, namespace=observed.namespace, uid=observed.uid),
        spec=PodSpec(
            containers=[_container_of(container) for container in newest.values()],
            terminationGracePeriodSeconds=max(graces, default=None),
        ),
    )


def _container_of(observed: ObservedContainer) -> Container:
    lifecycle = Lifecycle(preStop=observed.pre_stop) if observed.pre_stop else None
    return Container(
        name=observed.name, image=observed.image, lifecycle=lifecycle, ports=list(observed.ports)
    )


def _cluster_s(wall_ns: int, timescale: Timescale) -> float:
    return timescale.cluster(wall_ns / 1e9) if wall_ns > 0 else 0.0
