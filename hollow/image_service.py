# ruff: noqa: N802 - methods are named as the protocol names its RPCs
"""runtime.v1.ImageService over images that exist in name only."""

from __future__ import annotations

from typing import Any, Final

from hollow.simulation import Simulation
from hollow.views import image_id, wall_ns, with_tag
from machinery.model.errors import BadRequest, NotFound, Unauthorized
from machinery.pb import cri_pb2 as cri

IMAGE_BYTES: Final = 10_000_000
_MISSING: Final = ("does-not-exist", "hollow.invalid/")
_PRIVATE: Final = "hollow.private/"


class ImageService:
    """Every image can be pulled but those whose names say that they cannot.

    A name with `does-not-exist` or `hollow.invalid/` is not found, one with `hollow.private/` needs
    credentials.
    """

    def __init__(self, simulation: Simulation, pull_time_s: float) -> None:
        self._simulation = simulation
        self._pull_time_s = pull_time_s

    async def ListImages(self, request: Any, _context: Any) -> Any:
        """List what was pulled."""
        wanted = request.filter.image.image
        known = self._simulation.node.images
        names = [self._simulation.image(wanted)] if wanted else list(known)
        return cri.ListImagesResponse(images=[_view(name) for name in names if name])

    async def ImageStatus(self, request: Any, _context: Any) -> Any:
        """Describe an image; an empty answer says that it is not here."""
        name = self._simulation.image(request.image.image)
        return cri.ImageStatusResponse(image=_view(name) if name else None)

    async def PullImage(self, request: Any, _context: Any) -> Any:
        """Pull an image, which takes the configured time.

        Raises:
            BadRequest: the image has no name.
            NotFound: its name says that there is none.
            Unauthorized: its name asks for credentials, and none are given.
        """
        if not (wanted := request.image.image):
            raise BadRequest("the image has no name")
        await self._simulation.clock.sleep(self._pull_time_s)
        if any(part in wanted for part in _MISSING):
            raise NotFound(f"failed to pull image {wanted!r}: {wanted}: not found")
        if _PRIVATE in wanted and not (request.auth.username or request.auth.auth):
            raise Unauthorized(f"failed to pull image {wanted!r}: no credentials for hollow.private")
        name = with_tag(wanted)
        now_s = self._simulation.clock.now()
        self._simulation.configure(images={**self._simulation.node.images, name: now_s})
        return cri.PullImageResponse(image_ref=image_id(name))

    async def RemoveImage(self, request: Any, _context: Any) -> Any:
        """Forget an image; one that is not here is fine."""
        gone = self._simulation.image(request.image.image)
        kept = {name: at_s for name, at_s in self._simulation.node.images.items() if name != gone}
        self._simulation.configure(images=kept)
        return cri.RemoveImageResponse()

    async def ImageFsInfo(self, _request: Any, _context: Any) -> Any:
        """Return how much the images seem to take."""
        usage = cri.FilesystemUsage(
            timestamp=wall_ns(self._simulation.clock.timescale, self._simulation.clock.now()),
            fs_id=cri.FilesystemIdentifier(mountpoint="/hollow"),
            used_bytes=cri.UInt64Value(value=IMAGE_BYTES * len(self._simulation.node.images)),
            inodes_used=cri.UInt64Value(value=0),
        )
        return cri.ImageFsInfoResponse(image_filesystems=[usage], container_filesystems=[usage])


def _view(name: str) -> Any:
    return cri.Image(
        id=image_id(name),
        repo_tags=[name],
        size=IMAGE_BYTES,
        spec=cri.ImageSpec(image=name),
        uid=cri.Int64Value(value=0),
    )
