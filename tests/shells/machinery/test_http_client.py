"""The HTTP client against servers that do as a test wants: keep, break, stall, and answer in pieces."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager

import pytest

from machinery.client.http_client import Broken, HttpClient, NotConnected
from machinery.process.clock import WALL

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
_OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@asynccontextmanager
async def client_of(serve: Serve, *, silence_s: float = 5.0) -> AsyncIterator[HttpClient]:
    """Return a client of a server that runs `serve` on each connection."""
    serving: set[asyncio.Task[None]] = set()

    async def to_its_end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        finally:
            writer.close()
            await asyncio.gather(writer.wait_closed(), return_exceptions=True)

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.add(asyncio.ensure_future(to_its_end(reader, writer)))

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    client = HttpClient(
        f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", None, clock=WALL, silence_s=silence_s
    )
    async with server:
        yield client
        client.close()
        await asyncio.gather(*serving)


class Answers:
    """Serves one answer after the other, whatever is asked; keeps the heads of requests, by connection."""

    def __init__(self, *answers: bytes, closes_after: int = 0) -> None:
        self.heads: list[list[bytes]] = []
        self._answers = list(answers)
        self._closes_after = closes_after

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve a connection."""
        heads: list[bytes] = []
        self.heads.append(heads)
        try:
            while True:
                heads.append(await reader.readuntil(b"\r\n\r\n"))
                if self._closes_after and len(heads) > self._closes_after:
                    return
                writer.write(self._answers.pop(0))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            return


async def fetch(client: HttpClient, method: str = "GET") -> tuple[int, bytes]:
    """Ask for something; return status and body."""
    async with client.request(method, "/a?b=c", {"Accept": "x"}) as answer:
        return answer.status, await answer.read()


async def test_a_connection_is_kept_for_the_next_request() -> None:
    """And the head says what was asked of whom."""
    served = Answers(_OK, _OK)
    async with client_of(served) as client:
        assert [await fetch(client), await fetch(client)] == [(200, b"ok")] * 2
    assert len(served.heads) == 1
    assert served.heads[0][0].startswith(b"GET /a?b=c HTTP/1.1\r\nHost: 127.0.0.1:")
    assert b"\r\nAccept: x\r\n" in served.heads[0][0]


async def test_an_answer_that_is_not_read_to_its_end_costs_its_connection() -> None:
    """What is left of it is nobody's answer."""
    served = Answers(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", _OK)
    async with client_of(served) as client:
        async with client.request("GET", "/", {}) as answer, aclosing(answer.chunks()) as chunks:
            assert await anext(chunks) == b"half"
        assert await fetch(client) == (200, b"ok")
    assert len(served.heads) == 2


async def test_a_read_is_sent_again_where_a_kept_connection_ended_instead_of_answering() -> None:
    """As servers end idle ones at any moment."""
    served = Answers(_OK, _OK, closes_after=1)
    async with client_of(served) as client:
        assert await fetch(client) == (200, b"ok")
        assert await fetch(client) == (200, b"ok")
    assert [len(heads) for heads in served.heads] == [2, 1]


async def test_a_write_is_not_sent_again() -> None:
    """It may have been carried out."""
    served = Answers(_OK, _OK, closes_after=1)
    async with client_of(served) as client:
        await fetch(client)
        with pytest.raises(Broken, match="the server ended the connection"):
            await fetch(client, "POST")
    assert [len(heads) for heads in served.heads] == [2]


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n", b"abc"),
        (b"HTTP/1.1 100 Continue\r\nX: 1\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nz", b"z"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", b""),
    ],
)
async def test_bodies_end_where_their_head_says(answer: bytes, body: bytes) -> None:
    """In chunks, after an answer before the real one, and at once."""
    async with client_of(Answers(answer, _OK)) as client:
        assert await fetch(client) == (200, body)
        assert await fetch(client) == (200, b"ok")


async def test_a_body_without_a_length_ends_with_its_connection() -> None:
    """As HTTP/1.0 has it."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\nall of it")

    async with client_of(serve) as client:
        assert await fetch(client) == (200, b"all of it")


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", "the server ended the connection"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n", "the server ended"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "what came is no HTTP"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000, "its head has more than 65536 bytes"),
        (b"", "the server ended the connection"),
    ],
)
async def test_what_breaks_off_or_is_no_http_is_broken(answer: bytes, why: str) -> None:
    """Half a body is never taken for one."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)

    async with client_of(serve) as client:
        with pytest.raises(Broken, match=why):
            await fetch(client)


async def test_a_silent_server_is_left() -> None:
    """After so many seconds without a byte, in the middle of a body too."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")
        await reader.read()

    async with client_of(serve, silence_s=0.05) as client:
        with pytest.raises(TimeoutError):
            await fetch(client)


async def test_a_closed_client_ends_what_is_under_way() -> None:
    """A reader hears of it at once."""
    asked = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        asked.set()
        await reader.read()

    async with client_of(serve) as client:
        asking = asyncio.create_task(fetch(client))
        await asked.wait()
        client.close()
        with pytest.raises(Broken):
            await asking


async def test_nobody_there_is_not_connected() -> None:
    """So that the caller knows that nothing was sent."""
    async with client_of(Answers()) as client:
        pass
    with pytest.raises(NotConnected, match="no connection to"):
        await fetch(client)
