"""Records as CRI messages."""

from __future__ import annotations

import hashlib
from typing import Any

from hollow.core.lifetime import START_FAILED, State
from hollow.records import Container, Sandbox
from machinery.model.clock import Timescale
from machinery.pb import cri_pb2 as cri

_STATES = {
    State.CREATED: cri.CONTAINER_CREATED,
    State.RUNNING: cri.CONTAINER_RUNNING,
    State.EXITED: cri.CONTAINER_EXITED,
}


def wall_ns(timescale: Timescale, at_s: float) -> int:
    """Return wall nanoseconds since the epoch, as CRI writes times."""
    return int(timescale.wall(at_s) * 1e9)


def sandbox_state(sandbox: Sandbox) -> Any:
    """Return the state of a sandbox."""
    return cri.SANDBOX_READY if sandbox.is_ready else cri.SANDBOX_NOTREADY


def container_state(container: Container, now_s: float) -> Any:
    """Return the state of a container."""
    return _STATES[container.state(now_s)]


def view_sandbox(sandbox: Sandbox, timescale: Timescale) -> Any:
    """Write a sandbox as a list has it."""
    config = sandbox.config
    return cri.PodSandbox(
        id=sandbox.id,
        metadata=config.metadata,
        state=sandbox_state(sandbox),
        created_at=wall_ns(timescale, sandbox.record.created_s),
        labels=config.labels,
        annotations=config.annotations,
        runtime_handler=sandbox.record.runtime_handler,
    )


def _network(sandbox: Sandbox) -> Any:
    if not sandbox.is_ready:
        return cri.PodSandboxNetworkStatus()
    record = sandbox.record
    return cri.PodSandboxNetworkStatus(
        ip=record.ip, additional_ips=[cri.PodIP(ip=each) for each in record.more_ips]
    )


def view_sandbox_status(sandbox: Sandbox, timescale: Timescale) -> Any:
    """Write a sandbox's status."""
    config = sandbox.config
    options = config.linux.security_context.namespace_options
    return cri.PodSandboxStatus(
        id=sandbox.id,
        metadata=config.metadata,
        state=sandbox_state(sandbox),
        created_at=wall_ns(timescale, sandbox.record.created_s),
        network=_network(sandbox),
        linux=cri.LinuxPodSandboxStatus(namespaces=cri.Namespace(options=options)),
        labels=config.labels,
        annotations=config.annotations,
        runtime_handler=sandbox.record.runtime_handler,
    )


def view_container(container: Container, timescale: Timescale, now_s: float) -> Any:
    """Write a container as a list has it."""
    config = container.config
    return cri.Container(
        id=container.id,
        pod_sandbox_id=container.record.sandbox_id,
        metadata=config.metadata,
        image=config.image,
        image_ref=image_id(with_tag(config.image.image)),
        image_id=image_id(with_tag(config.image.image)),
        state=_STATES[container.state(now_s)],
        created_at=wall_ns(timescale, container.record.created_s),
        labels=config.labels,
        annotations=config.annotations,
    )


def view_container_status(
    container: Container, log_directory: str, timescale: Timescale, now_s: float
) -> Any:
    """Write a container's status."""
    config, record = container.config, container.record
    status = cri.ContainerStatus(
        id=container.id,
        metadata=config.metadata,
        state=_STATES[container.state(now_s)],
        created_at=wall_ns(timescale, record.created_s),
        started_at=wall_ns(timescale, record.started_s or 0),
        image=config.image,
        image_ref=image_id(with_tag(config.image.image)),
        image_id=image_id(with_tag(config.image.image)),
        labels=config.labels,
        annotations=config.annotations,
        mounts=config.mounts,
        log_path=log_path(log_directory, config.log_path),
        resources=cri.ContainerResources(linux=config.linux.resources),
    )
    end = container.end
    if end and end.at_s <= now_s:
        status.finished_at = wall_ns(timescale, end.at_s)
        status.exit_code, status.reason, status.message = end.exit_code, end.reason, end.message
        if end.exit_code == START_FAILED and end.reason == "StartError":
            status.started_at = 0  # it never ran
    return status


def view_attributes(container: Container) -> Any:
    """Write who a container is, for its statistics."""
    config = container.config
    return cri.ContainerAttributes(
        id=container.id, metadata=config.metadata, labels=config.labels, annotations=config.annotations
    )


def log_path(directory: str, path: str) -> str:
    """Return the whole path of a container's log; empty if it has none."""
    return f"{directory.rstrip('/')}/{path}" if directory and path else ""


def image_id(name: str) -> str:
    """Return the id of the image that a name (with its tag) stands for here; an id stays as it is."""
    if name.startswith("sha256:"):
        return name
    return f"sha256:{hashlib.sha256(name.encode()).hexdigest()}"


def with_tag(name: str) -> str:
    """Write the tag that a name means; a name with a digest, an id and "" stay as they are."""
    if not name or "@" in name or ":" in name.rpartition("/")[2]:
        return name
    return f"{name}:latest"
