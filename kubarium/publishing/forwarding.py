"""What comes in at a port goes to the place where its publication leads, and what comes back returns.

A connection stays with the place that took it. Datagrams of one client go over one socket, so that answers find their way
back, until the client has been silent for a while.
"""

from __future__ import annotations

import asyncio
import socket
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, cast

from kubarium.core.publications import TCP, Publication, Ways
from kubarium.publishing.dialing import Dialer
from machinery.model.clock import Clock
from machinery.model.log import EventLog

_BACKLOG: Final = 128
_MOST_BYTES: Final = 65_535
_BURST: Final = 64  # datagrams before others have their turn
_MOST_CLIENTS: Final = 1024  # of one UDP port; the longest silent one makes room


class ListenError(Exception):
    """An address cannot be listened on; the text names it."""


class Forwarder:
    """One publication at work, from `open` to `close`."""

    def __init__(
        self,
        publication: Publication,
        find: Callable[[], Ways],
        dialer: Dialer,
        *,
        tasks: asyncio.TaskGroup,
        clock: Clock,
        log: EventLog,
        most: int = 1024,
        udp_idle_s: float = 60.0,
    ) -> None:
        self.publication = publication
        self._find = find
        self._dialer = dialer
        self._tasks = tasks
        self._clock = clock
        self._log = log
        self._most = most
        self._udp_idle_s = udp_idle_s
        self._server: asyncio.Server | None = None
        self._datagrams: _Datagrams | None = None
        self._pairs: set[_Near] = set()
        self._told = ""

    async def open(self) -> int:
        """Listen; return the port (of port 0, the one that was free).

        Raises:
            ListenError: the address is taken, or is not ours.
        """
        host, port = self.publication.host, self.publication.port
        kind = socket.SOCK_STREAM if self.publication.protocol == TCP else socket.SOCK_DGRAM
        try:
            listener = _bound(host, port, kind)
        except OSError as error:
            where = self.publication.listens_at
            raise ListenError(f"cannot listen on {where}: {error.strerror or error}") from error
        if kind is socket.SOCK_DGRAM:
            self._datagrams = _Datagrams(listener, self)
            self._tasks.create_task(self._datagrams.forget_silent(), name=f"udp-{port}")
        else:
            loop = asyncio.get_running_loop()
            self._server = await loop.create_server(lambda: _Near(self), sock=listener, backlog=_BACKLOG)
        return int(listener.getsockname()[1])

    def close(self) -> None:
        """Listen no more, and end what is under way."""
        if self._server is not None:
            self._server.close()
        if self._datagrams is not None:
            self._datagrams.close()
        for pair in tuple(self._pairs):
            pair.abort()

    def begin(self, near: _Near) -> None:
        """Dial for a client that has connected."""
        if len(self._pairs) >= self._most:
            near.abort()
            return
        self._pairs.add(near)
        near.dialing = self._tasks.create_task(self._dial(near), name="dial")

    def end(self, near: _Near) -> None:
        """Forget a client that has gone."""
        self._pairs.discard(near)

    async def _dial(self, near: _Near) -> None:
        try:
            made = await self._dialer.connect(self._find())
        except OSError as error:
            self.tell(str(error))
            near.abort()
            return
        self.tell("")
        far = _End()
        try:
            await asyncio.get_running_loop().create_connection(lambda: far, sock=made)
        except BaseException:
            made.close()
            near.abort()
            raise
        near.join(far)

    def socket_for_datagrams(self) -> socket.socket | None:
        """Return a socket to where a new client's datagrams go, None where that is nowhere."""
        try:
            made = self._dialer.datagrams(self._find())
        except OSError as error:
            self.tell(str(error))
            return None
        self.tell("")
        return made

    def tell(self, problem: str) -> None:
        """Log why nothing is forwarded, and that it is again: each once, until it changes."""
        if problem == self._told:
            return
        self._told, where = problem, self.publication.listens_at
        if problem:
            self._log.warning("no_way", port=where, to=self.publication.target, why=problem)
        else:
            self._log.info("way_found", port=where, to=self.publication.target)

    @property
    def clock(self) -> Clock:
        """The clock."""
        return self._clock

    @property
    def udp_idle_s(self) -> float:
        """How long a client may be silent, in wall seconds."""
        return self._udp_idle_s


