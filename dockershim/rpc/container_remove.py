"""RemoveContainer."""

from __future__ import annotations

from typing import Any, Final

from dockershim.shim import Shim
from machinery.model.errors import Conflict, NotFound
from machinery.pb import cri_pb2 as cri
from machinery.process.clock import WALL

_LOOKS: Final = 100
_LOOK_S: Final = 0.1


async def remove_container(shim: Shim, request: Any) -> Any:
    """Remove a container, running or not; one that is gone is fine."""
    try:
        details = await shim.catalogue.container(request.container_id)
    except NotFound:
        return cri.RemoveContainerResponse()
    await remove(shim, details.id)
    return cri.RemoveContainerResponse()


async def remove(shim: Shim, container_id: str) -> None:
    """Remove a container or sandbox with all that is known of it. Idempotent."""
    await shim.logs.forget(container_id)
    for _ in range(_LOOKS):
        try:
            await shim.engine.remove(container_id)
            break
        except NotFound:
            break
        except Conflict:  # somebody else is removing it: wait until it is gone
            await WALL.sleep_wall(_LOOK_S)
    else:
        raise Conflict(f"container {container_id} is being removed by somebody else, who does not get done")
    shim.catalogue.drop(container_id)
    shim.statistics.forget(container_id)
