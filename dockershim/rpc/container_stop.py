"""StopContainer: the stop signal, the timeout, SIGKILL.

The stop signal is sent once in a container's life, as containerd has it: a kubelet or dockershim that comes back in the
middle of a stop goes on waiting. A call with a shorter timeout is not held up by an earlier one. `timeout` is in wall
seconds, as every CRI server has it; the kubelet keeps the cluster's time itself.
"""

from __future__ import annotations

from typing import Any, Final

from dockershim.core.states import Details
from dockershim.shim import Shim
from machinery.model.errors import Conflict, DeadlineExceeded, NotFound
from machinery.pb import cri_pb2 as cri

KILLED_S: Final = 30.0  # wall seconds that the kernel gets to take a killed process down
_ASKED, _SENT = (
    "stop_asked_ns",
    "stop_sent",
)  # in a container's note: since when a signal may be out, whether it is


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
        if request.timeout > 0 and await _stops_by(shim, details, request.timeout):
            return cri.StopContainerResponse()
        await kill(shim, details.id)
    return cri.StopContainerResponse()


async def kill(shim: Shim, container_id: str) -> None:
    """Kill a container or sandbox and wait for its end. Idempotent.

    Raises:
        DeadlineExceeded: its processes do not die.
    """
    try:
        async with shim.clock.timeout_wall(KILLED_S):
            await shim.engine.kill(container_id, "SIGKILL")
            await shim.engine.wait(container_id)
    except TimeoutError as error:
        raise DeadlineExceeded(
            f"container {container_id} was sent SIGKILL and still has not ended"
        ) from error
    except (Conflict, NotFound):  # it does not run any more
        return
    finally:
        shim.catalogue.forget(container_id)


async def _stops_by(shim: Shim, details: Details, timeout_s: float) -> bool:
    """Send the stop signal, unless that was done; return whether the container ended in time."""
    try:
        async with shim.clock.timeout_wall(timeout_s):
            async with shim.locks.held(f"stop {details.id}"):
                await _signal_once(shim, details)
            await shim.engine.wait(details.id)
    except TimeoutError:
        return False
    except (Conflict, NotFound):  # it does not run any more
        return True
    finally:
        shim.catalogue.forget(details.id)
    return True


async def _signal_once(shim: Shim, details: Details) -> None:
    """Send the stop signal once. Killed between the note and the signal, the next one asks the engine which it was."""
    note = shim.notes.get(details.id)
    if note.get(_SENT):
        return
    if _ASKED not in note or not await shim.engine.was_signalled(details.id, int(note[_ASKED])):
        shim.notes.put(details.id, {**note, _ASKED: shim.clock.wall_ns()})
        await shim.engine.kill(details.id, details.stop_signal)
    shim.notes.put(details.id, {**shim.notes.get(details.id), _SENT: True})
