"""PullImage."""

from __future__ import annotations

from typing import Any

from dockershim.core.images import registry_auth, split_reference
from dockershim.shim import Shim
from machinery.model.errors import BadRequest, NotFound, Unauthorized, Unavailable
from machinery.pb import cri_pb2 as cri


async def pull_image(shim: Shim, request: Any) -> Any:
    """Pull an image and return its id; takes as long as it takes, and ends with the caller's patience.

    Raises:
        BadRequest: the image has no name or one that cannot be an image's, or its credentials cannot be read.
        NotFound: the registry does not have it, or wants credentials before it says so.
        Unauthorized: the credentials do not work.
        Unavailable: the registry does not answer.
    """
    name = request.image.image
    if not name:
        raise BadRequest("the image has no name")
    try:
        auth = registry_auth(request.auth, name)
    except ValueError as error:
        raise BadRequest(f"the credentials for {name} cannot be read: {error}") from error
    try:
        async with (
            shim.pulled_images.pulling(name),
            shim.private_images.pulling(name, with_credentials=bool(auth)),
        ):
            await shim.engine.pull(*split_reference(name), auth)
        return cri.PullImageResponse(image_ref=str((await shim.engine.image(name))["Id"]))
    except (NotFound, Unauthorized, Unavailable, BadRequest) as error:
        raise type(error)(f"failed to pull image {name!r}: {error.message}") from error
