"""Builders of CRI configurations and of what the engine answers."""

from __future__ import annotations

from typing import Any

from dockershim.core.naming import Scope, container_labels, sandbox_labels
from dockershim.core.states import Details
from machinery.pb import cri_pb2 as cri

SCOPE = Scope("blue", "node-1")


def pod_metadata(attempt: int = 0) -> Any:
    """Build a pod's metadata."""
    return cri.PodSandboxMetadata(name="web", namespace="default", uid="u1", attempt=attempt)


def sandbox_config(**fields: Any) -> Any:
    """Build a sandbox's configuration."""
    return cri.PodSandboxConfig(**{"metadata": pod_metadata(), "log_directory": "/logs/web", **fields})


def container_config(**fields: Any) -> Any:
    """Build a container's configuration."""
    base = {
        "metadata": cri.ContainerMetadata(name="main"),
        "image": cri.ImageSpec(image="busybox:1.36"),
        "log_path": "main/0.log",
    }
    return cri.ContainerConfig(**{**base, **fields})


def secured(**fields: Any) -> Any:
    """Build a container's configuration with a security context."""
    context = cri.LinuxContainerSecurityContext(**fields)
    return container_config(linux=cri.LinuxContainerConfig(security_context=context))


def inspected(*, status: str = "running", config: Any = None, sandbox: bool = False, **state: Any) -> Details:
    """Build what the engine's inspect says."""
    labels = (
        sandbox_labels(SCOPE, config or sandbox_config(), "")
        if sandbox
        else container_labels(SCOPE, config or container_config(), "s" * 64)
    )
    raw = {
        "Id": "c" * 64,
        "Name": "/k8s_main",
        "Created": "2026-05-01T12:00:00.5Z",
        "Image": "sha256:1",
        "Config": {"Labels": labels},
        "HostConfig": {"CpuShares": 128, "Memory": 1024},
        "State": {
            "Status": status,
            "StartedAt": "2026-05-01T12:00:01Z",
            "FinishedAt": "0001-01-01T00:00:00Z",
            **state,
        },
    }
    return Details(raw)
