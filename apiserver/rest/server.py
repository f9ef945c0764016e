"""The REST listener: TLS with an optional client certificate, one handler for every path."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from apiserver.access_log import AccessLog
from apiserver.rest.limits import Limits
from apiserver.rest.services import RestServices
from machinery.model.seam import Seam
from machinery.process.accepting import Accepting
from machinery.process.server import ListenError
from machinery.process.tls import ServerTls

if TYPE_CHECKING:
    from apiserver.rest.listener import AnsweringDoor

__all__ = ["RestServices", "serving_rest"]

_LINGER_S: Final = 2.0  # wall seconds that requests have to end in when the server stops


@asynccontextmanager
async def serving_rest(
    services: RestServices,
    listen: Sequence[str],
    tls: ServerTls,
    limits: Limits,
    seam: Seam | None = None,
    access: AccessLog | None = None,
    around: Callable[[AnsweringDoor], AnsweringDoor] | None = None,
) -> AsyncIterator[None]:
    """Serve the REST API on "host:port" addresses while inside; ends watches first, then the connections.

    `around` returns a door around the one that answers.

    Raises:
        ListenError: an address is taken or cannot be used.
    """
    from apiserver.rest.door import Door
    from apiserver.rest.listener import Listener
    from apiserver.rest.seam import SeamDoor

    clock = services.clock
    door = Door(services, limits) if seam is None else SeamDoor(services, limits, seam)
    if access is not None:
        from apiserver.rest.access import logged_door

        door = logged_door(services, limits, seam, access)
    listener = Listener(
        door if around is None else around(door), limits, wall_s=lambda: clock.wall_ns() // 1_000_000_000
    )
    context = tls.ssl_context()
    context.set_alpn_protocols(["http/1.1"])
    accepting = Accepting(
        listener,
        listener.has_room,
        context,
        greetings=limits.greetings,
        handshake_s=limits.handshake_s,
    )
    try:
        for address in listen:
            await _listen(accepting, address)
        yield
    finally:
        await door.end_streams()
        await accepting.aclose()
        await listener.shutdown(_LINGER_S)


async def _listen(accepting: Accepting, address: str) -> None:
    host, _, port = address.rpartition(":")
    try:
        await accepting.listen(host.strip("[]"), int(port))
    except (OSError, ValueError) as error:
        raise ListenError(f"cannot listen on {address}: {error}") from error
