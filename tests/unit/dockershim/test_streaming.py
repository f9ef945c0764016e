"""URLs of streams before their client comes."""

from __future__ import annotations

from typing import Any

import pytest

from dockershim.command_sessions import CommandSessions
from dockershim.streaming import TOKEN_S, Streaming
from machinery.model.errors import BadRequest, Unavailable
from machinery.model.log import SILENT
from machinery.pb import cri_pb2 as cri
from tests.support.virtual_clock import VirtualClock

REQUEST = cri.ExecRequest(container_id="1", cmd=["true"], stdout=True)


async def dial(_port: int) -> Any:
    """Connect to nothing."""
    raise AssertionError("nobody opens the URL")


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def streaming(clock: VirtualClock) -> Streaming:
    """Streams that nobody opens: engine and commands are not asked."""
    nobody: Any = object()
    return Streaming(CommandSessions(nobody, nobody, clock, SILENT), clock, SILENT, "127.0.0.1:0")


async def test_no_two_urls_are_the_same(streaming: Streaming):
    """Nobody can guess one from another."""
    paths = [
        streaming.exec_path("1", REQUEST),
        streaming.exec_path("1", REQUEST),
        streaming.attach_path("1", REQUEST),
        streaming.port_forward_path("1", dial),
    ]
    assert len({path.split("/")[2] for path in paths}) == 4
    assert [path.split("/")[1] for path in paths] == ["exec", "exec", "attach", "portforward"]


async def test_urls_that_nobody_uses_are_given_up_after_a_minute(streaming: Streaming, clock: VirtualClock):
    """A thousand may wait at once; who asks for more is told so."""
    for _ in range(1000):
        streaming.exec_path("1", REQUEST)
    for prepare, request in (
        (streaming.exec_path, REQUEST),
        (streaming.attach_path, REQUEST),
        (streaming.port_forward_path, dial),
    ):
        with pytest.raises(Unavailable, match="too many exec, attach and port-forward requests wait"):
            prepare("1", request)
    await clock.advance(TOKEN_S - 1)
    with pytest.raises(Unavailable):
        streaming.exec_path("1", REQUEST)
    await clock.advance(1)
    streaming.exec_path("1", REQUEST)


def test_a_url_is_for_a_command(streaming: Streaming):
    """Without one it is refused at once, not when the client comes."""
    with pytest.raises(BadRequest, match="no command"):
        streaming.exec_path("1", cri.ExecRequest(container_id="1", stdout=True))
