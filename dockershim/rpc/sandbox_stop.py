"""StopPodSandbox: kill what runs in it, give its addresses back, kill it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from dockershim.core.states import Details
from dockershim.rpc.container_stop import kill
from dockershim.shim import Shim
from machinery.model.errors import NotFound
from machinery.pb import cri_pb2 as cri


async def stop_pod_sandbox(shim: Shim, request: Any) -> Any:
    """Stop a sandbox and all in it; one that is gone is fine.

    Raises:
        DeadlineExceeded: its processes do not die.
        InternalError: a CNI plugin does not give its addresses back.
    """
    await with_sandbox(shim, request.pod_sandbox_id, stop_sandbox)
    return cri.StopPodSandboxResponse()


async def with_sandbox(shim: Shim, sandbox_id: str, act: Callable[[Shim, Details], Awaitable[None]]) -> None:
    """Do something with a sandbox while nobody else does; do nothing with one that is gone."""
    try:
        details = await shim.catalogue.sandbox(sandbox_id)
    except NotFound:
        return
    async with shim.locks.held(details.name):
        await act(shim, details)


async def stop_sandbox(shim: Shim, details: Details) -> None:
    """Stop a sandbox; who calls holds its lock. Idempotent.

    Raises:
        NotFound: it is gone.
        DeadlineExceeded, InternalError: as StopPodSandbox.
    """
    containers = await shim.catalogue.containers_of(details.id)
    running = [item["Id"] for item in containers if item["State"] in {"running", "paused", "restarting"}]
    await asyncio.gather(*(kill(shim, container_id) for container_id in running))
    details = await shim.catalogue.fresh(details.id)
    await shim.network.disconnect(details.id, details.pid)
    if details.is_running:
        await kill(shim, details.id)
