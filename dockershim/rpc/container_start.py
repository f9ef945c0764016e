"""StartContainer. A container is started once in its life.

One that cannot be started has ended: the caller gets the error, and ContainerStatus says StartError, 128.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dockershim.core.host_config import unified_settings
from dockershim.rpc.container_stop import kill
from dockershim.shim import Shim
from dockershim.unified import write_unified
from machinery.model.errors import ApiError, BadRequest, Conflict, InternalError, NotFound, Unavailable
from machinery.pb import cri_pb2 as cri


async def start_container(shim: Shim, request: Any) -> Any:
    """Start a container; one that runs already is left alone.

    Raises:
        NotFound: there is no such container.
        Conflict: it has exited.
        BadRequest: its configuration does not work.
        InternalError: the engine could not start it, or the kernel refuses a unified setting.
    """
    details = await shim.catalogue.container(request.container_id)
    if details.is_running:
        return cri.StartContainerResponse()
    if details.state != cri.CONTAINER_CREATED:
        raise Conflict(f"container {details.id} has exited and cannot be started again")
    try:
        await shim.engine.start(details.id)
    except (Unavailable, NotFound):
        raise
    except ApiError as error:
        shim.notes.put(details.id, {**shim.notes.get(details.id), "failed_ns": shim.clock.wall_ns()})
        kind = BadRequest if isinstance(error, BadRequest) else InternalError
        raise kind(f"failed to start container {details.id}: {error.message}") from error
    finally:
        shim.catalogue.forget(details.id)
    shim.logs.follow(details.id)
    if settings := unified_settings(details.container_config().linux.resources, await shim.host.get()):
        await _hold(shim, details.id, settings)
    return cri.StartContainerResponse()


async def _hold(shim: Shim, container_id: str, settings: Mapping[str, str]) -> None:
    """Set what the engine cannot; a container that cannot be held to it does not run."""
    pid = (await shim.catalogue.fresh(container_id)).pid
    try:
        if pid:
            write_unified(pid, settings)
    except OSError as error:
        await kill(shim, container_id)
        raise InternalError(f"failed to start container {container_id}: {error}") from error
