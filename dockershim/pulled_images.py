"""Which images this node has brought to the engine, so that a kubelet may remove them when nobody uses them.

An engine is shared: with other nodes and clusters, and with whoever works on the machine. So an image is the node's own only
if it was not on the engine before the node pulled it, under names that meant nothing there, and has no other name now.
All others are `pinned`, as CRI says of what no garbage collection may take away. Where it is not known who brought an image
(a kill between the pull and the note), it is pinned.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from dockershim.core.images import familiar, has_other_names, private_tag
from dockershim.docker import Engine
from dockershim.notes import Notes
from machinery.model.errors import NotFound


class PulledImages:
    """The images that one node has pulled and that nobody had before."""

    def __init__(self, engine: Engine, notes: Notes) -> None:
        self._engine = engine
        self._notes = notes  # by the image's id: the names that it was pulled by

    @asynccontextmanager
    async def pulling(self, name: str) -> AsyncIterator[None]:
        """Note what a pull brings.

        Raises:
            Unavailable: the engine does not answer.
            OSError: the disk is full or broken; the image is there, and stays pinned.
        """
        before, known = await self._id(name), await self._ids()
        yield
        image = await self._engine.image(name)
        is_new = image["Id"] not in known and (not before or self._knows(before))
        if is_new or (self._knows(image["Id"]) and before in ("", image["Id"])):
            names = self._names(image["Id"]) if not is_new else set[str]()
            self._notes.put(private_tag(image["Id"]), {"names": sorted(names | {familiar(name)})})

    def is_own(self, image: Mapping[str, Any]) -> bool:
        """Whether this node alone has brought an image, as the engine describes it, and nobody has named it since."""
        return self._knows(image["Id"]) and not has_other_names(image, self._names(image["Id"]))

    def forget_gone(self, images: Iterable[Mapping[str, Any]]) -> None:
        """Forget what is not among the engine's images any more: whoever brings it next, it is theirs."""
        here = {private_tag(image["Id"]) for image in images}
        for gone in set(self._notes.names()) - here:
            self._notes.remove(gone)

    def forget(self, image_id: str) -> None:
        """Forget an image that is removed."""
        self._notes.remove(private_tag(image_id))

    def _knows(self, image_id: str) -> bool:
        return private_tag(image_id) in self._notes

    def _names(self, image_id: str) -> set[str]:
        return set(self._notes.get(private_tag(image_id)).get("names", ()))

    async def _ids(self) -> set[str]:
        found = await self._engine.images()
        self.forget_gone(found)
        return {str(image["Id"]) for image in found}

    async def _id(self, name: str) -> str:
        try:
            return str((await self._engine.image(name))["Id"])
        except NotFound:
            return ""
