"""StopContainer: the stop signal, the timeout, SIGKILL.

A second call with a shorter timeout is not held up by the first one. `timeout` is in wall seconds, as every CRI
server has it; the kubelet keeps the cluster's time itself.
"""

from __future__ import annotations

from typing import Any, Final

from dockershim.shim import Shim
from machinery.model.errors import Conflict, DeadlineExceeded, NotFound
from machinery.pb import cri_pb2 as cri

KILLED_S: Final = 30.0  # wall seconds that the kernel gets to take a killed process down


async def stop_container(shim: Shim, request: Any) -> Any:
    """Stop a container and answer when it has ended; one that does not run or is gone is fine.

    Raises:
        DeadlineExceeded: its processes do not die.
    """
    try:
        details = await shim.catalogue.container(request.container_id)
    except NotFound:
        return cri.StopContainerResponse()
    if details.is_running:
        if request.timeout > 0 and await _ends_by(shim, details.id, details.stop_signal, request.timeout):
            return cri.StopContainerResponse()
        await kill(shim, details.id)
    return cri.StopContainerResponse()


async def kill(shim: Shim, container_id: str) -> None:
    """Kill a container or sandbox and wait for its end. Idempotent.

    Raises:
        DeadlineExceeded: its processes do not die.
    """
    if not await _ends_by(shim, container_id, "SIGKILL", KILLED_S):
        raise DeadlineExceeded(f"container {container_id} was sent SIGKILL and still has not ended")


async def _ends_by(shim: Shim, container_id: str, signal: str, timeout_s: float) -> bool:
    """Send a signal; return whether the container ended in time."""
    try:
        async with shim.clock.timeout_wall(timeout_s):
            await shim.engine.kill(container_id, signal)
            await shim.engine.wait(container_id)
    except TimeoutError:
        return False
    except (Conflict, NotFound):  # it does not run any more
        return True
    finally:
        shim.catalogue.forget(container_id)
    return True
