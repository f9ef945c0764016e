"""The seam of the component client, for all of its transports: conversations "resources" (gRPC) and "rest"."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing
from typing import TypeVar

from machinery.client.transport import ApiRequest, Page, Transport
from machinery.model.requests import WatchEvent
from machinery.model.resources import KubeObject
from machinery.model.seam import Ends, Seam
from machinery.wire.conversation import Conversation

T = TypeVar("T", bound=KubeObject)
R = TypeVar("R")


def through(transport: Transport, seam: Seam | None, ends: Ends) -> Transport:
    """Put the seam into a transport; without one, return the transport itself."""
    return transport if seam is None else SeamTransport(transport, Conversation(seam, ends))


class SeamTransport:
    """A transport whose requests pass a seam."""

    def __init__(self, transport: Transport, conversation: Conversation) -> None:
        self._transport = transport
        self._conversation = conversation
        self.aclose = transport.aclose

    @property
    def answered_by(self) -> str:
        """The name of the server that answered last."""
        return self._transport.answered_by

    async def call(self, request: ApiRequest, timeout_s: float) -> bytes:
        """Return the answer's object as JSON."""
        if self._conversation.is_idle:
            return await self._transport.call(request, timeout_s)
        return await self._passed(self._transport.call, request, timeout_s, lambda body: (0, len(body)))

    async def page(self, request: ApiRequest, timeout_s: float) -> Page:
        """Return the answer to a List or a DeleteCollection."""
        if self._conversation.is_idle:
            return await self._transport.page(request, timeout_s)
        return await self._passed(
            self._transport.page, request, timeout_s, lambda page: (page.revision, sum(map(len, page.items)))
        )

    async def stream(self, request: ApiRequest, type_: type[T]) -> AsyncIterator[Sequence[WatchEvent[T]]]:
        """Yield the batches of a Watch."""
        with self._conversation.stream(request.method, about=key_of(request)) as passage:
            await passage.begin()
            async with aclosing(passage.through(self._transport.stream(request, type_))) as batches:
                async for batch in batches:
                    yield batch

    async def _passed(
        self,
        send: Callable[[ApiRequest, float], Awaitable[R]],
        request: ApiRequest,
        timeout_s: float,
        measure: Callable[[R], tuple[int, int]],
    ) -> R:
        return await self._conversation.call(
            request.method,
            lambda left_s: send(request, timeout_s if left_s is None else left_s),
            about=key_of(request),
            body=lambda: request.body,
            timeout_s=timeout_s,
            measure=measure,
        )


def key_of(request: ApiRequest) -> str:
    """Return the key of the object, or of the collection, that a request is about."""
    return "/".join(filter(None, (str(request.resource), request.namespace, request.name)))
