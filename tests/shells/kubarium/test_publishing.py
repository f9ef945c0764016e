"""What comes in at a published port is forwarded: over real sockets, to servers in this process, found in a registry in memory."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
import uvloop

from kubarium.core.publications import Place, Publication, Target, Ways
from kubarium.publishing.dialing import Dialer
from kubarium.publishing.forwarding import Forwarder, ListenError
from kubarium.publishing.wayfinder import Wayfinder
from machinery.model.k8s.core_v1 import Service, ServicePort, ServiceSpec
from machinery.model.log import SILENT
from machinery.model.resources import SERVICES
from machinery.process.clock import WALL, SystemClock
from tests.support.builders import meta
from tests.support.ports import free_port
from tests.support.scripted_api import local_registry
from tests.support.waiting import until

PATIENCE_S = 20


@dataclass
class Log:
    """Remembers events."""

    lines: list[str] = field(default_factory=list)

    def debug(self, event: str, /, **fields: object) -> None:
        self.lines.append(f"{event} {fields.get('why', '')}".strip())

    info = warning = error = debug


@dataclass
class Running:
    """A port that is forwarded."""

    port: int
    ways: list[Ways]
    log: Log
    forwarder: Forwarder


@asynccontextmanager
async def forwarding(
    *places: Place, protocol: str = "TCP", most: int = 4, idle_s: float = 60.0
) -> AsyncIterator[Running]:
    """Forward a free port to some places."""
    ways, log = [Ways(places)], Log()
    async with asyncio.TaskGroup() as tasks:
        forwarder = Forwarder(
            Publication("127.0.0.1", 0, Target(port="80"), protocol),
            lambda: ways[0],
            Dialer(WALL),
            tasks=tasks,
            clock=WALL,
            log=log,
            most=most,
            udp_idle_s=idle_s,
        )
        port = await forwarder.open()
        try:
            yield Running(port, ways, log, forwarder)
        finally:
            forwarder.close()
            for task in tasks._tasks:
                task.cancel()


@asynccontextmanager
async def echo() -> AsyncIterator[Place]:
    """Serve: answer all that comes at its end, in capitals."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        data = await reader.read()
        writer.write(data.upper())
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    try:
        yield Place(*server.sockets[0].getsockname()[:2])
    finally:
        server.close()
        await server.wait_closed()


async def ask(port: int, data: bytes) -> bytes:
    """Send all, end the direction, read all."""
    async with asyncio.timeout(PATIENCE_S):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(data)
            writer.write_eof()
            return await reader.read()
        finally:
            writer.close()


async def is_turned_away(port: int) -> bool:
    """Whether the connection is reset."""
    try:
        return await ask(port, b"x") == b""
    except OSError:
        return True


def nowhere() -> Place:
    """A place where nobody listens."""
    return Place("127.0.0.1", free_port())


async def test_bytes_go_there_and_back_and_each_direction_ends_by_itself() -> None:
    """The answer comes after the end of the question: a megabyte, which does not fit into any buffer."""
    async with echo() as place, forwarding(place) as running:
        assert await ask(running.port, b"ab" * 500_000) == b"AB" * 500_000
        answers = await asyncio.gather(*(ask(running.port, b"x%d" % number) for number in range(4)))
        assert answers == [b"X%d" % number for number in range(4)]


def test_the_loop_that_processes_have_forwards_as_the_standard_one() -> None:
    """Questions at once and in parts."""

    async def both() -> None:
        async with echo() as place, forwarding(place) as running:
            assert await ask(running.port, b"ab" * 500_000) == b"AB" * 500_000
            reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
            await until(lambda: len(running.forwarder._pairs) == 1)
            for part in (b"one ", b"two"):
                writer.write(part)
                await asyncio.sleep(0)
            writer.write_eof()
            assert await reader.read() == b"ONE TWO"
            writer.close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(both())


async def test_a_place_that_refuses_is_followed_by_the_next() -> None:
    """As a node that is down is."""
    async with echo() as place, forwarding(nowhere(), place) as running:
        assert await ask(running.port, b"hello") == b"HELLO"


