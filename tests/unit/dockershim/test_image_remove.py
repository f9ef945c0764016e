"""RemoveImage while others remove the same image, as the engine answers then."""

from __future__ import annotations

import asyncio
import json
from types import SimpleNamespace
from typing import Any

import pytest

from dockershim.core.images import PRIVATE, ImageNames
from dockershim.docker import Engine
from dockershim.engine_connection import EngineCall
from dockershim.locks import Locks
from dockershim.rpc.image_remove import remove_image
from machinery.model.errors import Conflict, InternalError, NotFound
from machinery.pb import cri_pb2 as cri
from tests.support.virtual_clock import VirtualClock

IMAGE_ID = "sha256:1"


class ImageStore:
    """An engine's images: one with several names. What is in `rivals` happens before a removal, once each."""

    def __init__(self, *names: str) -> None:
        self.names = {*names}
        self.is_here = True
        self.is_used = False
        self.rivals: list[
            Exception | str
        ] = []  # an error of the engine's, or a name that somebody else removes
        self.asked: list[str] = []

    async def call(self, call: EngineCall, _timeout_s: float | None) -> bytes:
        """Answer, after a turn of the event loop."""
        await asyncio.sleep(0)
        if call.method == "GET":
            return self._describe(call.name)
        self.asked.append(call.name)
        match self.rivals.pop(0) if self.rivals else None:
            case Exception() as error:
                raise error
            case str(name):
                self._remove(name)
        self._remove(call.name)
        return b"[]"

    def _describe(self, name: str) -> bytes:
        if not self.is_here or name not in {IMAGE_ID, *self.names}:
            raise NotFound(f"No such image: {name}")
        return json.dumps({"Id": IMAGE_ID, "RepoTags": sorted(self.names)}).encode()

    def _remove(self, name: str) -> None:
        if self.is_used:
            raise Conflict("conflict: unable to remove: container 1 is using it")
        if name not in self.names:
            raise NotFound("reference does not exist")
        self.names.remove(name)
        self.is_here = bool(self.names)


async def removed(store: ImageStore, name: str = "app:a") -> None:
    """Ask dockershim to remove the image; who has brought it is forgotten, too."""
    forgotten: list[str] = []
    shim: Any = SimpleNamespace(
        engine=Engine(store),
        clock=VirtualClock(),
        locks=Locks(),
        image_names={IMAGE_ID: ImageNames("app@sha256:2", "app:1")},
        pulled_images=SimpleNamespace(forget=forgotten.append),
    )
    asked = asyncio.ensure_future(remove_image(shim, cri.RemoveImageRequest(image=cri.ImageSpec(image=name))))
    while not asked.done():
        await shim.clock.advance(0.1)
    await asked
    assert shim.image_names == {}
    assert set(forgotten) == {IMAGE_ID}


async def test_all_names_of_an_image_go():
    """Also those that were not asked for."""
    store = ImageStore("app:a", "app:b", "app:c")
    await removed(store)
    assert not store.is_here


@pytest.mark.parametrize(
    "rivals",
    [
        ["app:a"],
        ["app:b"],
        [InternalError("unrecognized image ID sha256:1")],
        [InternalError("unrecognized image ID sha256:1"), "app:a", InternalError("again")],
    ],
)
async def test_whoever_removes_it_meanwhile_does_no_harm(rivals: list[Exception | str]):
    """A name that is gone is fine, an engine that was confused is asked again; in the end no name is left."""
    store = ImageStore("app:a", "app:b")
    store.rivals = rivals
    await removed(store)
    assert not store.is_here


async def test_an_image_that_came_with_credentials_is_known_as_such_to_the_last():
    """Else the others that share the engine would take it for everyone's."""
    store = ImageStore("app:a", f"{PRIVATE}:1", "team/app:b")
    await removed(store)
    assert store.asked == ["app:a", "team/app:b", f"{PRIVATE}:1"]
    assert not store.is_here


async def test_an_image_in_use_stays():
    """The caller is told, at once."""
    store = ImageStore("app:a")
    store.is_used = True
    with pytest.raises(Conflict, match="container 1"):
        await removed(store)
    assert store.asked == ["app:a"]


async def test_an_engine_that_cannot_is_not_asked_for_ever():
    """Its error is the answer."""
    store = ImageStore("app:a")
    store.rivals = [InternalError("the disk is broken")] * 99
    with pytest.raises(InternalError, match="the disk is broken"):
        await removed(store)
    assert len(store.asked) == 5
