"""Requests that are odd: the client's fault, so never a failure of the server."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

from tests.support.apiserver import Served
from tests.support.rest_door import MAPS, Wire, creation, request


@pytest.fixture
async def wire(served: Served) -> AsyncIterator[Wire]:
    """A connection of the admin."""
    context = ssl.create_default_context(cafile=str(served.pki.certificate("ca")))
    context.load_cert_chain(served.pki.certificate("admin"), served.pki.key("admin"))
    host, _, port = served.config.rest_listen[0].rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port), ssl=context)
    yield Wire(reader, writer)
    writer.transport.abort()


@pytest.mark.parametrize("path", ["/version", MAPS, f"{MAPS}?watch=true&timeoutSeconds=1"])
@pytest.mark.parametrize("host", [b"\xff", b"a b", b"a/b", b"a\\b", b"<a>", b"a@b", b'"', b"\xc3\xa4"])
async def test_a_host_that_is_none_is_a_bad_request(wire: Wire, host: bytes, path: str) -> None:
    """As in Go's server, whose table of characters it is."""
    await wire.send(request("GET", path).replace(b"Host: kube", b"Host: " + host))
    assert (await wire.answer())[0] == 400


@pytest.mark.parametrize("host", [b"", b"a:1", b"[::1]:443", b"a_b", b"a,b", b"a%20b", b"a:b:c"])
async def test_odd_hosts_are_taken(wire: Wire, host: bytes) -> None:
    """Nobody looks at what they name."""
    await wire.send(request("GET", "/version").replace(b"Host: kube", b"Host: " + host))
    assert (await wire.answer())[0] == 200


async def _rest(wire: Wire) -> bytes:
    async with asyncio.timeout(60):
        return await wire.reader.read()


@pytest.mark.parametrize("how", ["Connection: close", "Connection: TE, Close"])
@pytest.mark.parametrize("path", ["/version", MAPS, f"{MAPS}?watch=true&timeoutSeconds=1"])
async def test_nothing_follows_the_last_request(wire: Wire, how: str, path: str) -> None:
    """It is answered, says so, and what comes behind it is not."""
    await wire.send(request("GET", path, how) + request("GET", "/version"))
    with suppress(ConnectionResetError):  # the connection may be closed already
        await wire.send(b"nonsense\r\n\r\n")
    answer = await _rest(wire)
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"\r\nConnection: close\r\n" in answer
    assert answer.count(b"HTTP/1.1 ") == 1


async def test_a_last_request_may_have_a_body(wire: Wire) -> None:
    """It is read to its end, whatever comes behind."""
    await wire.send(creation("last", "Connection: close")[:-5], creation("last")[-5:] + b"GET")
    assert (await _rest(wire)).startswith(b"HTTP/1.1 201 ")


@pytest.mark.parametrize("upgrade", ["h2c", "websocket", "SPDY/3.1", "TLS/1.0"])
async def test_an_upgrade_that_nobody_serves_is_ignored(wire: Wire, upgrade: str) -> None:
    """The request is answered as it is, and the next one, too."""
    upgrades = (f"Upgrade: {upgrade}", "Connection: Upgrade, HTTP2-Settings", "HTTP2-Settings: AAMAAABk")
    await wire.send(request("GET", "/version", *upgrades) + creation("a", *upgrades) + request("GET", MAPS))
    assert [(await wire.answer())[0] for _ in range(3)] == [200, 201, 200]


@pytest.mark.parametrize("header", ["Accept: */*", "TE: trailers"])
async def test_lines_may_end_without_a_carriage_return(wire: Wire, header: str) -> None:
    """Those of heads; a body is left as it is. Also on a connection that the HTTP library serves."""
    for number, (old, new) in enumerate(
        [(b"\r\n", b"\n"), (b"kube\r\n", b"kube\n"), (b"\r\n\r\n", b"\r\n\n")]
    ):
        head, _, body = creation(f"a{number}", header).partition(b"\r\n\r\n")
        body = body.replace(b'{"', b'{\n\n"', 1)
        head = head.replace(b"Content-Length: ", b"Content-Length:  ").replace(
            str(len(body) - 2).encode(), str(len(body)).encode()
        )
        await wire.send((head + b"\r\n\r\n").replace(old, new) + body)
        assert (await wire.answer())[0] == 201
    await wire.send(request("GET", "/version", header))
    assert (await wire.answer())[0] == 200


