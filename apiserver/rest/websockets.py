"""What the answers over a WebSocket have in common: exec, attach, logs, and watches."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Coroutine
from functools import cache
from typing import TYPE_CHECKING, Any, Final, TypeVar

from apiserver.rest.http_request import HttpRequest
from machinery.model.errors import BadRequest

if TYPE_CHECKING:
    from aiohttp import web

WEBSOCKET, SPDY = "websocket", "spdy/3.1"
"""What a connection can become."""

PROTOCOLS: Final = "Sec-WebSocket-Protocol"
_HEARTBEAT_S: Final = 30.0  # wall seconds between two pings
_LARGEST: Final = 1024 * 1024  # bytes of a message that comes in; kubectl's have 32 KiB

_Result = TypeVar("_Result")


def is_upgrade(http: HttpRequest) -> bool:
    """Whether a request asks for a WebSocket."""
    return http.headers.get("Upgrade", "").lower() == WEBSOCKET


def upgrade_of(http: HttpRequest) -> str:
    """Return what a request asks its connection to become: WEBSOCKET or SPDY.

    Raises:
        BadRequest: it asks for no upgrade.
    """
    if is_upgrade(http):
        return WEBSOCKET
    if http.headers.get("Upgrade", "").lower() == SPDY:
        return SPDY
    raise BadRequest("Upgrade request required")


def offered(http: HttpRequest) -> list[str]:
    """Return the protocols that a request offers to speak over a WebSocket, in its order."""
    values = http.headers.getall(PROTOCOLS, [])
    return [name for value in values for each in value.split(",") if (name := each.strip())]


def negotiated(http: HttpRequest, built: Collection[str]) -> str:
    """Return the first protocol offered that is built: "" where none is offered, and that is built.

    Raises:
        BadRequest: none of those offered is.
    """
    header = http.headers.get(PROTOCOLS, "")
    for name in (each.strip() for each in header.split(",")):
        if name in built:
            return name
    names = ", ".join(name for name in built if name)
    raise BadRequest(f"Sec-WebSocket-Protocol: none of the offered protocols is built: {header}; {names} are")


def text_message(data: bytes) -> bytes:
    """Write a text as the frame of a message, as a server sends it."""
    return _frame(0x81, data)


def binary_message(data: bytes) -> bytes:
    """Write bytes as the frame of a message, as a server sends it."""
    return _frame(0x82, data)


def _frame(kind: int, data: bytes) -> bytes:
    size = len(data)
    if size < 126:
        return bytes((kind, size)) + data
    if size < 1 << 16:
        return bytes((kind, 126)) + size.to_bytes(2, "big") + data
    return bytes((kind, 127)) + size.to_bytes(8, "big") + data


async def until_gone(socket: web.WebSocketResponse) -> None:
    """Return when the caller has gone; what it sends is ignored."""
    async for _ in received(socket):
        pass


def prepared(protocol: str) -> web.WebSocketResponse:
    """Return the answer that takes a request over, once it is begun."""
    protocols = (protocol,) if protocol else ()
    answer: web.WebSocketResponse = _answer_class()(
        protocols=protocols, heartbeat=_HEARTBEAT_S, max_msg_size=_LARGEST, compress=False
    )
    return answer


@cache
def _answer_class() -> Any:
    """Return aiohttp's answer, without the header in which it names itself: kube-apiserver sends none."""
    from aiohttp import web

    class Answer(web.WebSocketResponse):
        async def _prepare_headers(self) -> None:
            await super()._prepare_headers()
            self.headers.popall("Server", None)

    return Answer


async def received(socket: web.WebSocketResponse) -> AsyncIterator[bytes | str]:
    """Yield the messages of the caller until it has gone, or has broken the protocol."""
    from aiohttp import WSMsgType

    async for message in socket:
        if message.type not in {WSMsgType.TEXT, WSMsgType.BINARY}:
            return
        yield message.data


async def send_message(socket: web.WebSocketResponse, message: bytes | str) -> None:
    """Send one message: text as text, bytes as bytes.

    Raises:
        ConnectionError: the caller has gone.
    """
    if isinstance(message, str):
        await socket.send_str(message)
    else:
        await socket.send_bytes(message)


async def until_either_ends(
    going_out: Coroutine[Any, Any, _Result], coming_in: Coroutine[Any, Any, None]
) -> _Result | None:
    """Carry both ways until what goes out ends, or the caller goes; return what `going_out` does, None in the other case.

    An error in what comes in does not end the conversation: what goes out knows how it ended.
    """
    sending, receiving = asyncio.ensure_future(going_out), asyncio.ensure_future(coming_in)
    try:
        await asyncio.wait((sending, receiving), return_when=asyncio.FIRST_COMPLETED)
        if not sending.done() and receiving.exception() is None:
            return None
        return await sending
    finally:
        for task in (sending, receiving):
            task.cancel()
        await asyncio.gather(sending, receiving, return_exceptions=True)
