"""Requests that are odd: the client's fault, so never a failure of the server."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator

import pytest

from tests.support.apiserver import Served
from tests.support.rest_door import MAPS, Wire, request


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