@pytest.mark.parametrize("header", ["Accept: */*", "TE: trailers"])
@pytest.mark.parametrize("coding", ["gzip, chunked", "identity", "chunked, chunked", ""])
async def test_a_transfer_coding_that_is_not_built_says_so(wire: Wire, header: str, coding: str) -> None:
    """And the connection ends, since nobody knows where the body does."""
    await wire.send(request("GET", "/version", header))
    assert (await wire.answer())[0] == 200
    chunk = b"2\r\n{}\r\n0\r\n\r\n"
    await wire.send(request("POST", MAPS, header, f"Transfer-Encoding: {coding}") + chunk + b"x" * 1_000)
    answer = await _rest(wire)
    assert answer.startswith(b"HTTP/1.1 501 Not Implemented\r\n")
    assert answer.endswith(b"Unsupported transfer encoding")


async def test_what_cannot_be_expected_fails(wire: Wire) -> None:
    """Without a body, and the connection ends."""
    await wire.send(creation("a", "Expect: 200-ok") + request("GET", "/version"))
    answer = await _rest(wire)
    assert answer.startswith(b"HTTP/1.1 417 Expectation Failed\r\n")
    assert answer.count(b"HTTP/1.1 ") == 1


async def test_one_expectation_of_several_is_met(wire: Wire) -> None:
    """Whoever else hears of the others."""
    whole = creation("a", "Expect: more, 100-Continue")
    await wire.send(whole[:-10])
    async with asyncio.timeout(60):
        assert await wire.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    await wire.send(whole[-10:])
    assert (await wire.answer())[0] == 201


@pytest.mark.parametrize(
    ("authorization", "status"),
    [("Bearer", 403), ("Bearer ", 403), ("Bearer  x", 403), ("bearer a==", 401), ("Bearer a b", 401)],
)
async def test_a_token_that_is_none(served: Served, authorization: str, status: int) -> None:
    """No token proves nothing, and is nobody's; a wrong one is refused."""
    context = ssl.create_default_context(cafile=str(served.pki.certificate("ca")))
    host, _, port = served.config.rest_listen[0].rpartition(":")
    wire = Wire(*await asyncio.open_connection(host, int(port), ssl=context))
    await wire.send(request("GET", MAPS, f"Authorization: {authorization}"))
    assert (await wire.answer())[0] == status
    wire.writer.transport.abort()


@pytest.mark.parametrize("path", ["/version", MAPS, f"{MAPS}?watch=true&timeoutSeconds=1"])
async def test_a_method_that_nobody_knows_is_not_allowed(wire: Wire, path: str) -> None:
    """As one is that Kubernetes knows and does not have there; the connection ends."""
    await wire.send(request("FROB", path))
    status, _, body = await wire.answer()
    assert (status, json.loads(body)["reason"]) == (405, "MethodNotAllowed")
    assert await _rest(wire) == b""


async def test_another_version_is_not_supported(wire: Wire) -> None:
    """In the words of Go's server."""
    await wire.send(b"GET /version HTTP/2.0\r\nHost: a\r\n\r\n")
    assert (await _rest(wire)).endswith(b"505 HTTP Version Not Supported: unsupported protocol version")


@pytest.mark.parametrize("behind", [b"", b"GET /api HTTP/1.0\r\n\r\n", b"nonsense"])
async def test_a_connection_of_the_older_version_ends_with_its_answer(wire: Wire, behind: bytes) -> None:
    """What stands behind the request is nobody's."""
    await wire.send(b"GET /version HTTP/1.0\r\n\r\n" + behind)
    answer = await _rest(wire)
    assert answer.startswith(b"HTTP/1.0 200 OK")
    assert answer.count(b"HTTP/1.") == 1


@pytest.mark.parametrize(("lengths", "status"), [((2, 2), 422), ((2, 2, 2), 422), ((2, 3), 400)])
async def test_one_length_may_stand_several_times(wire: Wire, lengths: tuple[int, ...], status: int) -> None:
    """Several are no request."""
    headers = [f"Content-Length: {length}" for length in lengths]
    await wire.send(request("POST", MAPS, "Content-Type: application/json", *headers) + b"{}")
    assert (await wire.answer())[0] == status


async def test_health_may_be_asked_for_without_the_answer(wire: Wire) -> None:
    """As load balancers do; by those who may, and of health only."""
    for path, status in (("/healthz", b"200 OK"), ("/livez/ping", b"200 OK"), ("/version", b"405 Method")):
        await wire.send(request("HEAD", path))
        async with asyncio.timeout(60):
            assert (await wire.reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 " + status)