async def test_without_a_way_a_client_is_turned_away_and_the_log_says_once_why() -> None:
    """And that there is one again."""
    async with echo() as place, forwarding() as running:
        running.ways[0] = Ways(problem="no Service shop/web")
        for _ in range(2):
            assert await is_turned_away(running.port)
        running.ways[0] = Ways((place,))
        assert await ask(running.port, b"x") == b"X"
        assert running.log.lines == ["no_way no Service shop/web", "way_found"]


async def test_of_more_connections_than_may_be_the_new_ones_are_closed() -> None:
    """Those that are there go on."""
    async with echo() as place, forwarding(place, most=1) as running:
        reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
        writer.write(b"first")
        await until(lambda: len(running.forwarder._pairs) == 1)
        assert await is_turned_away(running.port)
        writer.write_eof()
        assert await reader.read() == b"FIRST"
        writer.close()


async def test_a_port_that_is_taken_is_named() -> None:
    """Before anything is forwarded."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        async with asyncio.TaskGroup() as tasks:
            forwarder = Forwarder(
                Publication("127.0.0.1", port, Target(port="80")),
                Ways,
                Dialer(WALL),
                tasks=tasks,
                clock=WALL,
                log=SILENT,
            )
            with pytest.raises(ListenError, match=f"127.0.0.1:{port}: Address already in use"):
                await forwarder.open()


class _Echo(asyncio.DatagramProtocol):
    """Answers each datagram with who sent it."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.transport.sendto(data.upper() + b" %d" % addr[1], addr)  # type: ignore[attr-defined]


async def test_datagrams_of_a_client_go_over_one_socket_until_it_is_silent() -> None:
    """Another client has another one."""
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(_Echo, local_addr=("127.0.0.1", 0))
    place = Place(*transport.get_extra_info("sockname")[:2])
    try:
        async with forwarding(place, protocol="UDP", idle_s=0.2) as running:
            with client_of(running.port) as first, client_of(running.port) as second:
                said = [await exchange(each, b"hi") for each in (first, first, second)]
                assert said[0] == said[1] != said[2]
                assert all(each.startswith(b"HI ") for each in said)
                await until(lambda: not running.forwarder._datagrams._clients)  # type: ignore[union-attr]
                assert await exchange(first, b"again") != said[0]
    finally:
        transport.close()
        await asyncio.sleep(0)


def client_of(port: int) -> socket.socket:
    """A socket for datagrams to a port."""
    client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    client.setblocking(False)
    client.connect(("127.0.0.1", port))
    return client


async def exchange(client: socket.socket, data: bytes) -> bytes:
    """Send, and read the answer."""
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(PATIENCE_S):
        await loop.sock_sendall(client, data)
        return await loop.sock_recv(client, 65_535)


async def test_ways_follow_the_clusters_services() -> None:
    """By the port that a LoadBalancer has, and by name; a Service that goes takes its way with it."""
    by_port = Publication("127.0.0.1", 8080, Target(port="80"))
    by_name = Publication("127.0.0.1", 8081, Target("default", "web"))
    async with local_registry(SystemClock()) as registry, asyncio.TaskGroup() as tasks:
        wayfinder = Wayfinder(registry.user, enters_nodes=False, clock=WALL)
        assert wayfinder.ways(by_name).problem == "no Service default/web"
        following = tasks.create_task(wayfinder.run())
        await wayfinder.synced()
        spec = ServiceSpec(type="LoadBalancer", clusterIP="10.96.0.7", ports=[ServicePort(port=80)])
        await registry.given(SERVICES, Service(metadata=meta("web", "default"), spec=spec))
        for each in (by_port, by_name):
            await until(lambda each=each: "no node is Ready" in wayfinder.ways(each).problem)
        address = {"status": {"loadBalancer": {"ingress": [{"ip": "10.77.0.211"}]}}}
        await registry.user.patch(SERVICES, "web", address, namespace="default", subresource="status")
        for each in (by_port, by_name):
            await until(lambda each=each: wayfinder.ways(each).places[:1] == (Place("10.77.0.211", 80),))
        await registry.user.delete(SERVICES, "web", namespace="default")
        await until(lambda: not wayfinder.ways(by_port).places)
        following.cancel()
