"""ListImages, ImageStatus, ImageFsInfo."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from dockershim.core.images import view_image
from dockershim.shim import Shim
from machinery.model.errors import BadRequest, NotFound
from machinery.pb import cri_pb2 as cri


async def list_images(shim: Shim, request: Any) -> Any:
    """List the images of this node, or the one of the filter.

    Raises:
        BadRequest: the filter's name cannot be an image's.
    """
    if wanted := request.filter.image.image:
        one = await _find(shim, wanted)
        return cri.ListImagesResponse(images=[_view(shim, one)] if one else [])
    found = await shim.engine.images()
    shim.private_images.forget_gone(found)
    shim.pulled_images.forget_gone(found)
    here = [_view(shim, raw) for raw in found if shim.private_images.is_here(raw)]
    return cri.ListImagesResponse(images=here)


async def image_status(shim: Shim, request: Any) -> Any:
    """Describe an image; an empty answer says that it is not here.

    Raises:
        BadRequest: the image has no name, or one that cannot be an image's.
    """
    wanted = request.image.image
    if not wanted:
        raise BadRequest("the image has no name")
    found = await _find(shim, wanted)
    if found is None:
        return cri.ImageStatusResponse()
    response = cri.ImageStatusResponse(image=_view(shim, found, wanted=wanted))
    if request.verbose:
        response.info["config"] = json.dumps(found.get("Config") or {})
    return response


async def image_fs_info(shim: Shim, _request: Any) -> Any:
    """Return what the images and the containers' own layers take; the engine does not count inodes."""
    usage, info, now_ns = await shim.engine.disk_usage(), await shim.engine.info(), shim.clock.wall_ns()
    root = cri.FilesystemIdentifier(mountpoint=str(info["DockerRootDir"]))
    layers = sum(int(item.get("SizeRw") or 0) for item in usage.get("Containers") or ())
    images = _filesystem(now_ns, root, int(usage.get("LayersSize") or 0))
    return cri.ImageFsInfoResponse(
        image_filesystems=[images], container_filesystems=[_filesystem(now_ns, root, layers)]
    )


def _filesystem(now_ns: int, root: Any, used: int) -> Any:
    return cri.FilesystemUsage(timestamp=now_ns, fs_id=root, used_bytes=cri.UInt64Value(value=used))


def _view(shim: Shim, raw: Mapping[str, Any], *, wanted: str = "") -> Any:
    return view_image(raw, wanted=wanted, is_own=shim.pulled_images.is_own(raw))


async def _find(shim: Shim, name: str) -> dict[str, Any] | None:
    try:
        found = await shim.engine.image(name)
    except NotFound:
        return None
    except BadRequest as error:  # the engine cannot read the name
        raise BadRequest(f"image {name!r}: {error.message}") from error
    return found if shim.private_images.is_here(found) else None
