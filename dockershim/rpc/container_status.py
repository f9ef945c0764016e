"""ContainerStatus."""

from __future__ import annotations

import json
from typing import Any

from dockershim.core.images import ImageNames, image_names
from dockershim.core.states import view_container_status
from dockershim.shim import Shim
from machinery.model.errors import ApiError
from machinery.pb import cri_pb2 as cri


async def container_status(shim: Shim, request: Any) -> Any:
    """Describe a container.

    Raises:
        NotFound: there is no such container.
    """
    response = cri.ContainerStatusResponse(status=await describe_container(shim, request.container_id))
    if request.verbose:
        details = await shim.catalogue.container(request.container_id)
        response.info["info"] = json.dumps({"pid": details.pid, "name": details.name})
    return response


async def describe_container(shim: Shim, container_id: str) -> Any:
    """Write a container's status; that of one that has ended is written after its log is complete.

    Raises:
        NotFound: there is no such container.
    """
    details = await shim.catalogue.container(container_id)
    if details.state == cri.CONTAINER_EXITED:
        await shim.logs.drained(details.id)
    return view_container_status(
        details,
        log_path=await _log_path(shim, details),
        names=await names_of(shim, details.raw["Image"]),
        failed_ns=int(shim.notes.get(details.id).get("failed_ns", 0)),
    )


async def names_of(shim: Shim, image_id: str) -> ImageNames:
    """Return what an image is called; asked once for each image."""
    if image_id not in shim.image_names:
        try:
            shim.image_names[image_id] = image_names(await shim.engine.image(image_id))
        except ApiError:  # the image was removed under its container: the id is still right
            return ImageNames(image_id, "")
    return shim.image_names[image_id]


async def _log_path(shim: Shim, details: Any) -> str:
    try:
        return await shim.logs.path_of(details)
    except ApiError:  # its sandbox is gone
        return ""
