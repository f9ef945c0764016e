"""The REST listener: TLS with an optional client certificate, one handler for every path."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from apiserver.rest.limits import Limits
from apiserver.rest.services import RestServices
from machinery.model.seam import Seam
from machinery.process.server import ListenError
from machinery.process.tls import ServerTls

if TYPE_CHECKING:
    from apiserver.rest.listener import Listener

__all__ = ["RestServices", "serving_rest"]

_LINGER_S: Final = 2.0  # wall seconds that requests have to end in when the server stops


@asynccontextmanager
async def serving_rest(
    services: RestServices,
    listen: Sequence[str],
    tls: ServerTls,
    limits: Limits,
    seam: Seam | None = None,
) -> AsyncIterator[None]:
    """Serve the REST API on "host:port" addresses while inside; ends watches first, then the connections.

    Raises:
        ListenError: an address is taken or cannot be used.
    """
    from apiserver.rest.door import Door
    from apiserver.rest.listener import Listener
    from apiserver.rest.seam import SeamDoor

    clock = services.clock
    door = Door(services, limits) if seam is None else SeamDoor(services, limits, seam)
    listener = Listener(door, limits, wall_s=lambda: clock.timescale.wall(clock.now()))
    listening: list[asyncio.Server] = []
    try:
        for address in listen:
            server = await _listen(listener, address, tls, limits)
            listening.append(server)
        yield
    finally:
        await door.end_streams()
        for each in listening:
            each.close()
        await listener.shutdown(_LINGER_S)


async def _listen(listener: Listener, address: str, tls: ServerTls, limits: Limits) -> asyncio.Server:
    host, _, port = address.rpartition(":")
    context = tls.ssl_context()
    context.set_alpn_protocols(["http/1.1"])
    try:
        return await asyncio.get_running_loop().create_server(
            listener,
            host.strip("[]"),
            int(port),
            ssl=context,
            ssl_handshake_timeout=limits.handshake_s,
            backlog=1024,
        )
    except (OSError, ValueError) as error:
        raise ListenError(f"cannot listen on {address}: {error}") from error
