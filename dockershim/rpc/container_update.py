"""UpdateContainerResources."""

from __future__ import annotations

from typing import Any

from dockershim.core.host_config import resources
from dockershim.shim import Shim
from machinery.pb import cri_pb2 as cri


async def update_container_resources(shim: Shim, request: Any) -> Any:
    """Change what a container is held to; what is not given stays. ContainerStatus reads it from the engine.

    Raises:
        NotFound: there is no such container.
        NotImplementedHere: unified cgroup settings, which the engine does not have.
        InternalError: the kernel refuses the limits (memory below what is in use).
    """
    details = await shim.catalogue.container(request.container_id)
    limits = resources(request.linux, await shim.host.get())
    limits.pop("OomScoreAdj", None)  # it is a process's own, and set when that starts
    if limits:
        try:
            await shim.engine.update(details.id, limits)
        finally:
            shim.catalogue.forget(details.id)
    return cri.UpdateContainerResourcesResponse()
