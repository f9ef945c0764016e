"""A TLS server that does whatever a test wants with a connection: hang, answer nonsense, answer without end."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

from kubarium.identity.pki import Pki

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def raw_web_server(pki: Pki, serve: Serve, *, skips_head: bool = True) -> AsyncIterator[str]:
    """Serve with the apiserver's certificate, from the end of a request's head on or from its beginning; yields the URL."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pki.certificate("apiserver"), pki.key("apiserver"))

    handlers: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                if skips_head:
                    await reader.readuntil(b"\r\n\r\n")
                await serve(reader, writer)
        finally:
            writer.close()

    def served(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        handlers[asyncio.ensure_future(handle(reader, writer))] = writer

    server = await asyncio.start_server(served, "127.0.0.1", 0, ssl=context)
    try:
        yield f"https://localhost:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for handler in handlers:
            handler.cancel()
        await asyncio.gather(*handlers, return_exceptions=True)
        for writer in handlers.values():
            writer.transport.abort()  # whose peer does not say that it has heard of the end
        await asyncio.gather(*(each.wait_closed() for each in handlers.values()), return_exceptions=True)
