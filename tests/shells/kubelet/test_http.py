"""The small HTTP client against a real server, and against things that are none."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest
from aiohttp import web

from kubarium.core.certificates import Certificate
from kubarium.identity.pki import Pki
from kubelet.core.probing import PROBE_OUTPUT_LIMIT, Outcome
from kubelet.hooks import HookProblem, Hooks
from kubelet.http_probe import HttpProblem, http_get
from machinery.model.k8s.core_v1 import HTTPGetAction, LifecycleHandler
from machinery.process.clock import WALL, SystemClock
from tests.support.ports import free_ports
from tests.support.waiting import pause

if TYPE_CHECKING:
    from kubelet.runtime import Runtime

_Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def _serving(answer: _Answer, context: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    server = web.Server(answer)
    runner = web.ServerRunner(server)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


@asynccontextmanager
async def _raw(reply: bytes) -> AsyncIterator[int]:
    over: list[asyncio.Event] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        over.append(asyncio.Event())
        with contextlib.suppress(OSError, EOFError):  # some ask nothing
            await reader.readuntil(b"\r\n\r\n")
            writer.write(reply)
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        over[-1].set()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]
        await pause(0.01, "a slow server")  # the server may not have heard of the connection yet
        for event in over:
            await event.wait()


async def _get(
    port: int, path: str = "/x?y=1", headers: tuple[tuple[str, str], ...] = (), scheme: str = "HTTP"
):
    return await http_get("127.0.0.1", port, path, headers, scheme, 30.0)


async def test_what_is_asked_and_what_comes_back():
    """Path and query as they are, a user agent of its own, and headers that replace the defaults."""
    seen: list[web.Request] = []

    async def answer(request: web.Request) -> web.Response:
        seen.append(request)
        return web.Response(text="fine", status=203)

    async with _serving(answer) as port:
        assert await _get(port, headers=(("Host", "other"), ("X-A", "1"))) == (203, b"fine")
    [request] = seen
    assert request.path_qs == "/x?y=1"
    assert (request.headers["Host"], request.headers["X-A"]) == ("other", "1")
    assert request.headers["User-Agent"].startswith("kube-probe/")


async def test_headers_go_out_as_they_are_written():
    """Their case, their order, one of a name twice; an empty one takes a default away; nothing else is sent."""
    heard = asyncio.get_running_loop().create_future()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.set_result(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        writer.close()

    headers = (("x-LOWER", "a"), ("X-Twice", "1"), ("X-Twice", "2"), ("accept", ""), ("User-Agent", "mine"))
    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        assert await _get(port, "/a%2Fb?c=%20", headers=headers) == (204, b"")
    first, *lines = (await heard).decode().rstrip().split("\r\n")
    assert first == "GET /a%2Fb?c=%20 HTTP/1.1"
    assert sorted(lines) == sorted(
        [
            f"Host: 127.0.0.1:{port}",
            "x-LOWER: a",
            "X-Twice: 1",
            "X-Twice: 2",
            "User-Agent: mine",
            "Connection: close",
        ]
    )


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", (200, b"ok")),
        (b"HTTP/1.0 200 OK\r\n\r\nto the end", (200, b"to the end")),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\ncut", (200, b"cut")),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n5\r\nd", (200, b"abcd")),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nraw", (200, b"raw")),
        (b"HTTP/1.1 503 \r\nX-Long: " + b"x" * 50_000 + b"\r\nContent-Length: 0\r\n\r\n", (503, b"")),
    ],
)
async def test_answers_of_odd_servers(reply: bytes, expected: tuple[int, bytes]):
    """What comes before the answer is passed over; a body that is cut, or packed, is taken as it is."""
    async with _raw(reply) as port:
        assert await _get(port) == expected


async def test_bodies_are_cut():
    """10 KiB are enough for an event; parts of unknown length too."""

    async def answer(request: web.Request) -> web.StreamResponse:
        if request.path == "/whole":
            return web.Response(body=b"x" * 100_000)
        response = web.StreamResponse()
        response.enable_chunked_encoding()
        await response.prepare(request)
        await response.write(b"ab")
        await response.write(b"c")
        await response.write_eof()
        return response

    async with _serving(answer) as port:
        assert len((await _get(port, "/whole"))[1]) == PROBE_OUTPUT_LIMIT
        assert (await _get(port, "/chunks"))[1] == b"abc"


async def test_redirects_are_followed_at_home_only():
    """To the same host yes, elsewhere the answer is the redirect itself, and no circle lasts."""

    async def answer(request: web.Request) -> web.Response:
        targets = {"/a": "/b", "/far": "http://example.invalid/", "/circle": "/circle"}
        if request.path in targets:
            return web.Response(status=302, headers={"Location": targets[request.path]})
        return web.Response(text="end")

    async with _serving(answer) as port:
        assert await _get(port, "/a") == (200, b"end")
        assert (await _get(port, "/far"))[0] == 302
        with pytest.raises(HttpProblem, match="stopped after 10 redirects"):
            await _get(port, "/circle")


async def test_a_path_may_be_a_whole_url():
    """The probe's address is asked, with the path, the query and the user of that URL."""
    seen: list[tuple[str, str]] = []

    async def answer(request: web.Request) -> web.Response:
        seen.append((request.path_qs, request.headers["Authorization"]))
        return web.Response()

    async with _serving(answer) as port:
        assert await _get(port, "http://me:secret@elsewhere.invalid/a b?c#d") == (200, b"")
    assert seen == [("/a%20b?c", "Basic bWU6c2VjcmV0")]


