"""RemoveImage."""

from __future__ import annotations

from typing import Any

from dockershim.core.images import NO_TAG
from dockershim.shim import Shim
from machinery.model.errors import BadRequest, NotFound
from machinery.pb import cri_pb2 as cri


async def remove_image(shim: Shim, request: Any) -> Any:
    """Remove an image with all its names; one that is not here is fine.

    Raises:
        BadRequest: the image has no name, or one that cannot be an image's.
        Conflict: a container uses it.
    """
    wanted = request.image.image
    if not wanted:
        raise BadRequest("the image has no name")
    try:
        found = await shim.engine.image(wanted)
        names = [tag for tag in found.get("RepoTags") or () if tag != NO_TAG]
        for name in names or [str(found["Id"])]:
            await shim.engine.remove_image(name)
    except NotFound:
        return cri.RemoveImageResponse()
    shim.image_references.pop(str(found["Id"]), None)
    return cri.RemoveImageResponse()
