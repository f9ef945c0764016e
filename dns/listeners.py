"""The sockets: UDP in bursts, TCP with bounded connections on which several questions may be under way.

RFC 1035, RFC 7766 (TCP: pipelined, answers in any order, idle connections closed).
"""

from __future__ import annotations

import asyncio
import socket
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

from dns.answering import Answering, Pending
from dns.core.messages import HEADER_BYTES, MOST_QUERY_BYTES
from dns.core.upstream import Server
from dns.exchange import LENGTH
from machinery.model.clock import Clock

_BURST: Final = 64  # datagrams that are answered before others have their turn
_RECEIVED_BYTES: Final = 1 << 20  # what may wait in the kernel
_AT_ONCE: Final = 16  # questions under way on one connection
_BACKLOG: Final = 128


class ListenError(Exception):
    """An address cannot be listened on; the text names it."""


class Doors:
    """The sockets of all addresses, from `open` to `close`."""

    def __init__(
        self,
        answering: Answering,
        *,
        tasks: asyncio.TaskGroup,
        clock: Clock,
        most_connections: int,
        idle_s: float,
    ) -> None:
        self._answering = answering
        self._tasks = tasks
        self._clock = clock
        self._most = most_connections
        self._idle_s = idle_s
        self._sockets: list[socket.socket] = []
        self._servers: list[asyncio.Server] = []
        self._connections: OrderedDict[asyncio.StreamWriter, None] = OrderedDict()  # the longest idle first

    async def open(self, addresses: Sequence[Server]) -> tuple[int, ...]:
        """Answer at some addresses; return their ports (of port 0, the one that was free).

        Raises:
            ListenError: one of them is taken, or is not ours.
        """
        ports: list[int] = []
        for address in addresses:
            try:
                tcp = socket.create_server(address, family=_family(address), backlog=_BACKLOG)
                self._sockets.append(tcp)
                port = int(tcp.getsockname()[1])
                self._open_udp(Server(address.host, port))
            except OSError as error:
                self.close()
                raise ListenError(f"cannot listen on {address.host}:{address.port}: {error}") from error
            self._servers.append(await asyncio.start_server(self._accept, sock=tcp, limit=1 << 13))
            ports.append(port)
        return tuple(ports)

    def close(self) -> None:
        """Answer nobody any more."""
        loop = asyncio.get_running_loop()
        for server in self._servers:
            server.close()
        for each in self._sockets:
            if each.type == socket.SOCK_DGRAM:
                loop.remove_reader(each)
            each.close()
        for writer in self._connections:
            writer.close()

    def _open_udp(self, address: Server) -> None:
        udp = socket.socket(_family(address), socket.SOCK_DGRAM)
        self._sockets.append(udp)
        udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVED_BYTES)
        udp.bind(address)
        udp.setblocking(False)  # noqa: FBT003 - the standard library's own
        asyncio.get_running_loop().add_reader(udp, self._read_burst, udp)

    def _read_burst(self, udp: socket.socket) -> None:
        for _ in range(_BURST):
            try:
                message, client = udp.recvfrom(MOST_QUERY_BYTES + 1)
            except OSError:  # nothing is there, or the kernel tells of a client that has gone
                return
            begun = self._answering.over_udp(message)
            if isinstance(begun, Pending):
                self._tasks.create_task(self._finish_datagram(udp, client, begun), name="forward-udp")
            elif begun is not None:
                _send(udp, begun, client)

    async def _finish_datagram(self, udp: socket.socket, client: Any, pending: Pending) -> None:
        _send(udp, await self._answering.finish(pending), client)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._tasks.create_task(self._serve(reader, writer), name="connection")

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._make_room()
        self._connections[writer] = None
        under_way = asyncio.Semaphore(_AT_ONCE)
        try:
            while (message := await self._next(reader)) is not None:
                self._connections.move_to_end(writer)
                begun = self._answering.over_tcp(message)
                if isinstance(begun, Pending):
                    await under_way.acquire()
                    self._tasks.create_task(
                        self._finish_message(writer, begun, under_way), name="forward-tcp"
                    )
                elif begun is None:
                    return  # whoever sends what is no question has lost its way in the stream
                else:
                    await self._write(writer, begun)
            for _ in range(_AT_ONCE):
                await under_way.acquire()  # a client may send nothing more and wait for its answers
        except (OSError, TimeoutError):
            return
        finally:
            self._connections.pop(writer, None)
            writer.close()

    async def _next(self, reader: asyncio.StreamReader) -> bytes | None:
        """Return the next message, None at the end of the stream or of our patience."""
        with suppress(TimeoutError, asyncio.IncompleteReadError, OSError):
            async with self._clock.timeout_wall(self._idle_s):
                (length,) = LENGTH.unpack(await reader.readexactly(LENGTH.size))
                if HEADER_BYTES <= length <= MOST_QUERY_BYTES:
                    return await reader.readexactly(length)
        return None

    async def _finish_message(
        self, writer: asyncio.StreamWriter, pending: Pending, under_way: asyncio.Semaphore
    ) -> None:
        try:
            await self._write(writer, await self._answering.finish(pending))
        except (OSError, TimeoutError):
            return  # the client has gone
        finally:
            under_way.release()

    async def _write(self, writer: asyncio.StreamWriter, answer: bytes) -> None:
        """Send an answer; a client that does not read it has as long as one that does not ask."""
        writer.write(LENGTH.pack(len(answer)) + answer)
        async with self._clock.timeout_wall(self._idle_s):
            await writer.drain()

    def _make_room(self) -> None:
        while len(self._connections) >= self._most:
            oldest, _ = self._connections.popitem(last=False)
            oldest.close()


def _send(udp: socket.socket, answer: bytes, client: Any) -> None:
    with suppress(OSError):  # the client asks again
        udp.sendto(answer, client)


def _family(address: Server) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address.host else socket.AF_INET
