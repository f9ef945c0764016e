"""A CreateEach over REST, which has no such request."""

from __future__ import annotations

import asyncio

import msgspec

from machinery.client.api import Api
from machinery.client.rest_transport import RestTransport
from machinery.client.transport import ApiRequest
from machinery.model.errors import AlreadyExists
from machinery.model.k8s.core_v1 import ConfigMap
from machinery.model.k8s.meta_v1 import ObjectMeta
from machinery.model.resources import CONFIG_MAPS
from machinery.process.clock import WALL


class _Meeting(RestTransport):
    """Answers none of its requests until so many are under way; refuses the one for "taken"."""

    def __init__(self, number: int) -> None:
        super().__init__("https://apiserver", None, caller="test", clock=WALL)
        self._all_there = asyncio.Barrier(number)

    async def call(self, request: ApiRequest, timeout_s: float) -> bytes:
        async with asyncio.timeout(timeout_s):
            await self._all_there.wait()
        if b"taken" in request.body:
            raise AlreadyExists("it is taken")
        return request.body


async def test_the_parts_go_side_by_side_and_are_answered_in_order() -> None:
    """One that is refused keeps none of the others."""
    wanted = [ConfigMap(metadata=ObjectMeta(name=name, namespace="d")) for name in ("a", "taken", "c", "d")]
    api = Api(_Meeting(len(wanted)))
    first, refused, *others = await api.create_each(CONFIG_MAPS, [(each, ()) for each in wanted])
    assert isinstance(refused, AlreadyExists)
    assert msgspec.to_builtins([first, *others]) == msgspec.to_builtins([wanted[0], *wanted[2:]])
