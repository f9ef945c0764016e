"""The seam of the Docker engine's client: conversation "docker", its methods named as "POST containers/start"."""

from __future__ import annotations

from collections.abc import AsyncIterator, Coroutine
from contextlib import aclosing, asynccontextmanager
from typing import Any

from dockershim.engine_connection import READ_S, READING, Connection, EngineCall, Hijacked
from dockershim.seam_hijacked import SeamHijacked
from machinery.model.seam import Ends, Seam
from machinery.wire.conversation import Conversation


def through(connection: Connection, seam: Seam | None, caller: str) -> Connection:
    """Return the connection with the seam around it; without a seam, the connection itself."""
    if seam is None:
        return connection
    return SeamConnection(connection, Conversation(seam, Ends(caller, "docker", "docker"), READING))


class SeamConnection:
    """A connection whose calls and streams pass a seam, which may raise any `ApiError` in the engine's place."""

    def __init__(self, connection: Connection, conversation: Conversation) -> None:
        self._connection = connection
        self._conversation = conversation
        self.aclose = connection.aclose

    def call(self, call: EngineCall, timeout_s: float | None) -> Coroutine[Any, Any, bytes]:
        """Return the whole body of the answer."""
        if self._conversation.is_idle:
            return self._connection.call(call, timeout_s)
        return self._conversation.call(
            call.operation, call, lambda left_s: self._connection.call(call, left_s), timeout_s
        )

    async def hijack(self, call: EngineCall) -> Hijacked:
        """Send a request and keep its connection, whose reads and writes pass the seam."""
        passage = self._conversation.stream(call.operation, call)
        await passage.begin(READ_S)
        taken = await passage.run(self._connection.hijack(call))
        return SeamHijacked(taken.reader, taken.writer, passage)

    @asynccontextmanager
    async def stream(self, call: EngineCall, timeout_s: float | None) -> AsyncIterator[AsyncIterator[bytes]]:
        """Open an answer, and yield its body in pieces while inside."""
        with self._conversation.stream(call.operation, call, timeout_s) as passage:
            await passage.begin()
            async with (
                self._connection.stream(call, timeout_s) as pieces,
                aclosing(passage.through(pieces)) as passed,
            ):
                yield passed
