"""RemoveContainer."""

from __future__ import annotations

from typing import Any, Final

from dockershim.shim import Shim
from machinery.model.backoff import Backoff
from machinery.model.errors import Conflict, NotFound
from machinery.model.insist import insist
from machinery.pb import cri_pb2 as cri

_LOOKS: Final = 100
_LOOK: Final = Backoff(initial_s=0.1, cap_s=0.1)  # wall seconds


async def remove_container(shim: Shim, request: Any) -> Any:
    """Remove a container, running or not; one that is gone is fine.

    Raises:
        Conflict: somebody else removes it, and does not get done.
    """
    try:
        details = await shim.catalogue.container(request.container_id)
    except NotFound:
        return cri.RemoveContainerResponse()
    await remove(shim, details.id)
    return cri.RemoveContainerResponse()


async def remove(shim: Shim, container_id: str) -> None:
    """Remove a container or sandbox with all that is known of it. Idempotent.

    Raises:
        Conflict: somebody else removes it, and does not get done.
    """
    await shim.logs.forget(container_id)
    try:  # a Conflict: somebody else is removing it
        await insist(
            lambda: shim.engine.remove(container_id), shim.clock, _LOOK, on=Conflict, attempts=_LOOKS
        )
    except NotFound:
        pass
    except Conflict as error:
        text = f"container {container_id} is being removed by somebody else, who does not get done"
        raise Conflict(text) from error
    shim.catalogue.drop(container_id)
    shim.statistics.forget(container_id)
    shim.layers.forget(container_id)
    await shim.image_volumes.sweep()
