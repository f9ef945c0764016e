"""The REST door as bytes on a connection: however they are cut, whatever follows whatever."""

from __future__ import annotations

import asyncio
import gzip
import json
import ssl
from collections.abc import AsyncIterator

import pytest

from tests.support.apiserver import Served, config_map
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


async def test_requests_may_follow_each_other_without_waiting(wire: Wire) -> None:
    """Answers come in the order of the requests, plain ones and others."""
    chunked = request("GET", f"{MAPS}/a", "Transfer-Encoding: chunked") + b"0\r\n\r\n"
    await wire.send(
        creation("a") + request("GET", f"{MAPS}/a") + request("GET", f"{MAPS}/x") + chunked + creation("b")
    )
    assert [(await wire.answer())[0] for _ in range(5)] == [201, 200, 404, 200, 201]


async def test_a_request_may_come_in_pieces(wire: Wire) -> None:
    """A head or a body that is cut is waited for."""
    whole = creation("a")
    await wire.send(whole[:10], whole[10:60], whole[60:-5], whole[-5:] + request("GET", MAPS)[:8])
    assert (await wire.answer())[0] == 201
    await wire.send(request("GET", MAPS)[8:])
    status, headers, body = await wire.answer()
    assert (status, headers["server"], len(json.loads(body)["items"])) == (200, "kubarium", 1)
    assert headers["audit-id"]
    assert headers["date"]


async def test_both_ways_of_serving_say_the_same(wire: Wire) -> None:
    """What is plain and what is left to the HTTP library get equal answers, except for their time and id."""
    for path in (MAPS, f"{MAPS}/none", "/version", "/nowhere", "/readyz?verbose", f"{MAPS}?limit=x"):
        await wire.send(request("GET", path))
    plain = [await wire.answer() for _ in range(6)]
    for path in (MAPS, f"{MAPS}/none", "/version", "/nowhere", "/readyz?verbose", f"{MAPS}?limit=x"):
        await wire.send(request("GET", path, "TE: trailers"))
    others = [await wire.answer() for _ in range(6)]
    for left, right in zip(plain, others, strict=True):
        assert (left[0], left[2]) == (right[0], right[2])
        assert left[1].keys() == right[1].keys()
        assert left[1]["content-type"] == right[1]["content-type"]


async def test_a_body_over_the_limit_is_refused(wire: Wire) -> None:
    """Its length says so before it has come."""
    await wire.send(request("POST", MAPS, f"Content-Length: {4 * 1024 * 1024}"))
    assert (await wire.answer())[0] == 413


@pytest.mark.parametrize(
    "nonsense",
    [
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nName : value\r\n\r\n",
        b"\x16\x03\x01\x00\x00\r\n\r\n",
    ],
)
async def test_nonsense_is_a_bad_request(wire: Wire, nonsense: bytes) -> None:
    """And the connection ends."""
    await wire.send(nonsense)
    assert (await wire.answer())[0] == 400
    async with asyncio.timeout(60):
        assert await wire.reader.read() == b""


async def test_a_watch_takes_the_connection_and_ends_properly(wire: Wire) -> None:
    """Events come as chunks, and the last chunk is empty."""
    await wire.send(creation("a"))
    await wire.answer()
    await wire.send(request("GET", f"{MAPS}?watch=true&timeoutSeconds=1"))
    async with asyncio.timeout(60):
        head = await wire.reader.readuntil(b"\r\n\r\n")
        assert b"Transfer-Encoding: chunked" in head
        events = []
        while size := int(await wire.reader.readline(), 16):
            chunk = await wire.reader.readexactly(size + 2)
            events.append(json.loads(chunk))
        assert await wire.reader.readline() == b"\r\n"
    assert [(event["type"], event["object"]["metadata"]["name"]) for event in events] == [("ADDED", "a")]
    await wire.send(request("GET", f"{MAPS}/a"))
    assert (await wire.answer())[0] == 200


async def test_a_header_that_is_no_text_is_a_bad_request(wire: Wire) -> None:
    """Not a failure of the server; the connection goes on."""
    odd = request("GET", MAPS, "Impersonate-User: x").replace(b": x", b": \xff")
    await wire.send(odd)
    status, _, body = await wire.answer()
    assert (status, json.loads(body)["reason"]) == (400, "BadRequest")
    await wire.send(request("GET", f"{MAPS}/%ff%ed%a0%80"))
    assert (await wire.answer())[0] == 404
    await wire.send(request("GET", MAPS))
    assert (await wire.answer())[0] == 200


async def test_a_client_may_wait_to_be_told_to_send_its_body(wire: Wire) -> None:
    """It is told when the body is wanted; who may not write is refused without one."""
    body = json.dumps(config_map("a", key="value")).encode()
    await wire.send(request("POST", MAPS, "Expect: 100-continue", f"Content-Length: {len(body)}"))
    async with asyncio.timeout(60):
        assert await wire.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    await wire.send(body)
    assert (await wire.answer())[0] == 201
    await wire.send(request("GET", f"{MAPS}/a"))
    assert (await wire.answer())[0] == 200


@pytest.mark.parametrize("header", ["Accept: */*", "TE: trailers"])
async def test_who_asks_is_known_on_both_ways(wire: Wire, header: str) -> None:
    """By the certificate of the connection, before it is handed over and after."""
    review = json.dumps({"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}).encode()
    for _ in range(2):
        await wire.send(
            request("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", header, body=review)
        )
        status, _, body = await wire.answer()
        assert (status, json.loads(body)["status"]["userInfo"]["username"]) == (201, "kubernetes-admin")


async def test_a_body_that_nobody_reads_is_no_head(wire: Wire) -> None:
    """A request that was answered before its body came leaves a connection on which the next one is understood."""
    body = b"{" * 2_000_000
    refused = request("POST", "/nowhere", "TE: trailers", f"Content-Length: {len(body)}")
    await wire.send(refused)
    assert (await wire.answer())[0] == 404
    await wire.send(body + request("GET", "/version"))
    assert (await wire.answer())[0] == 200


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "x-unknown"])
async def test_a_compressed_body_is_refused_unread(wire: Wire, encoding: str) -> None:
    """A few bytes of it would become megabytes; nobody unpacks them, whoever sends them."""
    body = gzip.compress(b'{"a":"' + b"x" * 2_000_000 + b'"}')
    await wire.send(request("POST", MAPS, f"Content-Encoding: {encoding}", body=body))
    status, _, answer = await wire.answer()
    assert status == 415
    assert "Content-Encoding" in json.loads(answer)["message"]
    await wire.send(creation("b", "Content-Encoding: identity"))
    assert (await wire.answer())[0] == 201
