"""Which images are on this node. All nodes of a machine share the engine's store of images, as no real nodes do.

An image that came with credentials is on the nodes that have pulled it, and on no other: else whoever may not pull it would
find it there, and take it for one that somebody has put on the node for everyone. All other images are on every node.
The engine keeps that an image came so as one more name of it, which other clusters and their nodes see, too; which of them
this node has pulled stands in its notes.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from dockershim.core.images import PRIVATE, is_private, private_tag
from dockershim.docker import Engine
from dockershim.notes import Notes
from machinery.model.errors import Definite, NotFound


class PrivateImages:
    """The images that came with credentials, seen from one node."""

    def __init__(self, engine: Engine, pulled: Notes, pulling: Notes) -> None:
        self._engine = engine
        self._pulled = pulled  # by private_tag: this node has it
        self._pulling = pulling  # with credentials, under way: which image bore the name before

    def is_here(self, image: Mapping[str, Any]) -> bool:
        """Whether an image, as the engine describes it, is on this node."""
        return not is_private(image) or private_tag(image["Id"]) in self._pulled

    def forget_gone(self, images: Iterable[Mapping[str, Any]]) -> None:
        """Forget what this node has pulled and is not among the engine's images any more."""
        here = {private_tag(image["Id"]) for image in images}
        for gone in set(self._pulled.names()) - here:
            self._pulled.remove(gone)

    @asynccontextmanager
    async def pulling(self, name: str, *, with_credentials: bool) -> AsyncIterator[None]:
        """Note a pull, and what has come by it when it has worked.

        Raises:
            Unavailable: the engine does not answer.
        """
        if with_credentials and _key(name) not in self._pulling:
            self._pulling.put(_key(name), {"name": name, "before": await self._id(name)})
        try:
            yield
        except Definite:
            self._pulling.remove(_key(name))
            raise
        await self._settle(name, came=with_credentials)

    async def sweep(self) -> None:
        """Mark, once, what came while nobody was here to mark it.

        Raises:
            Unavailable: the engine does not answer; the rest is marked by the next one.
        """
        for key in self._pulling.names():
            name = str(self._pulling.get(key)["name"])
            if await self._id(name):
                await self._settle(name, came=True, is_ours=False)
            else:
                self._pulling.remove(key)

    async def _settle(self, name: str, *, came: bool, is_ours: bool = True) -> None:
        """Mark an image that came with credentials and was not here before; note it as this node's."""
        image, note = await self._engine.image(name), self._pulling.get(_key(name))
        tag = private_tag(image["Id"])
        is_marked = is_private(image)
        if came and not is_marked and image["Id"] != note.get("before"):
            await self._engine.tag(image["Id"], PRIVATE, tag)
            is_marked = True
        if is_marked and is_ours:
            self._pulled.put(tag, {})
        self._pulling.remove(_key(name))

    async def _id(self, name: str) -> str:
        try:
            return str((await self._engine.image(name))["Id"])
        except NotFound:
            return ""


def _key(name: str) -> str:
    """Return a note's name for an image's, which may have any letters of a path."""
    return hashlib.sha256(name.encode()).hexdigest()[:32]
