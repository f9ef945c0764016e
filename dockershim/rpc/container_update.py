"""UpdateContainerResources."""

from __future__ import annotations

from typing import Any

from dockershim.core.host_config import resources, unified_settings
from dockershim.shim import Shim
from dockershim.unified import write_unified
from machinery.model.errors import InternalError
from machinery.pb import cri_pb2 as cri


async def update_container_resources(shim: Shim, request: Any) -> Any:
    """Change what a container is held to; what is not given stays. ContainerStatus reads it from the engine.

    Raises:
        NotFound: there is no such container.
        NotImplementedHere: unified settings on a machine with cgroup v1.
        InternalError: the kernel refuses the limits (memory below what is in use).
    """
    details = await shim.catalogue.container(request.container_id)
    host = await shim.host.get()
    limits, settings = resources(request.linux, host), unified_settings(request.linux, host)
    limits.pop("OomScoreAdj", None)  # it is a process's own, and set when that starts
    if limits:
        try:
            await shim.engine.update(details.id, limits)
        finally:
            shim.catalogue.forget(details.id)
    if settings and details.pid:
        try:
            write_unified(details.pid, settings)
        except OSError as error:
            raise InternalError(f"failed to update container {details.id}: {error}") from error
    return cri.UpdateContainerResourcesResponse()
