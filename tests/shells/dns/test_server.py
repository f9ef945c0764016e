"""The whole server on loopback, fed by a registry in memory, asked by c-ares and by hand, with another server upstream."""

from __future__ import annotations

import asyncio
import io
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import pycares
import pytest
from dnslib import RR, A, DNSRecord

from dns.app import Dns
from dns.config import DnsConfig
from kubarium.dns_answers import connected, until_it_answers
from machinery.model.k8s.core_v1 import ConfigMap
from machinery.model.resources import CONFIG_MAPS, ENDPOINT_SLICES, SERVICES
from machinery.process.clock import SystemClock
from machinery.process.logging import Log
from machinery.process.run import Process
from tests.support.builders import meta
from tests.support.dns import endpoint, endpoint_slice, question, service
from tests.support.ports import free_port, free_ports
from tests.support.scripted_api import LocalRegistry, local_registry
from tests.support.waiting import until

WEB = "web.default.svc.cluster.local"
DB = "db.default.svc.cluster.local"
MANY = "many.default.svc.cluster.local"


class Other(asyncio.DatagramProtocol):
    """Another server: knows `*.example.com`, is silent or failing on request, and counts what it is asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.is_silent = False
        self.code = 0

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self.address: tuple[str, int] = transport.get_extra_info("sockname")

    def datagram_received(self, data: bytes, addr: Any) -> None:
        asked = DNSRecord.parse(data)
        self.asked.append(str(asked.q.qname))
        if self.is_silent:
            return
        reply = asked.reply()
        reply.header.rcode = self.code or (0 if asked.q.qname.matchSuffix("example.com") else 3)
        if not reply.header.rcode and asked.q.qtype == 1:
            reply.add_answer(RR(asked.q.qname, 1, ttl=60, rdata=A("192.0.2.1")))
        self._transport.sendto(reply.pack(), addr)


@dataclass
class Running:
    """A server at work."""

    registry: LocalRegistry
    process: Process
    port: int
    other: Other
    second: Other
    log: io.StringIO

    async def ask(self, name: str, kind: int = pycares.QUERY_TYPE_A) -> list[str] | str:
        """Ask as programs in C do; return the values, or why there are none."""
        loop = asyncio.get_running_loop()
        resolver = pycares.Channel(  # a new one: it remembers what it was told
            servers=["127.0.0.1"], udp_port=self.port, tcp_port=self.port, timeout=60, tries=1, lookups="b"
        )
        answered: asyncio.Future[Any] = loop.create_future()

        def told(result: Any, error: int | None) -> None:
            values = pycares.errno.strerror(error) if error else result
            loop.call_soon_threadsafe(lambda: answered.done() or answered.set_result(values))

        resolver.query(name, kind, callback=told)
        async with asyncio.timeout(60):
            result = await answered
        return result if isinstance(result, str) else sorted(_value(each.data) for each in result.answer)

    async def by_hand(self, message: bytes) -> DNSRecord:
        """Send a datagram, and read the answer."""
        loop = asyncio.get_running_loop()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.setblocking(False)
            await loop.sock_connect(client, ("127.0.0.1", self.port))
            await loop.sock_sendall(client, message)
            async with asyncio.timeout(40):
                return DNSRecord.parse(await loop.sock_recv(client, 65_535))


def _value(data: Any) -> str:
    for name in ("addr", "cname", "dname"):
        if hasattr(data, name):
            return str(getattr(data, name))
    if hasattr(data, "target"):
        return f"{data.port} {data.target}"
    return str(data)


@asynccontextmanager
async def two_others() -> AsyncIterator[list[Other]]:
    """Run two other servers."""
    loop = asyncio.get_running_loop()
    doors = [await loop.create_datagram_endpoint(Other, local_addr=("127.0.0.1", 0)) for _ in range(2)]
    try:
        yield [other for _, other in doors]
    finally:
        for transport, _ in doors:
            transport.close()
        await asyncio.sleep(0)  # the loop closes them


@asynccontextmanager
async def running(**flags: Any) -> AsyncIterator[Running]:
    """Run a server beside two others, of which it asks both."""
    log = io.StringIO()
    async with two_others() as others, local_registry(SystemClock()) as registry:
        await registry.given(SERVICES, service("web", ips=["10.96.0.7"]))
        await registry.given(SERVICES, service("db"))
        ends = [endpoint(f"10.244.0.{index}", f"db-{index}") for index in range(1, 4)]
        await registry.given(ENDPOINT_SLICES, endpoint_slice(*ends, of="db"))
        await registry.given(SERVICES, service("many"))
        crowd = [endpoint(f"10.244.1.{index}") for index in range(1, 91)]
        await registry.given(ENDPOINT_SLICES, endpoint_slice(*crowd, of="many"))
        await registry.given(SERVICES, service("out", external_name="www.example.com"))
        port = free_port()
        config = DnsConfig(
            server="memory:0",
            **{
                "listen": (f"127.0.0.1:{port}",),
                "upstream": tuple(f"127.0.0.1:{other.address[1]}" for other in others),
                "upstream_timeout_s": 1.0,
                **flags,
            },
        )
        config.validate()
        async with asyncio.TaskGroup() as tasks:
            process = Process("dns", config, Log("dns", stream=log), tasks)
            work = tasks.create_task(Dns(config, process, registry.api("dns")).run())
            await until(lambda: not process.health.problems(), what="the server is ready")
            yield Running(registry, process, port, *others, log)
            work.cancel()


async def test_what_programs_get():
    """Over UDP, and over TCP where an answer is long."""
    async with running() as here:
        srv, ptr, txt = pycares.QUERY_TYPE_SRV, pycares.QUERY_TYPE_PTR, pycares.QUERY_TYPE_TXT
        assert await here.ask(WEB) == ["10.96.0.7"]
        assert await here.ask(WEB.upper()) == ["10.96.0.7"]
        assert await here.ask(DB) == ["10.244.0.1", "10.244.0.2", "10.244.0.3"]
        assert await here.ask(f"db-2.{DB}") == ["10.244.0.2"]
        assert len(await here.ask(MANY)) == 90
        assert await here.ask(f"_http._tcp.{WEB}", srv) == [f"80 {WEB}"]
        assert await here.ask(f"_http._tcp.{DB}", srv) == [f"8080 db-{index}.{DB}" for index in range(1, 4)]
        assert await here.ask("7.0.96.10.in-addr.arpa", ptr) == [WEB]
        assert await here.ask("out.default.svc.cluster.local") == ["192.0.2.1", "www.example.com"]
        assert await here.ask("dns-version.cluster.local", txt) != "Domain name not found"
        assert await here.ask("10-1-2-3.default.pod.cluster.local") == ["10.1.2.3"]
        assert await here.ask("no.default.svc.cluster.local") == "Domain name not found"
        assert "no data" in str(await here.ask(WEB, pycares.QUERY_TYPE_AAAA))
        assert await here.ask("www.example.com") == ["192.0.2.1"]
        assert await here.ask("www.example.org") == "Domain name not found"


async def test_changes_are_answered():
    """Also where the answer before was kept as bytes."""
    async with running() as here:
        assert await here.ask(f"db-2.{DB}") == ["10.244.0.2"]
        one = {"endpoints": [endpoint("10.244.0.9", "db-2")]}
        await here.registry.user.patch(ENDPOINT_SLICES, "db-1", one, namespace="default")
        async with asyncio.timeout(60):
            while await here.ask(f"db-2.{DB}") != ["10.244.0.9"]:
                pass
        assert await here.ask("new.default.svc.cluster.local") == "Domain name not found"
        await here.registry.given(SERVICES, service("new", ips=["10.96.0.9"]))
        async with asyncio.timeout(60):
            while await here.ask("new.default.svc.cluster.local") != ["10.96.0.9"]:
                pass


async def until_told(here: Running, name: str, wanted: list[str] | str) -> None:
    """Ask until that is the answer."""
    async with asyncio.timeout(60):
        while await here.ask(name) != wanted:
            pass


async def test_a_user_changes_settings_while_it_runs():
    """Each change counts at once; one that makes no sense does not, and the one before goes on."""
    async with running() as here:
        user, name = here.registry.user, "kubarium-dns"
        stub = f'{{"corp.example": ["127.0.0.1:{here.second.address[1]}"]}}'
        data = {"hosts": f"192.0.2.9 printer.example {WEB}", "stubDomains": stub}
        assert await here.ask("printer.example") == "Domain name not found"
        assert await here.ask(WEB) == ["10.96.0.7"]
        await here.registry.given(CONFIG_MAPS, ConfigMap(metadata=meta(name, "kube-system"), data=data))
        await until_told(here, "printer.example", ["192.0.2.9"])
        assert await here.ask(WEB) == ["192.0.2.9"]
        here.second.asked.clear()
        await here.ask("a.corp.example")
        assert here.second.asked == ["a.corp.example."]
        await user.patch(CONFIG_MAPS, name, {"data": {"hosts": "printer"}}, namespace="kube-system")
        await until(lambda: "settings_refused" in here.log.getvalue(), what="the log")
        assert "hosts: line 1" in here.log.getvalue()
        assert await here.ask("printer.example") == ["192.0.2.9"]
        await user.delete(CONFIG_MAPS, name, namespace="kube-system")
        await until_told(here, "printer.example", "Domain name not found")
        assert await here.ask(WEB) == ["10.96.0.7"]


async def test_pages_say_how_it_is_and_what_was_asked():
    """As pods are probed and scraped: in the clear, where flags say so."""
    one, two = free_ports(2)
    flags = {"health_listen": f"127.0.0.1:{one}", "ready_listen": f"127.0.0.1:{two}"}
    async with running(**flags, metrics_listen=f"127.0.0.1:{two}") as here:
        for _ in range(3):
            await here.ask(WEB)
        await here.ask("no.default.svc.cluster.local")
        assert (await page(one, "/health"), await page(two, "/ready")) == ((200, "ok"), (200, "ok"))
        assert (await page(one, "/livez"))[0] == 404
        _, text = await page(two, "/metrics")
        assert 'dns_requests_total{protocol="udp"} 4\n' in text
        assert 'dns_responses_total{code="NOERROR"} 3\n' in text
        assert 'dns_responses_total{code="NXDOMAIN"} 1\n' in text


async def page(port: int, path: str) -> tuple[int, str]:
    """Read a page."""
    async with asyncio.timeout(60):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        head, _, body = (await reader.read()).decode().partition("\r\n\r\n")
        writer.close()
        return int(head.split()[1]), body


async def test_other_servers_are_asked_once_and_in_turn():
    """What was said is told again; a silent server is followed by the next, and asked last for a while."""
    async with running() as here:
        assert await here.ask("a.example.com") == await here.ask("a.example.com") == ["192.0.2.1"]
        assert here.other.asked == ["a.example.com."]
        here.other.is_silent = True
        assert await here.ask("b.example.com") == ["192.0.2.1"]
        assert await here.ask("c.example.com") == ["192.0.2.1"]
        assert here.other.asked == ["a.example.com.", "b.example.com."]
        assert here.second.asked == ["b.example.com.", "c.example.com."]
        here.second.is_silent = True
        told = await here.by_hand(question("d.example.com"))
        assert told.header.rcode == 2
        assert "upstream_failed" in here.log.getvalue()


async def test_nobody_is_asked_without_need():
    """Not for one who wants no recursion, not twice at once for the same, not where there is nobody; ourselves never."""
    async with running() as here:
        assert (await here.by_hand(question("a.example.com", flags=0))).header.rcode == 5
        await asyncio.gather(*(here.by_hand(question("b.example.com", number=each)) for each in range(20)))
        assert here.other.asked == ["b.example.com."]
    async with running(upstream=(), resolv_conf="") as here:
        assert (await here.by_hand(question("a.example.com"))).header.rcode == 5
        assert await here.ask(WEB) == ["10.96.0.7"]


async def test_a_server_that_is_not_there_is_noticed_at_once():
    """The kernel says that nobody listens: nobody waits for the time to be over."""
    nobody = free_port()
    async with running(upstream=(f"127.0.0.1:{nobody}",), upstream_timeout_s=60.0) as here:
        assert (await here.by_hand(question("a.example.com"))).header.rcode == 2


async def test_garbage_harms_nobody():
    """Whatever comes over UDP or TCP, the next question is answered."""
    async with running(idle_s=0.5) as here:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            for junk in (
                b"",
                b"\0",
                b"\xff" * 512,
                question(WEB)[:-3],
                bytes(range(256)) * 16,
                b"\xc0\x0c" * 2000,
            ):
                client.sendto(junk, ("127.0.0.1", here.port))
        for junk in (b"\0", b"\0\0", b"\xff\xff" + b"x" * 100, struct.pack("!H", 12) + b"\xff" * 12):
            reader, writer = await asyncio.open_connection("127.0.0.1", here.port)
            writer.write(junk)
            async with asyncio.timeout(60):
                await reader.read()
            writer.close()
        assert await here.ask(WEB) == ["10.96.0.7"]


async def test_questions_may_follow_each_other_on_a_connection():
    """And one that others answer does not hold up the next; a connection more than there is room for ends the idlest."""
    async with running(most_connections=2) as here:
        here.other.is_silent = True
        reader, writer = await asyncio.open_connection("127.0.0.1", here.port)
        for number, name in ((1, "slow.example.com"), (2, WEB), (3, DB)):
            asked = question(name, number=number)
            writer.write(struct.pack("!H", len(asked)) + asked)
        order = []
        async with asyncio.timeout(60):
            for _ in range(3):
                (length,) = struct.unpack("!H", await reader.readexactly(2))
                order.append(DNSRecord.parse(await reader.readexactly(length)).header.id)
            assert order == [2, 3, 1]
            others = [await asyncio.open_connection("127.0.0.1", here.port) for _ in range(2)]
            assert await reader.read() == b""
        for _, each in (*others, (reader, writer)):
            each.close()


async def _announced(registry: LocalRegistry) -> list[tuple[str, str, int | None]]:
    """List address, port name and port of each endpoint of kube-dns."""
    listing = await registry.user.list(ENDPOINT_SLICES)
    return sorted(
        (end.addresses[0], port.name, port.port)
        for each in listing.items
        if each.metadata.namespace == "kube-system"
        for end in each.endpoints
        for port in each.ports
    )


async def test_a_server_announces_itself():
    """By the Service kube-dns on its usual address; again where somebody deletes that, not where it selects pods."""
    flags = {"announce_address": "10.77.0.1", "announce_port": 6447}
    async with running(**flags) as here:
        user = here.registry.user
        found = await user.get(SERVICES, "kube-dns", namespace="kube-system")
        assert (found.spec.clusterIP, found.metadata.labels["k8s-app"]) == ("10.96.0.10", "kube-dns")
        both = [("10.77.0.1", "dns", 6447), ("10.77.0.1", "dns-tcp", 6447)]
        assert await _announced(here.registry) == both
        await user.delete(SERVICES, "kube-dns", namespace="kube-system")

        async def is_back() -> bool:
            return "kube-dns" in [each.metadata.name for each in (await user.list(SERVICES)).items]

        await until(is_back)
        selecting = {"spec": {"selector": {"k8s-app": "kube-dns"}}}
        await user.patch(SERVICES, "kube-dns", selecting, namespace="kube-system")

        async def is_withdrawn() -> bool:
            return not await _announced(here.registry)

        await until(is_withdrawn)
        assert await here.ask("kube-dns.kube-system.svc.cluster.local") == ["10.96.0.10"]


async def test_up_waits_until_names_are_answered():
    """Not while the apiserver has no name, though somebody answers that."""
    async with running() as here:
        waiting = asyncio.create_task(until_it_answers(partial(connected, "127.0.0.1", here.port)))
        assert await here.ask("kubernetes.default.svc.cluster.local") == "Domain name not found"
        assert not waiting.done()
        await here.registry.given(SERVICES, service("kubernetes", ips=["10.96.0.1"]))
        async with asyncio.timeout(60):
            await waiting


async def test_an_address_that_is_taken_is_named():
    """The process ends with it."""
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(ExceptionGroup) as caught:
        async with running(listen=(f"127.0.0.1:{taken.getsockname()[1]}",)):
            pass
    assert caught.group_contains(Exception, match="cannot listen on 127.0.0.1")
