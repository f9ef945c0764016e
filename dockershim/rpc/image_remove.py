"""RemoveImage: all names of an image, also while others remove it."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Final

from dockershim.core.images import NO_TAG, is_mark
from dockershim.shim import Shim
from machinery.model.backoff import Backoff
from machinery.model.errors import BadRequest, InternalError, NotFound
from machinery.model.insist import insist
from machinery.pb import cri_pb2 as cri

_LOOKS: Final = 5
_LOOK: Final = Backoff(initial_s=0.05, cap_s=0.2)  # wall seconds


async def remove_image(shim: Shim, request: Any) -> Any:
    """Remove an image with all its names; one that is not here, or goes meanwhile, is fine.

    Raises:
        BadRequest: the image has no name, or one that cannot be an image's.
        Conflict: a container uses it.
    """
    wanted = request.image.image
    if not wanted:
        raise BadRequest("the image has no name")
    with suppress(NotFound):
        image_id = str((await shim.engine.image(wanted))["Id"])
        # InternalError: somebody else (another node's runtime) has removed it in the middle of the engine's work.
        await insist(lambda: _remove(shim, image_id), shim.clock, _LOOK, on=InternalError, attempts=_LOOKS)
        shim.image_names.pop(image_id, None)
        shim.pulled_images.forget(image_id)
    return cri.RemoveImageResponse()


async def _remove(shim: Shim, image_id: str) -> None:
    """Remove the names that an image has now, each of which may go meanwhile; with the last one it goes itself.

    One that came with credentials stays known as such to the last.
    """
    async with shim.locks.held(f"image {image_id}"):
        with suppress(NotFound):
            found = await shim.engine.image(image_id)
            names = sorted((tag for tag in found.get("RepoTags") or () if tag != NO_TAG), key=is_mark)
            for name in names or [image_id]:
                with suppress(NotFound):
                    await shim.engine.remove_image(name)
