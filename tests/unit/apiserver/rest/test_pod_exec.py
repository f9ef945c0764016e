"""What the caller of an exec may send: what makes no sense is passed over, and what comes behind it arrives."""

from __future__ import annotations

import pytest

from apiserver.rest.pod_channels import Channel
from apiserver.rest.pod_exec import stream_input


def test_the_size_of_a_terminal_is_sent_on() -> None:
    """In columns and rows."""
    event = stream_input((Channel.RESIZE, b'{"Width": 80, "Height": 24}'))
    assert (event.resize.width, event.resize.height) == (80, 24)


@pytest.mark.parametrize(
    "size",
    [
        b"",
        b"[]",
        b"\xff",
        b'{"Width": -1}',
        b'{"Width": 65536}',
        b'{"Width": 1e999}',
        b'{"Height": 99999999999999999999}',
        b'{"Width": "80"}',
        b'{"x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ],
)
def test_a_size_that_is_none_is_passed_over(size: bytes) -> None:
    """It would end what the caller sends to the command from then on."""
    assert stream_input((Channel.RESIZE, size)) is None
