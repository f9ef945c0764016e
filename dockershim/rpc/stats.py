"""ContainerStats, ListContainerStats, PodSandboxStats, ListPodSandboxStats.

What containers have written is measured for the first two only: whoever looks at all pods every few seconds, for CPU and
memory, does not pay for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

from dockershim.core import naming
from dockershim.core.states import Details, is_chosen
from dockershim.docker import Json
from dockershim.shim import Shim
from machinery.model.errors import NotFound
from machinery.pb import cri_pb2 as cri


async def container_stats(shim: Shim, request: Any) -> Any:
    """Return what a container uses.

    Raises:
        NotFound: there is no such container.
    """
    details = await shim.catalogue.container(request.container_id)
    return cri.ContainerStatsResponse(stats=await _measured(shim, details))


async def list_container_stats(shim: Shim, request: Any) -> Any:
    """Return what the running containers use.

    Raises:
        ApiError: the engine cannot be asked.
    """
    found = await _details(shim, await shim.catalogue.summaries(naming.KIND_CONTAINER), naming.KIND_CONTAINER)
    wanted = request.filter.pod_sandbox_id
    chosen = [
        item
        for item in found
        if item.sandbox_id.startswith(wanted)
        and is_chosen(item.id, item.container_config().labels, request.filter)
    ]
    stats = await asyncio.gather(*(_measured(shim, item) for item in chosen), return_exceptions=True)
    for error in stats:
        if isinstance(error, BaseException) and not isinstance(error, NotFound):
            raise error
    return cri.ListContainerStatsResponse(
        stats=[each for each in stats if not isinstance(each, BaseException)]
    )


async def pod_sandbox_stats(shim: Shim, request: Any) -> Any:
    """Return what a pod uses.

    Raises:
        NotFound: there is no such sandbox.
    """
    details = await shim.catalogue.sandbox(request.pod_sandbox_id)
    containers = await _details(shim, await shim.catalogue.containers_of(details.id), naming.KIND_CONTAINER)
    return cri.PodSandboxStatsResponse(stats=shim.statistics.sandbox(details, containers))


async def list_pod_sandbox_stats(shim: Shim, request: Any) -> Any:
    """Return what the running pods use.

    Raises:
        ApiError: the engine cannot be asked.
    """
    sandboxes = await _details(shim, await shim.catalogue.summaries(naming.KIND_SANDBOX), naming.KIND_SANDBOX)
    containers = await _details(
        shim, await shim.catalogue.summaries(naming.KIND_CONTAINER), naming.KIND_CONTAINER
    )
    stats = [
        shim.statistics.sandbox(sandbox, [item for item in containers if item.sandbox_id == sandbox.id])
        for sandbox in sandboxes
    ]
    return cri.ListPodSandboxStatsResponse(stats=_chosen(stats, request.filter))


async def _measured(shim: Shim, details: Details) -> Any:
    """Return what a container uses, with what it has written."""
    stats = shim.statistics.container(details)
    stats.writable_layer.CopyFrom(await shim.layers.usage(details))
    return stats


async def _details(shim: Shim, items: Iterable[Json], kind: str) -> list[Details]:
    """Describe those that run; one that went meanwhile is left out."""
    find = shim.catalogue.sandbox if kind == naming.KIND_SANDBOX else shim.catalogue.container
    running = [item["Id"] for item in items if item["State"] == "running"]
    found = await asyncio.gather(*(find(id_) for id_ in running), return_exceptions=True)
    for error in found:
        if isinstance(error, BaseException) and not isinstance(error, NotFound):
            raise error
    return [item for item in found if isinstance(item, Details)]


def _chosen(stats: list[Any], chosen: Any) -> list[Any]:
    return [item for item in stats if is_chosen(item.attributes.id, item.attributes.labels, chosen)]
