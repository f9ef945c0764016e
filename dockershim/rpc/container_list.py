"""ListContainers."""

from __future__ import annotations

import asyncio
from typing import Any

from dockershim.core import naming
from dockershim.core.states import container_state, fits, view_container
from dockershim.docker import Json
from dockershim.rpc.container_status import names_of
from dockershim.shim import Shim
from machinery.model.errors import NotFound
from machinery.pb import cri_pb2 as cri


async def list_containers(shim: Shim, request: Any) -> Any:
    """List containers, in one call to the engine."""
    wanted = request.filter.pod_sandbox_id
    found = await shim.catalogue.summaries(naming.KIND_CONTAINER)
    items = [item for item in found if item["Labels"].get(naming.SANDBOX, "").startswith(wanted)]
    views = await asyncio.gather(*(_view(shim, item) for item in items))
    return cri.ListContainersResponse(containers=[view for view in views if fits(view, request.filter)])


async def _view(shim: Shim, item: Json) -> Any:
    state = container_state(item["State"])
    if state == cri.CONTAINER_CREATED:
        state = await _state_of_created(shim, item["Id"])
    if state == cri.CONTAINER_EXITED:
        await shim.logs.drained(item["Id"])
    return view_container(item, state, (await names_of(shim, item["ImageID"])).reference)


async def _state_of_created(shim: Shim, container_id: str) -> Any:
    """Distinguish a container whose start failed, which the engine's list does not show, from one not started yet."""
    try:
        return (await shim.catalogue.container(container_id)).state
    except NotFound:
        return cri.CONTAINER_EXITED
