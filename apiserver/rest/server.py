"""The REST listener: TLS with an optional client certificate, one handler for every path."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from apiserver.rest.limits import Limits
from apiserver.rest.services import RestServices
from machinery.process.server import ListenError
from machinery.process.tls import ServerTls

if TYPE_CHECKING:
    from aiohttp import web

__all__ = ["RestServices", "serving_rest"]

_DEFAULTS: Final = Limits()
_LINGER_S: Final = 2.0  # wall seconds that requests have to end in when the server stops
_LONGEST_LINE: Final = 64 * 1024  # bytes of a request line, or of one header


@asynccontextmanager
async def serving_rest(
    services: RestServices, listen: Sequence[str], tls: ServerTls, limits: Limits = _DEFAULTS
) -> AsyncIterator[None]:
    """Serve the REST API on "host:port" addresses while inside; ends watches first, then the connections.

    Raises:
        ListenError: an address is taken or cannot be used.
    """
    from aiohttp import web

    from apiserver.rest.connection import Listener
    from apiserver.rest.door import Door

    door = Door(services, limits)
    server = Listener(
        door,
        limits,
        access_log=None,
        max_line_size=_LONGEST_LINE,
        max_field_size=_LONGEST_LINE,
    )
    runner = web.ServerRunner(server, shutdown_timeout=_LINGER_S)
    await runner.setup()
    listening: list[asyncio.Server] = []
    try:
        for address in listen:
            opened = await _listen(server, address, tls, limits)
            listening.append(opened)
        yield
    finally:
        await door.end_streams()
        for each in listening:
            each.close()
        await runner.cleanup()


async def _listen(server: web.Server, address: str, tls: ServerTls, limits: Limits) -> asyncio.Server:
    host, _, port = address.rpartition(":")
    context = tls.ssl_context()
    context.set_alpn_protocols(["http/1.1"])
    try:
        return await asyncio.get_running_loop().create_server(
            server,
            host.strip("[]"),
            int(port),
            ssl=context,
            ssl_handshake_timeout=limits.handshake_s,
            backlog=1024,
        )
    except (OSError, ValueError) as error:
        raise ListenError(f"cannot listen on {address}: {error}") from error
