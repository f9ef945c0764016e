"""The protocols of exec and attach: what a message is about, and what it carries."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apiserver.rest.pod_channels import PROTOCOLS, Channel
from tests.support.examples import examples

SUCCESS = {"metadata": {}, "status": "Success"}


@examples(100)
@given(st.sampled_from(list(PROTOCOLS.values())), st.sampled_from(list(Channel)[:5]), st.binary(max_size=64))
def test_what_is_encoded_is_decoded(protocol, channel, data):
    """Each protocol carries any bytes on any channel."""
    assert protocol.decode(protocol.encode(channel, data)) == (channel, data)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("channel.k8s.io", b"\x01Zm9v"),
        ("base64.channel.k8s.io", "1Wm05dg=="),
    ],
)
def test_a_channel_is_a_byte_or_a_digit(name, message):
    """As the documentation of the protocols shows."""
    assert PROTOCOLS[name].encode(Channel.STDOUT, b"Zm9v") == message


@pytest.mark.parametrize("name", PROTOCOLS)
@pytest.mark.parametrize("message", [b"", "", b"\x09x", "9eA==", "x", "0!", b"\xfe"])
def test_a_message_that_is_not_the_protocols_is_ignored(name, message):
    """An empty one, an unknown channel, base64 that is none."""
    assert PROTOCOLS[name].decode(message) is None


@pytest.mark.parametrize(("name", "closes"), [("v5.channel.k8s.io", True), ("v4.channel.k8s.io", False)])
def test_only_the_fifth_closes_channels(name, closes):
    """Before it 255 is a channel that nobody has."""
    assert (PROTOCOLS[name].decode(b"\xff\x00") is not None) == closes


@pytest.mark.parametrize(
    ("name", "end"),
    [("v4.channel.k8s.io", b'\x03{"metadata":{},"status":"Success"}'), ("channel.k8s.io", None)],
)
def test_success_is_told_since_the_fourth(name, end):
    """Before it the connection closes without a word."""
    assert PROTOCOLS[name].encode_end(SUCCESS) == end