async def test_a_redirect_keeps_a_host_header_only_at_the_same_address():
    """A Location that names an address is asked for by that name."""
    seen: list[tuple[str, str]] = []

    async def answer(request: web.Request) -> web.Response:
        seen.append((request.path, request.headers["Host"]))
        targets = {"/a": "/b", "/b": f"http://127.0.0.1:{port}/c"}
        location = targets.get(request.path)
        return web.Response(status=302, headers={"Location": location}) if location else web.Response()

    async with _serving(answer) as port:
        assert await _get(port, "/a", headers=(("Host", "other"),)) == (200, b"")
    assert seen == [("/a", "other"), ("/b", "other"), ("/c", f"127.0.0.1:{port}")]


async def test_https_is_asked_without_looking_at_the_certificate(tmp_path: Path):
    """A probe wants to know whether somebody answers."""
    pki = Pki(tmp_path)
    pki.ensure_authority()
    pki.ensure(Certificate("web", "web", hosts=("elsewhere",)))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pki.certificate("web"), pki.key("web"))

    async def answer(_request: web.Request) -> web.Response:
        return web.Response(text="secret")

    async with _serving(answer, context) as port:
        assert await _get(port, scheme="HTTPS") == (200, b"secret")


async def test_nobody_there():
    """In the words that users of probes know."""
    [port] = free_ports(1)
    with pytest.raises(HttpProblem) as caught:
        await _get(port, "/healthz")
    assert str(caught.value) == (
        f'Get "http://127.0.0.1:{port}/healthz": dial tcp 127.0.0.1:{port}: connect: connection refused'
    )


@pytest.mark.parametrize(
    ("reply", "text"),
    [
        (b"", "EOF"),
        (b"garbage\r\n\r\n", "malformed HTTP response"),
        (b"HTTP/1.1 ???\r\n\r\n", "malformed"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 1000, "too many 1xx informational responses"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 600_000 + b"\r\n\r\n", "headers exceed 65536 bytes"),
        (b"HTTP/1.1 302 Found\r\nLocation: http://[\r\n\r\n", "failed to parse Location header"),
    ],
)
async def test_no_http(reply: bytes, text: str):
    """Whoever hangs up or speaks something else has failed."""
    async with _raw(reply) as port:
        with pytest.raises(HttpProblem, match=text):
            await _get(port)


