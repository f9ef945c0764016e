"""ExecSync, Exec, Attach, PortForward.

`caller`: the component of ours that asks, "" for any other client.
"""

from __future__ import annotations

from typing import Any

from dockershim import sandbox_dial
from dockershim.core.states import Details
from dockershim.port_forward import Connection
from dockershim.shim import Shim
from machinery.model.errors import BadRequest, Conflict
from machinery.pb import cri_pb2 as cri


async def exec_sync(shim: Shim, request: Any) -> Any:
    """Run a command and return its output and exit code; `timeout` is in wall seconds, 0 is none.

    Raises:
        NotFound: there is no such container.
        BadRequest: there is no command.
        Conflict: the container does not run.
        DeadlineExceeded: the command ran too long, and was killed.
        InternalError: it could not be started.
    """
    details = await _running(shim, request.container_id)
    stdout, stderr, code = await shim.commands.run(details.id, request.cmd, float(request.timeout))
    return cri.ExecSyncResponse(stdout=bytes(stdout), stderr=bytes(stderr), exit_code=code)


async def exec_(shim: Shim, request: Any, caller: str) -> Any:
    """Return a URL behind which a command runs with its streams.

    Raises:
        NotFound: there is no such container.
        BadRequest: there is no command or no stream, or a stderr beside a terminal.
        Conflict: the container does not run.
        Unavailable: too many URLs wait for their client, or there is no port to serve on.
    """
    _check_streams(request)
    details = await _running(shim, request.container_id)
    address = await shim.streaming.address(is_ours=bool(caller))
    return cri.ExecResponse(url=f"{address}{shim.streaming.exec_path(details.id, request)}")


async def attach(shim: Shim, request: Any, caller: str) -> Any:
    """Return a URL behind which the streams of a container's own process are.

    Raises:
        NotFound: there is no such container.
        BadRequest: the streams that are asked for do not fit the container.
        Conflict: it does not run.
        Unavailable: too many URLs wait for their client.
    """
    _check_streams(request)
    details = await _running(shim, request.container_id)
    if request.tty != details.has_tty:
        raise BadRequest(
            f"container {details.id} was made {'with' if details.has_tty else 'without'} a terminal"
        )
    address = await shim.streaming.address(is_ours=bool(caller))
    return cri.AttachResponse(url=f"{address}{shim.streaming.attach_path(details.id, request)}")


async def port_forward(shim: Shim, request: Any, caller: str) -> Any:
    """Return a URL behind which ports of a sandbox can be connected to.

    Raises:
        NotFound: there is no such sandbox.
        Conflict: it does not run.
        Unavailable: too many URLs wait for their client, or there is no port to serve on.
    """
    sandbox = await _running_sandbox(shim, request.pod_sandbox_id)

    async def dial(port: int) -> Connection:
        now = await _running_sandbox(shim, sandbox.id)
        return await sandbox_dial.dial(now.pid, port, shim.clock)

    address = await shim.streaming.address(is_ours=bool(caller))
    return cri.PortForwardResponse(url=f"{address}{shim.streaming.port_forward_path(sandbox.id, dial)}")


async def _running_sandbox(shim: Shim, sandbox_id: str) -> Details:
    details = await shim.catalogue.sandbox(sandbox_id)
    if not details.is_running:
        raise Conflict(f"sandbox {details.id} does not run")
    return details


async def _running(shim: Shim, container_id: str) -> Details:
    details = await shim.catalogue.container(container_id)
    if not details.is_running:
        raise Conflict(f"container {details.id} does not run")
    return details


def _check_streams(request: Any) -> None:
    if not (request.stdin or request.stdout or request.stderr):
        raise BadRequest("one of stdin, stdout and stderr has to be asked for")
    if request.tty and request.stderr:
        raise BadRequest("a terminal has no stderr of its own")
