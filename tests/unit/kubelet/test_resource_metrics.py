"""What Prometheus reads of a node: /metrics/resource."""

from __future__ import annotations

from typing import Any

from kubelet.core.node_summary import NodeUsage, resource_metrics
from machinery.model.k8s.core_v1 import ContainerState, ContainerStateRunning, ContainerStatus, Pod
from tests.support.builders import changed, pod


def _status(name: str, started: str | None) -> ContainerStatus:
    running = None if started is None else ContainerState(running=ContainerStateRunning(startedAt=started))
    return ContainerStatus(name=name, image="i", imageID="", ready=True, restartCount=0, state=running)


def test_since_when_containers_run():
    """Those that begin a pod and stay, too; of what does not run nothing is said."""
    statuses = [_status("main", "2026-01-01T00:00:05Z"), _status("ended", None)]
    sidecar = [_status("mesh", "2026-01-01T00:00:00Z")]
    web: Pod = changed(
        pod("web", "shop"), status__containerStatuses=statuses, status__initContainerStatuses=sidecar
    )
    unknown: Any = None
    usage = NodeUsage(**dict.fromkeys(NodeUsage.__dataclass_fields__, unknown) | {"at_ns": 0})
    text = resource_metrics([], usage, [web])
    lines = [line for line in text.splitlines() if line.startswith("container_start_time_seconds")]
    assert lines == [
        'container_start_time_seconds{container="mesh",namespace="shop",pod="web"} 1767225600',
        'container_start_time_seconds{container="main",namespace="shop",pod="web"} 1767225605',
    ]
    assert "# TYPE container_start_time_seconds gauge\n" in text
