"""An HTTP connection that is taken over from aiohttp, to speak something else on it than HTTP and WebSocket."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from aiohttp import web

from machinery.process.byte_stream import ByteCarrier, ByteStream


@asynccontextmanager
async def upgraded(request: web.Request, headers: Mapping[str, str]) -> AsyncIterator[ByteStream]:
    """Answer 101 with some headers, and have the connection while inside; then it is closed.

    aiohttp takes the connection back to notice its end; what its handler returns then goes nowhere.

    Raises:
        ConnectionResetError: the client has left.
    """
    transport = request.transport
    if transport is None or transport.is_closing():
        raise ConnectionResetError("the client has left")
    before = transport.get_protocol()
    carrier = ByteCarrier()
    transport.set_protocol(carrier)
    stream = carrier.carry(transport)
    head = ["HTTP/1.1 101 Switching Protocols", *(f"{name}: {value}" for name, value in headers.items())]
    transport.write("\r\n".join((*head, "", "")).encode())
    try:
        yield stream
    finally:
        transport.set_protocol(before)
        transport.close()
        if carrier.is_lost:
            before.connection_lost(None)
