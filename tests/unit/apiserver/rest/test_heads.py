"""Heads of plain requests."""

from __future__ import annotations

import pytest

from apiserver.rest.heads import LONGEST, Unusual, read_head

GET = b"GET /api/v1/pods?limit=1 HTTP/1.1\r\nHost: kube\r\nAccept: */*\r\n\r\n"


def _with(*lines: bytes, first: bytes = b"POST /api/v1/pods HTTP/1.1") -> bytes:
    return b"\r\n".join((first, b"Host: kube", *lines, b"", b""))


def test_a_plain_request_is_read() -> None:
    """Method, path with query, headers by any spelling, and where the body begins."""
    head = read_head(GET + b"more")
    assert head is not None
    assert (head.method, head.raw_path, head.size) == ("GET", "/api/v1/pods?limit=1", len(GET))
    assert head.fields.headers["accept"] == "*/*"


def test_an_incomplete_head_is_waited_for() -> None:
    """Nothing is said before the empty line has come, up to a limit."""
    assert all(read_head(GET[:size]) is None for size in range(1, len(GET)))
    with pytest.raises(Unusual):
        read_head(b"GET /" + b"a" * LONGEST)


def test_the_length_of_the_body_and_impersonation_are_noticed() -> None:
    """They decide what happens next."""
    head = read_head(_with(b"Content-Length: 12", b"Impersonate-User: jane"))
    assert head is not None
    assert (head.fields.content_length, head.fields.impersonates) == (12, True)


@pytest.mark.parametrize(
    "lines",
    [
        (b"Transfer-Encoding: chunked",),
        (b"Content-Length: 1", b"Content-Length: 2"),
        (b"Content-Length: +1",),
        (b"Content-Length: 1, 1",),
        (b"Content-Length:",),
        (b"Expect: 100-continue",),
        (b"Upgrade: websocket", b"Connection: Upgrade"),
        (b"Connection: close",),
        (b"Content-Encoding: gzip",),
        (b"Host: other",),
        (b" folded: line",),
        (b"Name : value",),
        (b"Bare: line\nfeed",),
        (b"Bare: carriage\rreturn",),
        (b"Nul: \0",),
        (b"no colon",),
        (b"X-Many: y",) * 70,
    ],
)
def test_unusual_headers_are_left_to_the_full_parser(lines: tuple[bytes, ...]) -> None:
    """Nothing that two readers could understand differently is plain."""
    with pytest.raises(Unusual):
        read_head(_with(*lines))


@pytest.mark.parametrize(
    "first",
    [
        b"GET /x HTTP/1.0",
        b"HEAD /x HTTP/1.1",
        b"GET  /x HTTP/1.1",
        b"GET http://kube/x HTTP/1.1",
        b"GET /x#y HTTP/1.1",
        b"GET /\xff HTTP/1.1",
        b"GET /x HTTP/1.1 ",
        b"get /x HTTP/1.1",
        b"PRI * HTTP/2.0",
    ],
)
def test_unusual_request_lines_are_left_to_the_full_parser(first: bytes) -> None:
    """Only the five methods on a path are plain."""
    with pytest.raises(Unusual):
        read_head(_with(first=first))


def test_a_get_with_a_body_and_a_head_without_host_are_not_plain() -> None:
    """They mean trouble rather than work."""
    with pytest.raises(Unusual):
        read_head(_with(b"Content-Length: 3", first=b"GET /x HTTP/1.1"))
    with pytest.raises(Unusual):
        read_head(b"GET /x HTTP/1.1\r\nAccept: */*\r\n\r\n")
