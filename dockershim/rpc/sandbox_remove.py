"""RemovePodSandbox: stop it, remove its containers, remove it."""

from __future__ import annotations

import asyncio
from typing import Any

from dockershim.core.states import Details
from dockershim.rpc.container_remove import remove
from dockershim.rpc.sandbox_stop import stop_sandbox, with_sandbox
from dockershim.shim import Shim
from machinery.model.errors import NotFound
from machinery.pb import cri_pb2 as cri


async def remove_pod_sandbox(shim: Shim, request: Any) -> Any:
    """Remove a sandbox and all in it; one that is gone is fine.

    Raises:
        Conflict: somebody else removes a container, and does not get done.
        DeadlineExceeded: its processes do not die.
        InternalError: a CNI plugin does not give its addresses back.
    """
    await with_sandbox(shim, request.pod_sandbox_id, remove_sandbox)
    return cri.RemovePodSandboxResponse()


async def remove_sandbox(shim: Shim, details: Details) -> None:
    """Remove a sandbox; who calls holds its lock. Idempotent.

    Raises:
        Conflict, DeadlineExceeded, InternalError: as RemovePodSandbox.
    """
    try:
        await stop_sandbox(shim, details)
    except NotFound:  # somebody removed it by hand: what is left is its address
        await shim.network.disconnect(details.id, 0)
    containers = await shim.catalogue.containers_of(details.id)
    await asyncio.gather(*(remove(shim, item["Id"]) for item in containers))
    await remove(shim, details.id)
    shim.statistics.forget(details.id)
