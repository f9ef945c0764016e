"""What clients say about streams, and what they are told."""

from __future__ import annotations

import json

import pytest

from dockershim.core.stream_protocols import (
    PORT_FORWARD,
    SPDY,
    WEBSOCKET,
    Size,
    SizeReader,
    Wanted,
    encode_outcome,
    exit_status,
    negotiate,
    parse_port,
    parse_size,
    stream_types,
)

V1, V2, V3, V4 = SPDY[::-1]
TERMINAL = Wanted(stdin=True, stdout=True, stderr=False, tty=True)
PLAIN = Wanted(stdin=False, stdout=True, stderr=True, tty=False)


@pytest.mark.parametrize(
    ("offers", "protocol"),
    [
        (["v5.channel.k8s.io", "v4.channel.k8s.io", "v3.channel.k8s.io"], V4),
        (["v5.channel.k8s.io, v3.channel.k8s.io,channel.k8s.io"], V3),
        (["channel.k8s.io", "v4.channel.k8s.io"], V1),
        (["v5.channel.k8s.io", "portforward.k8s.io"], ""),
        ([" , ", ""], ""),
        ([], ""),
    ],
)
def test_the_first_offer_that_is_spoken_is_taken(offers: list[str], protocol: str):
    """In the client's order, whether it sends one header or several."""
    assert negotiate(offers, SPDY) == protocol


def test_port_forward_has_a_protocol_of_its_own():
    """That of remote commands does not do."""
    assert negotiate(["v4.channel.k8s.io", "portforward.k8s.io"], PORT_FORWARD) == "portforward.k8s.io"


def test_a_client_opens_what_was_asked_for_and_one_for_errors():
    """A terminal has no stderr, and a size since v3."""
    assert stream_types(PLAIN, V4) == {"error", "stdout", "stderr"}
    assert stream_types(TERMINAL, V4) == stream_types(TERMINAL, V3) == {"error", "stdin", "stdout", "resize"}
    assert stream_types(TERMINAL, V2) == stream_types(TERMINAL, V1) == {"error", "stdin", "stdout"}
    assert stream_types(TERMINAL._replace(stderr=True), V2) == {"error", "stdin", "stdout"}


def test_an_outcome_is_a_status_since_v4_and_a_text_before():
    """Success is no text at all."""
    for protocol in (V4, *WEBSOCKET):
        assert json.loads(encode_outcome(exit_status(0), protocol)) == {"metadata": {}, "status": "Success"}
        assert json.loads(encode_outcome(exit_status(7), protocol))["details"]["causes"][0]["message"] == "7"
    for protocol in (V1, V2, V3):
        assert encode_outcome(exit_status(0), protocol) == b""
        assert encode_outcome(exit_status(7), protocol).endswith(b"non-zero exit code: exit status 7")


def test_sizes_are_cut_out_of_a_stream():
    """However they are cut; what is none is passed over."""
    text = b'{"Width":80,"Height":24}\n{"Width":-1,"Height":24} {"Width": 100, "Height": 40}{}{"Width":1,"Height":2}'
    sizes = [Size(80, 24), Size(100, 40), Size(1, 2)]
    assert SizeReader().feed(text) == sizes
    reader = SizeReader()
    assert [size for byte in text for size in reader.feed(bytes((byte,)))] == sizes


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{}",
        b"[]",
        b"5",
        b'{"Width": 80}',
        b'{"Width": 80, "Height": "x"}',
        b'{"Width": 80, "Height": null}',
        b'{"Width": 80, "Height": 65536}',
        b'{"Width": 1e999, "Height": 1}',
        b'{"Width": NaN, "Height": 1}',
        b'{"Width": ' + b"[" * 1000,
        b"\xff",
        b'{"Width": 80, "Height": 24' + b" " * 2000 + b"}",
    ],
)
def test_what_is_no_size_changes_nothing(text: bytes):
    """Nor is it kept."""
    assert parse_size(text) is None
    reader = SizeReader()
    for _ in range(100):
        reader.feed(text.rstrip(b"}"))
    assert len(reader._rest) <= 1025


@pytest.mark.parametrize(
    ("text", "port"),
    [
        ("80", 80),
        ("65535", 65535),
        ("0", 0),
        ("65536", 0),
        ("-1", 0),
        ("", 0),
        ("8 0", 0),
        ("٣", 0),
        ("9" * 5000, 0),
    ],
)
def test_ports_are_numbers(text: str, port: int):
    """From 1 to 65535, as decimal digits."""
    assert parse_port(text) == port