@pytest.mark.parametrize("host", ["a..b", "x" * 300, "℀", "a\0b"])
async def test_a_host_that_cannot_be_one(host: str):
    """Hooks may name any host: one that no resolver takes is not found, as one that nobody has."""
    with pytest.raises(HttpProblem, match="no such host"):
        await http_get(host, 80, "/", (), "HTTP", 30.0)


async def test_a_server_that_does_not_answer_in_time():
    """The limit covers everything."""

    async def answer(_request: web.Request) -> web.Response:
        await pause(5, "a server that does not answer in time")
        return web.Response()

    async with _serving(answer) as port:
        with pytest.raises(HttpProblem, match="context deadline exceeded"):
            await http_get("127.0.0.1", port, "/", (), "HTTP", 0.1)


async def test_a_hook_asks_for_an_answer_not_for_a_good_one():
    """Any status will do for a lifecycle hook; nobody there will not."""

    async def refuse(_request: web.Request) -> web.StreamResponse:
        return web.Response(status=503)

    hooks = Hooks(cast("Runtime", None), SystemClock())
    async with _serving(refuse) as port:
        hook = LifecycleHandler(httpGet=HTTPGetAction(port=port))
        await hooks.run(hook, container_id="c", ports=(), pod_ip="127.0.0.1")
    with pytest.raises(HookProblem, match="connection refused"):
        await hooks.run(hook, container_id="c", ports=(), pod_ip="127.0.0.1")


async def test_line_breaks_make_no_second_request():
    """A header from a manifest cannot smuggle another request in."""
    async with _raw(b"HTTP/1.1 200 OK\r\n\r\n") as port:
        with pytest.raises(HttpProblem, match="line break"):
            await _get(port, headers=(("X", "a\r\nGET / HTTP/1.1"),))


async def test_grpc_health():
    """Serving is good; everything else is said, also that there is no health service, and nobody at all."""
    import grpc.aio

    from kubelet.grpc_probe import grpc_check

    answers = {  # as they are on the wire
        b"": b"\x08\x01",
        b"\x0a\x02ok": b"\x08\x01",
        b"\x0a\x03bad": b"\x08\x02",
        b"\x0a\x03new": b"\x08\x09",
        b"\x0a\x05empty": b"",
    }

    async def check(request: bytes, _context: object) -> bytes:
        return answers[request]

    server = grpc.aio.server()
    method = {"Check": grpc.unary_unary_rpc_method_handler(check)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("grpc.health.v1.Health", method),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        assert await grpc_check("127.0.0.1", port, "", 30, WALL) == (Outcome.SUCCESS, "service healthy")
        assert (await grpc_check("127.0.0.1", port, "ok", 30, WALL))[0] is Outcome.SUCCESS
        outcome, text = await grpc_check("127.0.0.1", port, "bad", 30, WALL)
        assert (outcome, text) == (Outcome.FAILURE, 'service unhealthy (responded with "NOT_SERVING")')
        for name in ("new", "empty"):
            assert (await grpc_check("127.0.0.1", port, name, 30, WALL))[1] == (
                'service unhealthy (responded with "UNKNOWN")'
            )
    finally:
        await server.stop(0)


async def test_who_does_not_speak_grpc_health():
    """A server without the service says so; where nobody answers the probe names the address."""
    import grpc.aio

    from kubelet.grpc_probe import grpc_check

    server = grpc.aio.server()
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        assert await grpc_check("127.0.0.1", port, "", 30, WALL) == (
            Outcome.FAILURE,
            "error: this server does not implement the grpc health protocol (grpc.health.v1.Health)",
        )
    finally:
        await server.stop(0)
    [free] = free_ports(1)
    assert await grpc_check("127.0.0.1", free, "", 0.2, WALL) == (
        Outcome.FAILURE,
        f'timeout: failed to connect service "127.0.0.1:{free}" within 0.2s',
    )
