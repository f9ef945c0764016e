"""The REST listener: TLS with an optional client certificate, one handler for every path."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from apiserver.rest.services import RestServices
from machinery.process.server import ListenError
from machinery.process.tls import ServerTls

if TYPE_CHECKING:
    from aiohttp import web

__all__ = ["RestServices", "serving_rest"]

_KEEPALIVE_S: Final = 120.0  # wall seconds that an idle connection is kept
_LINGER_S: Final = 2.0  # wall seconds that requests have to end in when the server stops
_LONGEST_LINE: Final = 64 * 1024  # bytes of a request line, or of one header


@asynccontextmanager
async def serving_rest(services: RestServices, listen: Sequence[str], tls: ServerTls) -> AsyncIterator[None]:
    """Serve the REST API on "host:port" addresses while inside; ends watches first, then the connections.

    Raises:
        ListenError: an address is taken or cannot be used.
    """
    from aiohttp import web

    from apiserver.rest.connection import Listener
    from apiserver.rest.door import Door

    door = Door(services)
    server = Listener(
        door,
        keepalive_timeout=_KEEPALIVE_S,
        access_log=None,
        max_line_size=_LONGEST_LINE,
        max_field_size=_LONGEST_LINE,
    )
    runner = web.ServerRunner(server, shutdown_timeout=_LINGER_S)
    await runner.setup()
    try:
        for address in listen:
            await _listen(runner, address, tls)
        yield
    finally:
        await door.end_streams()
        await runner.cleanup()


async def _listen(runner: web.ServerRunner, address: str, tls: ServerTls) -> None:
    from aiohttp import web

    host, _, port = address.rpartition(":")
    context = tls.ssl_context()
    context.set_alpn_protocols(["http/1.1"])
    site = web.TCPSite(runner, host.strip("[]"), int(port), ssl_context=context, backlog=1024)
    try:
        await site.start()
    except (OSError, ValueError) as error:
        raise ListenError(f"cannot listen on {address}: {error}") from error
