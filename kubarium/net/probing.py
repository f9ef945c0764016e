"""Servers and probes of the connectivity check: real sockets in the networks of pods, nodes and the machine.

All run in this process. A server answers with its name and the address that asked; a probe connects, or sends a datagram,
and says in words what came back.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Final, cast

from kubarium.core.net.check_ground import PORT
from kubarium.core.net.matrix import NO_NAME, REFUSED, SILENCE, Probe, Result
from kubarium.net.names import look_up
from kubarium.net.spaces import Spaces
from machinery.process.clock import WALL

_PATIENCE_S: Final = 2.5  # wall seconds for an answer that has to come
_SILENCE_S: Final = 1.2  # and for one that must not
_AGAIN_S: Final = 0.4  # after which a datagram is sent again
_AT_ONCE: Final = 96
_STOPPED: Final = frozenset(
    {errno.EPERM, errno.EHOSTUNREACH, errno.ENETUNREACH}
)  # by a rule of the own host, or a route
_KINDS: Final = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}


@dataclass(frozen=True, slots=True)
class Place:
    """Where somebody is: the file of a network namespace ("": the own one), and what their resolver is told by."""

    space: str
    resolv_conf: Path | None = None


@asynccontextmanager
async def serving(
    spaces: Spaces, servers: Mapping[str, Place], families: Sequence[socket.AddressFamily]
) -> AsyncIterator[None]:
    """Have servers answer at their places, by TCP and UDP, at the addresses of some families."""
    loop = asyncio.get_running_loop()
    listening: list[asyncio.Server] = []
    datagrams: list[asyncio.DatagramTransport] = []
    try:
        for (name, place), family in product(servers.items(), families):
            door = await _bound(spaces, place, socket.SOCK_STREAM, family)
            listening.append(await asyncio.start_server(_greeter(name), sock=door))
            udp = await _bound(spaces, place, socket.SOCK_DGRAM, family)
            transport, _ = await loop.create_datagram_endpoint(lambda name=name: _Echo(name), sock=udp)  # type: ignore[misc]
            datagrams.append(transport)
        yield
    finally:
        for server in listening:
            server.close()
        for transport in datagrams:
            transport.close()


async def try_all(spaces: Spaces, places: Mapping[str, Place], probes: Iterable[Probe]) -> list[Result]:
    """Try probes, many at once, and say what came of each."""
    turns = asyncio.Semaphore(_AT_ONCE)

    async def one(probe: Probe) -> Result:
        async with turns:
            return await _try(spaces, places[probe.source], probe)

    return list(await asyncio.gather(*(one(probe) for probe in probes)))


async def _try(spaces: Spaces, place: Place, probe: Probe) -> Result:
    try:
        if problem := await _resolved(spaces, place, probe):
            return Result(probe, problem, problem == probe.end)
        found = [await _ask(spaces, place, probe)]
        while len(found) < probe.times and found[-1] not in {REFUSED, SILENCE}:
            found.append(await _ask(spaces, place, probe))
    except OSError as error:
        return Result(probe, f"error: {error}", passed=False)
    return judged(probe, found)


def judged(probe: Probe, found: Sequence[str]) -> Result:
    """Compare answers, "NAME ADDRESS" each, or another end."""
    if probe.end:
        return Result(probe, found[0], found[0] == probe.end)
    names = {each.partition(" ")[0] for each in found}
    seen = {each.partition(" ")[2] for each in found}
    if not names <= probe.answers:
        return Result(probe, ", ".join(sorted(set(found))), passed=False)
    if len(names) > 1 and probe.times > 1:
        return Result(probe, f"{', '.join(sorted(names))} answer in turn", passed=False)
    if probe.seen_as and seen != {probe.seen_as}:
        return Result(
            probe, f"answers, but is asked from {', '.join(sorted(seen))}, not {probe.seen_as}", passed=False
        )
    return Result(probe, f"{', '.join(names)} answers", passed=True)


async def _resolved(spaces: Spaces, place: Place, probe: Probe) -> str:
    """Look the name of a probe up, if it has one; return what is wrong with that, "" for nothing."""
    if not probe.name or place.resolv_conf is None:
        return ""
    text = place.resolv_conf.read_text()
    try:
        found = await look_up(
            probe.name,
            text,
            lambda: spaces.make_socket(place.space, socket.SOCK_DGRAM),
            "AAAA" if probe.is_ipv6 else "A",
        )
    except LookupError:
        return NO_NAME
    except TimeoutError:
        return "DNS does not answer"
    if probe.end == NO_NAME or found != probe.resolved:
        return f"{probe.name} is {', '.join(sorted(found))}"
    return ""


async def _ask(spaces: Spaces, place: Place, probe: Probe) -> str:
    """Ask once; return the answer, or how it ended."""
    family = socket.AF_INET6 if probe.is_ipv6 else socket.AF_INET
    made = await spaces.make_socket(place.space, _KINDS[probe.protocol], family)
    patience_s = _SILENCE_S if probe.end == SILENCE else _PATIENCE_S
    try:
        async with WALL.timeout_wall(patience_s):
            return await (_ask_tcp if probe.protocol == "tcp" else _ask_udp)(
                made, (probe.address, probe.port)
            )
    except ConnectionRefusedError:
        return REFUSED
    except TimeoutError:
        return SILENCE
    except OSError as error:
        if error.errno in _STOPPED:
            return SILENCE
        raise
    finally:
        made.close()


async def _ask_tcp(made: socket.socket, address: tuple[str, int]) -> str:
    loop = asyncio.get_running_loop()
    await loop.sock_connect(made, address)
    return (await loop.sock_recv(made, 256)).decode()


async def _ask_udp(made: socket.socket, address: tuple[str, int]) -> str:
    loop = asyncio.get_running_loop()
    made.connect(address)
    while True:
        with suppress(
            PermissionError
        ):  # the own host refuses or drops it: what says which comes as an answer
            made.send(b"?")
        try:
            async with WALL.timeout_wall(_AGAIN_S):
                return (await loop.sock_recv(made, 256)).decode()
        except TimeoutError:
            continue


async def _bound(
    spaces: Spaces, place: Place, kind: socket.SocketKind, family: socket.AddressFamily
) -> socket.socket:
    made = await spaces.make_socket(place.space, kind, family)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    made.bind(("", PORT))
    return made


def _greeter(name: str) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:  # noqa: ARG001
        writer.write(f"{name} {writer.get_extra_info('peername')[0]}".encode())
        try:
            await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()

    return greet


class _Echo(asyncio.DatagramProtocol):
    """Answers each datagram."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep what answers are sent by."""
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:  # noqa: ARG002 - asyncio's signature
        """Answer."""
        if self._transport:
            self._transport.sendto(f"{self._name} {addr[0]}".encode(), addr)
