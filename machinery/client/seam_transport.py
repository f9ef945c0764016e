"""The seam of the component client, for all of its transports: conversations "resources" (gRPC) and "rest"."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from typing import Any, TypeAlias, TypeVar

from machinery.client.transport import READING, ApiRequest, Page, Transport
from machinery.model.requests import WatchEvent
from machinery.model.resources import KubeObject
from machinery.model.seam import Ends, Seam
from machinery.wire.conversation import Conversation

T = TypeVar("T", bound=KubeObject)
R = TypeVar("R")
Send: TypeAlias = Callable[[ApiRequest, float], Coroutine[Any, Any, R]]


def through(transport: Transport, seam: Seam | None, ends: Ends) -> Transport:
    """Return a transport whose requests pass the seam; the transport itself where there is none."""
    return transport if seam is None else SeamTransport(transport, Conversation(seam, ends, READING))


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

    def call(self, request: ApiRequest, timeout_s: float) -> Coroutine[Any, Any, bytes]:
        """Return the answer's object as JSON."""
        return self._passed(self._transport.call, request, timeout_s)

    def page(self, request: ApiRequest, timeout_s: float) -> Coroutine[Any, Any, Page]:
        """Return the answer to a List, a DeleteCollection or a CreateEach."""
        return self._passed(self._transport.page, request, timeout_s)

    def stream(self, request: ApiRequest, type_: type[T]) -> AsyncIterator[Sequence[WatchEvent[T]]]:
        """Yield the batches of a Watch."""
        passage = self._conversation.stream(request.method, request)
        return passage.through(self._transport.stream(request, type_))

    def _passed(self, send: Send[R], request: ApiRequest, timeout_s: float) -> Coroutine[Any, Any, R]:
        if self._conversation.is_idle:
            return send(request, timeout_s)
        return self._conversation.call(
            request.method,
            request,
            lambda left_s: send(request, timeout_s if left_s is None else left_s),
            timeout_s,
        )
