"""The clients of the supervisor's socket, none of which can keep it waiting.

Each has one request to send and one answer to read; what is not done by its deadline is given up. The daemon's loop
says when a client's socket can be read or written.
"""

from __future__ import annotations

import selectors
import socket

from kubarium.errors import KubariumError
from kubarium.supervisor.protocol import LINE_LIMIT

PATIENCE_S = 5.0  # for a request to arrive, and then for its answer to be read
MOST_CLIENTS = 64
_PIECE = 1 << 16


class Client:
    """One connection: its request as far as it has come, its answer as far as it has not gone."""

    def __init__(self, connection: socket.socket, deadline_s: float) -> None:
        connection.settimeout(0)
        self.connection = connection
        self.deadline_s = deadline_s  # wall seconds of the monotonic clock
        self._request = bytearray()
        self._answer = memoryview(b"")

    @property
    def waits_for(self) -> int:
        """What the selector is to wait for."""
        return selectors.EVENT_WRITE if self._answer else selectors.EVENT_READ

    def read(self) -> bytes | None:
        """Return the request, once all of it is there; None before.

        Raises:
            ConnectionError: the client has closed without one.
            KubariumError: it is too long.
        """
        try:
            piece = self.connection.recv(_PIECE)
        except BlockingIOError:
            return None
        self._request += piece
        line, end, _ = self._request.partition(b"\n")
        if end or (self._request and not piece):
            return bytes(line)
        if not piece:
            raise ConnectionResetError("closed without a request")
        if len(self._request) > LINE_LIMIT:
            raise KubariumError(f"the supervisor takes requests of {LINE_LIMIT} bytes at most")
        return None

    def answer(self, data: bytes) -> None:
        """Set what is to be sent; `write` sends it."""
        self._answer = memoryview(data)

    def write(self) -> bool:
        """Send what can be sent now; return whether that was all.

        Raises:
            OSError: the client is gone.
        """
        try:
            sent = self.connection.send(self._answer)
        except BlockingIOError:
            return False
        self._answer = self._answer[sent:]
        return not self._answer
