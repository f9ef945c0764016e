"""Heads of plain requests."""

from __future__ import annotations

import pytest

from apiserver.rest import heads
from apiserver.rest.heads import LONGEST, ComingHead, Unusual, read_head

GET = b"GET /api/v1/pods?limit=1 HTTP/1.1\r\nHost: kube\r\nAccept: */*\r\n\r\n"


def _with(*lines: bytes, first: bytes = b"POST /api/v1/pods HTTP/1.1") -> bytes:
    return b"\r\n".join((first, b"Host: kube", *lines, b"", b""))


def test_a_plain_request_is_read() -> None:
    """Method, path with query, headers by any spelling, and where the body begins."""
    head = read_head(GET + b"more")
    assert head is not None
    assert (head.method, head.raw_url, head.size) == ("GET", "/api/v1/pods?limit=1", len(GET))
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
    assert (head.fields.body_bytes, head.fields.impersonates) == (12, True)


@pytest.mark.parametrize(
    "lines",
    [
        (b"Transfer-Encoding: chunked",),
        (b"Content-Length: 1", b"Content-Length: 2"),
        (b"Content-Length: +1",),
        (b"Content-Length: 1, 1",),
        (b"Content-Length:",),
        (b"Expect: 100-continue",),
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


def _fields(*lines: bytes) -> heads.Fields:
    head = read_head(_with(*lines))
    assert head is not None
    return head.fields


def _remembered() -> str:
    return repr([(block, list(fields.headers.items())) for block, fields in heads._remembered.items()])


@pytest.mark.parametrize(
    "name", [b"Authorization", b"authorization", b"AUTHORIZATION", b"Cookie", b"X-Token"]
)
def test_a_secret_is_not_remembered(name: bytes) -> None:
    """Neither as a key nor as a value, however its header is written and wherever it stands."""
    for line in (name + b": Bearer s3cr3t", name + b":s3cr3t"):
        assert "s3cr3t" in _fields(b"Accept: */*", line, b"User-Agent: x").headers[name.decode()]
        assert "s3cr3t" in _fields(line, b"Content-Length: 3").headers[name.decode()]
    assert "s3cr3t" not in _remembered()


def test_what_is_new_each_time_is_read_each_time() -> None:
    """Two traces, causes, tokens and lengths have their own values; their blocks are not remembered."""
    steady = (b"Accept: application/json", b"User-Agent: the-one-of-this-test")
    for number in range(50):
        fields = _fields(
            b"traceparent: 00-%032x-1-01" % number,
            *steady,
            b"kubarium-cause: pods/default/a@%d+u" % number,
            b"Authorization: Bearer %d" % number,
            b"Content-Length: %d" % number,
        )
        headers = fields.headers
        assert headers["traceparent"] == f"00-{number:032x}-1-01"
        assert headers["Kubarium-Cause"] == f"pods/default/a@{number}+u"
        assert headers["Authorization"] == f"Bearer {number}"
        assert fields.body_bytes == int(headers["Content-Length"]) == number
        assert headers["User-Agent"] == "the-one-of-this-test"
    assert "the-one-of-this-test" not in _remembered()


def test_equal_heads_are_read_once() -> None:
    """The second one gets the very fields of the first."""
    lines = (b"Accept: */*", b"Content-Length: 7")
    assert _fields(*lines) is _fields(*lines)


def test_few_heads_are_remembered() -> None:
    """However many different ones come."""
    for number in range(2000):
        _fields(b"User-Agent: %d" % number)
        _fields(b"Content-Length: %d" % number)
    assert len(heads._remembered) <= 512


@pytest.mark.parametrize(
    ("lines", "closes", "upgrades"),
    [
        ((b"Connection: close",), True, False),
        ((b"Connection: Keep-Alive, TE, CLOSE",), True, False),
        ((b"Connection: closed",), False, False),
        ((b"Upgrade: h2c", b"Connection: Upgrade, HTTP2-Settings"), False, True),
        ((b"Upgrade: websocket", b"Connection: Upgrade"), False, True),
        ((b"Connection: Upgrade",), False, False),
    ],
)
def test_what_becomes_of_the_connection_is_noticed(
    lines: tuple[bytes, ...], closes: bool, upgrades: bool
) -> None:
    """It is for the connection to act on it."""
    fields = _fields(*lines)
    assert (fields.closes, fields.upgrades) == (closes, upgrades)


@pytest.mark.parametrize(
    ("data", "mended"),
    [
        (b"GET / HTTP/1.1\nHost: a\n\nbo\ndy", b"GET / HTTP/1.1\r\nHost: a\r\n\r\nbo\ndy"),
        (b"GET / HTTP/1.1\r\nHost: a\n\r\n\n\n", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n\n\n"),
        (b"GET / HTTP/1.1\nHost: a\r\n\n", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r\na\nb\n\n", b"GET / HTTP/1.1\r\nHost: a\r\n\r\na\nb\n\n"),
        (b"GET / HTTP/1.1\nHost: a\n", b"GET / HTTP/1.1\nHost: a\n"),
        (b"GET / HTTP/1.1\rHost: a\r\r", b"GET / HTTP/1.1\rHost: a\r\r"),
    ],
)
def test_a_line_may_end_without_a_carriage_return(data: bytes, mended: bytes) -> None:
    """In a head that is whole; what comes behind it is left alone."""
    assert heads.with_crlf(data) == mended
    assert heads.with_crlf(mended) is mended


@pytest.mark.parametrize(
    ("lines", "unknown"),
    [
        ((b"Transfer-Encoding: chunked",), False),
        ((b"transfer-encoding:\tChunked ",), False),
        ((b"Transfer-Encoding: gzip, chunked",), True),
        ((b"Transfer-Encoding: identity",), True),
        ((b"Transfer-Encoding:",), True),
        ((b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"), True),
        ((b"X-Transfer-Encoding: gzip",), False),
        ((b"TE: gzip",), False),
    ],
)
def test_other_transfer_codings_than_chunked_are_noticed(lines: tuple[bytes, ...], unknown: bool) -> None:
    """In HTTP/1.1: in 1.0 there are none."""
    assert heads.has_unknown_coding(_with(*lines)) == unknown
    assert not heads.has_unknown_coding(_with(*lines, first=b"POST / HTTP/1.0"))
    assert not heads.has_unknown_coding(_with(*lines)[:-1])


def test_the_first_of_two_with_one_name_comes_first() -> None:
    """Also where they are written differently."""
    for lines in ((b"traceparent: 1", b"Traceparent: 2"), (b"Traceparent: 1", b"traceparent: 2")):
        assert _fields(*lines).headers.getall("traceparent") == ["1", "2"]


@pytest.mark.parametrize(
    "lines",
    [
        (b"Authorization: a", b"Authorization: b"),
        (b"Authorization: a", b"AUTHORIZATION: b"),
        (b"content-length: 1", b"Content-Length: 1"),
        (b"Content-Length: 1x",),
        (b"Authorization: Bearer \x7f",),
        (b"traceparent: \x80",),
        (*[b"X-Many: y"] * 62, b"traceparent: 1"),
        (*[b"X-Many: y"] * 62, b"Authorization: Bearer a"),
    ],
)
def test_what_is_cut_out_is_read_as_strictly(lines: tuple[bytes, ...]) -> None:
    """Behind a block that is remembered as well."""
    _fields(b"Accept: */*")
    with pytest.raises(Unusual):
        read_head(_with(b"Accept: */*", *lines))


def test_the_end_of_a_head_that_somebody_else_reads_is_found_wherever_it_is_cut() -> None:
    """Its bytes are counted up to there."""
    for cut in range(1, len(GET)):
        coming = ComingHead()
        coming.add(GET[:cut])
        assert not coming.has_ended
        coming.add(GET[cut:])
        assert (coming.size, coming.has_ended) == (len(GET), True)


def test_a_body_is_not_counted_as_a_head() -> None:
    """Neither what comes behind the end, nor another end in it."""
    coming = ComingHead()
    coming.add(GET)
    coming.add(b"x\r\n\r\ny")
    assert (coming.size, coming.has_ended) == (len(GET), True)


@pytest.mark.parametrize("cut", [1, 5, len(GET) - 2])
def test_what_comes_with_the_end_of_a_head_is_not_counted_either(cut: int) -> None:
    """A large body may come in one piece with it."""
    coming = ComingHead()
    for piece in (GET[:cut], GET[cut:] + b"x" * 2_000_000):
        coming.add(piece)
    assert (coming.size, coming.has_ended) == (len(GET), True)