class _End(asyncio.Protocol):
    """One of two connections: what it reads the other one writes."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self._other: _End | None = None
        self._early: list[bytes] = []  # what it read before it had another one
        self._is_over = False  # whether its peer writes no more

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def join(self, other: _End) -> None:
        """Join two connections, each of which has been made."""
        self._other, other._other = other, self
        for each in (self, other):
            each.pass_on()

    def pass_on(self) -> None:
        """Write what was read before."""
        early, self._early = self._early, []
        for data in early:
            self.data_received(data)
        if early and self.transport is not None:
            self.transport.resume_reading()
        if self._is_over:
            self._end_other()

    def data_received(self, data: bytes) -> None:
        if self._other is None:
            if not self._early and self.transport is not None:
                self.transport.pause_reading()
            self._early.append(data)
        elif self._other.transport is not None:
            self._other.transport.write(data)

    def eof_received(self) -> bool:
        """Pass the end of the one direction on; the other goes on until it ends, too."""
        self._is_over = True
        other = self._other
        if other is not None and (other.transport is None or other._is_over):  # noqa: SLF001 - its twin
            return False
        self._end_other()
        return True

    def _end_other(self) -> None:
        if self._other is not None and self._other.transport is not None:
            with suppress(OSError, RuntimeError):  # it is closing already
                self._other.transport.write_eof()

    def pause_writing(self) -> None:
        if self._other is not None and self._other.transport is not None:
            self._other.transport.pause_reading()

    def resume_writing(self) -> None:
        if self._other is not None and self._other.transport is not None:
            self._other.transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        other, self._other, self.transport = self._other, None, None
        if other is not None and other.transport is not None:
            if exc is None:
                other.transport.close()
            else:
                other.transport.abort()


class _Near(_End):
    """A client's connection."""

    def __init__(self, forwarder: Forwarder) -> None:
        super().__init__()
        self._forwarder = forwarder
        self.dialing: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._forwarder.begin(self)

    def connection_lost(self, exc: Exception | None) -> None:
        if self.dialing is not None:
            self.dialing.cancel()
        self._forwarder.end(self)
        super().connection_lost(exc)

    def join(self, other: _End) -> None:
        if self.transport is None and other.transport is not None:
            other.transport.abort()  # the client has gone
        super().join(other)

    def abort(self) -> None:
        """Reset the connection."""
        if self.transport is not None:
            self.transport.abort()


class _Datagrams:
    """A UDP port and the sockets of its clients."""

    def __init__(self, listener: socket.socket, forwarder: Forwarder) -> None:
        self._listener = listener
        self._forwarder = forwarder
        self._clients: OrderedDict[Any, tuple[socket.socket, float]] = (
            OrderedDict()
        )  # the longest silent first
        asyncio.get_running_loop().add_reader(listener, self._read)

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._listener)
        self._listener.close()
        for client in tuple(self._clients):
            self._drop(client)

    async def forget_silent(self) -> None:
        """Forget clients that have been silent for too long, until cancelled."""
        clock, idle_s = self._forwarder.clock, self._forwarder.udp_idle_s
        while True:
            await clock.sleep_wall(idle_s / 4)
            limit_s = clock.monotonic_wall() - idle_s
            for client in [each for each, (_, last_s) in self._clients.items() if last_s < limit_s]:
                self._drop(client)

    def _read(self) -> None:
        for _ in range(_BURST):
            try:
                data, client = self._listener.recvfrom(_MOST_BYTES)
            except OSError:  # nothing is there, or the kernel tells of a client that has gone
                return
            far = self._socket_of(client)
            if far is not None:
                try:
                    far.send(data)
                except BlockingIOError:
                    continue  # lost, as datagrams may be
                except OSError:
                    self._drop(client)  # nobody is there; the next one may find somebody else

    def _socket_of(self, client: Any) -> socket.socket | None:
        known = self._clients.get(client)
        far = known[0] if known else self._forwarder.socket_for_datagrams()
        if far is None:
            return None
        if known is None:
            while len(self._clients) >= _MOST_CLIENTS:
                self._drop(next(iter(self._clients)))
            asyncio.get_running_loop().add_reader(far, self._answer, client, far)
        self._clients[client] = far, self._forwarder.clock.monotonic_wall()
        self._clients.move_to_end(client)
        return far

    def _answer(self, client: Any, far: socket.socket) -> None:
        for _ in range(_BURST):
            try:
                data = far.recv(_MOST_BYTES)
            except BlockingIOError:
                return
            except OSError:
                self._drop(client)
                return
            with suppress(OSError):
                self._listener.sendto(data, client)

    def _drop(self, client: Any) -> None:
        far, _ = self._clients.pop(client)
        asyncio.get_running_loop().remove_reader(far)
        far.close()


def _bound(host: str, port: int, kind: socket.SocketKind) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, kind)
    try:
        if kind is socket.SOCK_STREAM:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.setblocking(False)  # noqa: FBT003 - the standard library's own
    except OSError:
        listener.close()
        raise
    return listener
