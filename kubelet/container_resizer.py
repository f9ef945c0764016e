"""Holds a running container to other resources: the pod's cgroup, and the container's by the runtime.

A group may not be given less than one in it has, nor one in it more: so the pod's grows before, and shrinks after.
"""

from __future__ import annotations

from dataclasses import dataclass

from kubelet.cgroups import Cgroups
from kubelet.core.actions import ResizeContainer
from kubelet.core.containers import find
from kubelet.core.cri_config import container_resources
from kubelet.core.instructions import Problem
from kubelet.core.node_status import Machine
from kubelet.runtime import Runtime
from machinery.model.errors import ApiError
from machinery.model.k8s.core_v1 import Pod
from machinery.model.log import EventLog


@dataclass(frozen=True, slots=True)
class ContainerResizer:
    """Resizes the containers of the node's pods."""

    runtime: Runtime
    cgroups: Cgroups
    machine: Machine
    log: EventLog
    enforces_cpu: bool = False  # whether the node's cpu is bounded by a cgroup

    async def resize(self, pod: Pod, action: ResizeContainer) -> Problem | None:
        """Resize a container to what the pod says; return what went wrong, None where nothing did."""
        container = find(pod, action.name)
        if container is None:
            return Problem("ResizeError", f"the pod has no container {action.name!r}")
        resources = container_resources(
            pod,
            container,
            node_memory_bytes=self.machine.memory_bytes,
            node_cpu_millicores=self.machine.cpu_millicores if self.enforces_cpu else 0,
        )
        await self.cgroups.grow_pod(pod)
        try:
            await self.runtime.update_container_resources(action.id, resources)
        except ApiError as error:
            self.log.warning("container_not_resized", container=action.id, error=error)
            return Problem("ResizeError", error.message)
        await self.settle(pod)
        return None

    async def settle(self, pod: Pod) -> None:
        """Bring a pod's group to what its containers have; of one that has resources as a whole it follows the last of them."""
        if pod.spec.resources is None:
            await self.cgroups.ensure_pod(pod)
