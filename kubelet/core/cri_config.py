"""A pod and its containers, as the Container Runtime Interface is told of them.

Pure: who calls has pulled the image, gathered the environment, mounted the volumes and chosen the names.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from kubelet.core import cgroups
from kubelet.core.environment import ProcessStrings
from kubelet.core.network_files import Dns
from kubelet.core.security import container_security, sandbox_security
from machinery.model import quantity
from machinery.model.k8s.core_v1 import Container, ContainerPort, Pod
from machinery.model.sysctls import dotted
from machinery.pb import cri_pb2 as cri

_PROTOCOLS: Final = {"": cri.TCP, "TCP": cri.TCP, "UDP": cri.UDP, "SCTP": cri.SCTP}
_HUGEPAGES: Final = "hugepages-"


def sandbox_config(
    pod: Pod,
    *,
    attempt: int,
    log_directory: str,
    cgroup_parent: str,
    dns: Dns,
    hostname: str,
    labels: Mapping[str, str],
    annotations: Mapping[str, str],
) -> cri.PodSandboxConfig:
    """Write the sandbox of a pod. On the node's network it has the node's host name and ports."""
    meta, on_host = pod.metadata, bool(pod.spec.hostNetwork)
    return cri.PodSandboxConfig(
        metadata=cri.PodSandboxMetadata(
            name=meta.name, uid=meta.uid, namespace=meta.namespace, attempt=attempt
        ),
        hostname="" if on_host else hostname,
        log_directory=log_directory,
        dns_config=cri.DNSConfig(servers=dns.servers, searches=dns.searches, options=dns.options),
        port_mappings=[] if on_host else _port_mappings(pod),
        labels=dict(labels),
        annotations=dict(annotations),
        linux=cri.LinuxPodSandboxConfig(
            cgroup_parent=cgroup_parent,
            security_context=sandbox_security(pod),
            sysctls=_sysctls(pod),
            overhead=_overhead(pod),
            resources=_pod_resources(pod),
        ),
    )


def container_config(
    pod: Pod,
    container: Container,
    *,
    image_ref: str,
    strings: ProcessStrings,
    mounts: Iterable[cri.Mount],
    devices: Iterable[cri.Device] = (),
    cdi_devices: Iterable[str] = (),
    attempt: int,
    labels: Mapping[str, str],
    annotations: Mapping[str, str],
    log_path: str,
    node_memory_bytes: int,
    node_cpu_millicores: int = 0,
    image: cri.Image | None = None,
    target_id: str = "",
) -> cri.ContainerConfig:
    """Write a container; its command and arguments are expanded with its environment.

    `image`: what the runtime says of it, where `needs_image_user`.
    `target_id`: the container whose processes an ephemeral one is to see.
    `node_cpu_millicores`: the capacity that the node's cgroup enforces, 0 where none does. No container is given
    more than that: the kernel refuses a cgroup v1 quota above that of the group around it.

    Raises:
        TooLargeError: command and arguments are, with the environment, more than a process can be started with.
    """
    return cri.ContainerConfig(
        metadata=cri.ContainerMetadata(name=container.name, attempt=attempt),
        image=cri.ImageSpec(image=image_ref, user_specified_image=container.image),
        command=strings.command_line("command", container.command),
        args=strings.command_line("args", container.args),
        working_dir=container.workingDir,
        envs=[cri.KeyValue(key=name, value=value) for name, value in strings.pairs()],
        mounts=list(mounts),
        devices=list(devices),
        CDI_devices=[cri.CDIDevice(name=name) for name in cdi_devices],
        labels=dict(labels),
        annotations=dict(annotations),
        log_path=log_path,
        stdin=bool(container.stdin),
        stdin_once=bool(container.stdinOnce),
        tty=bool(container.tty),
        linux=cri.LinuxContainerConfig(
            resources=container_resources(
                pod,
                container,
                node_memory_bytes=node_memory_bytes,
                node_cpu_millicores=node_cpu_millicores,
            ),
            security_context=container_security(pod, container, image, target_id),
        ),
        stop_signal=_stop_signal(container),
    )


def container_resources(
    pod: Pod, container: Container, *, node_memory_bytes: int, node_cpu_millicores: int = 0
) -> Any:
    """Write what a container is held to. Swap must not extend memory: both limits are the same."""
    limit = cgroups.container_cpu_limit(pod, container)
    quota_us = cgroups.quota(min(limit, node_cpu_millicores) if node_cpu_millicores else limit)
    memory_bytes = cgroups.container_memory_limit(pod, container)
    return cri.LinuxContainerResources(
        cpu_period=cgroups.PERIOD_US if quota_us else 0,
        cpu_quota=quota_us,
        cpu_shares=cgroups.container_shares(container),
        memory_limit_in_bytes=memory_bytes,
        memory_swap_limit_in_bytes=memory_bytes,
        oom_score_adj=cgroups.oom_score_adj(pod, container, node_memory_bytes),
        hugepage_limits=_hugepages(container),
    )


def _port_mappings(pod: Pod) -> list[cri.PortMapping]:
    containers = [*pod.spec.containers, *pod.spec.initContainers]
    ports = (port for container in containers for port in container.ports if port.hostPort)
    return [_port_mapping(port) for port in ports]


def _port_mapping(port: ContainerPort) -> cri.PortMapping:
    return cri.PortMapping(
        protocol=_PROTOCOLS[port.protocol],
        container_port=port.containerPort,
        host_port=port.hostPort or 0,
        host_ip=port.hostIP,
    )


def _sysctls(pod: Pod) -> dict[str, str]:
    context = pod.spec.securityContext
    return {dotted(item.name): item.value for item in context.sysctls} if context else {}


def _pod_resources(pod: Pod) -> Any:
    bound = cgroups.pod_limits(pod)
    return cri.LinuxContainerResources(
        cpu_period=cgroups.PERIOD_US if bound.cpu_quota_us else 0,
        cpu_quota=bound.cpu_quota_us,
        cpu_shares=bound.cpu_shares,
        memory_limit_in_bytes=bound.memory_bytes,
    )


def _overhead(pod: Pod) -> Any:
    if not pod.spec.overhead:
        return None
    cpu = quantity.cpu_millicores(pod.spec.overhead.get("cpu", "0"))
    memory_bytes = min(cgroups.MAX_BYTES, quantity.memory_bytes(pod.spec.overhead.get("memory", "0")))
    return cri.LinuxContainerResources(
        cpu_shares=cgroups.shares(cpu) if cpu else 0, memory_limit_in_bytes=memory_bytes
    )


def _hugepages(container: Container) -> list[cri.HugepageLimit]:
    declared = container.resources.limits if container.resources else {}
    return [
        cri.HugepageLimit(
            page_size=f"{name.removeprefix(_HUGEPAGES)}B",
            limit=min(cgroups.MAX_BYTES, quantity.memory_bytes(amount)),
        )
        for name, amount in sorted(declared.items())
        if name.startswith(_HUGEPAGES)
    ]


def _stop_signal(container: Container) -> Any:
    name = container.lifecycle.stopSignal if container.lifecycle else ""
    return cri.Signal.Value(name.replace("+", "PLUS").replace("-", "MINUS")) if name else cri.RUNTIME_DEFAULT
