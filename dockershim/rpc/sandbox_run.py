"""RunPodSandbox: create, start, connect. Every step can be the last one before a kill.

The deterministic name finds what an earlier attempt left. What runs and has its network is the answer; anything less
is removed and created again.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from dockershim.core import cni, security
from dockershim.core.host_config import is_host_network, sandbox_body
from dockershim.core.images import PAUSE_IMAGE
from dockershim.core.naming import sandbox_name
from dockershim.core.states import Details
from dockershim.pause_image import make_pause_image
from dockershim.rpc.sandbox_remove import remove_sandbox
from dockershim.shim import Shim
from machinery.model.errors import AlreadyExists, ApiError, BadRequest, Conflict, NotFound
from machinery.pb import cri_pb2 as cri


async def run_pod_sandbox(shim: Shim, request: Any) -> Any:
    """Create a sandbox with its network; the same metadata once more returns the same sandbox.

    Raises:
        BadRequest: its metadata is not whole, or its configuration does not work.
        AlreadyExists: a container that is not ours has its name.
        Conflict: somebody else makes or removes it, or it ended at once.
        Unavailable: the network is not ready.
        InternalError: a CNI plugin refuses, and why.
        NotImplementedHere: it asks for something that the engine cannot do.
    """
    config = request.config
    if not (config.metadata.name and config.metadata.namespace and config.metadata.uid):
        raise BadRequest("the sandbox's metadata has to have a name, a namespace and a uid")
    if not is_host_network(config):
        cni.wishes(config)  # before anything is there to be removed again
        shim.network.require_ready()
    name = sandbox_name(config.metadata)
    async with shim.locks.held(name):
        body = await _body(shim, config, request.runtime_handler)
        sandbox_id, is_new = await _ensure(shim, name, body)
        if is_new:
            await _bring_up(shim, sandbox_id, config)
    return cri.RunPodSandboxResponse(pod_sandbox_id=sandbox_id)


async def _body(shim: Shim, config: Any, runtime_handler: str) -> dict[str, Any]:
    return sandbox_body(
        config,
        scope=shim.catalogue.scope,
        image=PAUSE_IMAGE,
        runtime_handler=runtime_handler,
        netns=f"/proc/{os.getpid()}/ns/net",
        host=await shim.host.get(),
        profile=read_profile(config.linux.security_context),
    )


def read_profile(context: Any) -> str:
    """Read the localhost seccomp profile that a security context names; "" if it names none.

    Raises:
        BadRequest: it cannot be read.
    """
    path = security.localhost_profile(context)
    try:
        return Path(path).read_text() if path else ""
    except OSError as error:
        raise BadRequest(f"seccomp profile {path}: {error.strerror}") from error


async def _ensure(shim: Shim, name: str, body: dict[str, Any]) -> tuple[str, bool]:
    """Create the sandbox, or find it: its id, and whether it has still to be brought up."""
    for _ in range(3):
        try:
            async with shim.creations.asked(name):
                return await shim.engine.create(name, body), True
        except NotFound:
            await make_pause_image(shim.engine)
        except Conflict:
            found = await _left(shim, name)
            if found and found.is_running and shim.network.is_connected(found.id):
                return found.id, False
            if found:
                await remove_sandbox(shim, found)
    raise Conflict(f"sandbox {name} is being made or removed by somebody else")


async def _left(shim: Shim, name: str) -> Details | None:
    try:
        return await shim.catalogue.find_by_name(name)
    except NotFound as error:
        raise AlreadyExists(error.message) from error


async def _bring_up(shim: Shim, sandbox_id: str, config: Any) -> None:
    try:
        await shim.engine.start(sandbox_id)
        details = await shim.catalogue.fresh(sandbox_id)
        if not details.pid:
            raise Conflict(f"sandbox {sandbox_id} ended at once")
        if is_host_network(config):
            await shim.network.joined(details.pid)
            shim.network.note_host_network(sandbox_id)
        else:
            await shim.network.connect(sandbox_id, details.pid, config)
    except ApiError:
        await _give_up(shim, sandbox_id)
        raise


async def _give_up(shim: Shim, sandbox_id: str) -> None:
    """Leave nothing behind; the first error is the one that counts."""
    try:
        await remove_sandbox(shim, await shim.catalogue.fresh(sandbox_id))
    except ApiError as error:
        shim.log.warning("sandbox_left_behind", sandbox=sandbox_id, error=error)
