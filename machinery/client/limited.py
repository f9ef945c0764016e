"""So many requests of one process in flight at once, and no more: what is left waits here, and not in the server's way.

A process that has a thousand things to do would else have a thousand requests in the server, and its own lease behind them.
What keeps it alive (its lease, its node's status) goes through an `Api` that is not limited. Watches do not count.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import TypeVar

from machinery.client.api import Api
from machinery.client.transport import ApiRequest, Page, Transport
from machinery.model.requests import WatchEvent
from machinery.model.resources import KubeObject

T = TypeVar("T", bound=KubeObject)


def limited(api: Api, at_once: int) -> Api:
    """Return an `Api` that has so many requests in flight; the others wait, in order. Their deadlines begin when they go."""
    return api.over(lambda transport: _Limited(transport, at_once))


class _Limited:
    """Holds requests back. Implements `machinery.client.transport.Transport`."""

    def __init__(self, transport: Transport, at_once: int) -> None:
        self._transport = transport
        self._slots = asyncio.Semaphore(at_once)

    @property
    def answered_by(self) -> str:
        """The name of the server that answered last."""
        return self._transport.answered_by

    async def call(self, request: ApiRequest, timeout_s: float) -> bytes:
        """Return the answer's object as JSON.

        Raises:
            ApiError: it was refused, or it is not known whether it was carried out.
        """
        async with self._slots:
            return await self._transport.call(request, timeout_s)

    async def page(self, request: ApiRequest, timeout_s: float) -> Page:
        """Return the answer to a List, a DeleteCollection or a CreateEach.

        Raises:
            ApiError: it was refused, or it is not known whether it was carried out.
        """
        async with self._slots:
            return await self._transport.page(request, timeout_s)

    def stream(self, request: ApiRequest, type_: type[T]) -> AsyncIterator[Sequence[WatchEvent[T]]]:
        """Yield the batches of a Watch.

        Raises:
            ApiError: the watch was refused, or has broken.
        """
        return self._transport.stream(request, type_)

    async def aclose(self) -> None:
        """End every call and the connection."""
        await self._transport.aclose()
