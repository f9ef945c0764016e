"""Requests that cannot be read, and handlers that fail: who asked is told what is wrong, and by whom."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from machinery.rpc.status import Code, RpcError
from machinery.wire.malformed import problem
from machinery.wire.resources import SERVICE, SERVICE_PATH
from machinery.wire.resources import messages as pb
from machinery.wire.rpc_errors import from_rpc
from machinery.wire.services import handler
from tests.support.local_channel import LocalChannel, ServerTasks

GET, WATCH = pb.GetRequest.DESCRIPTOR, pb.WatchRequest.DESCRIPTOR


def named(namespace: bytes) -> bytes:
    """Write a GetRequest for a namespace of these bytes."""
    target = b"\x22" + bytes([len(namespace)]) + namespace
    return b"\x0a" + bytes([len(target)]) + target


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (named(b"\xff"), "target.namespace: the string is not valid UTF-8"),
        (b"\x12\x01\xff", "resource_version: the string is not valid UTF-8"),
        (b"\xff", "the request is not a kubarium.api.v1.GetRequest"),
        (b"\x0a\x7f", "the request is not a kubarium.api.v1.GetRequest"),
        (b"\x0a\x02\x22\x7f", "the request is not a kubarium.api.v1.GetRequest"),
        (b"\x0a" * 5_000, "the request is not a kubarium.api.v1.GetRequest"),
    ],
)
def test_the_field_is_named_where_it_is_one(data: bytes, text: str) -> None:
    """Else the message."""
    assert problem(data, GET) == text


class Service:
    """Answers with what it is asked, and has a bug."""

    async def Get(self, call: Any, _context: Any) -> Any:  # noqa: N802 - the proto's name
        """Answer."""
        return pb.Object(uid=call.target.name)

    async def Watch(self, _call: Any, _context: Any) -> AsyncIterator[Any]:  # noqa: N802 - the proto's name
        """Fail."""
        yield pb.WatchBatch()
        raise KeyError("bug")


class Context:
    """What a call of a handler is about."""

    def invocation_metadata(self) -> tuple[Any, ...]:
        """Return nothing."""
        return ()


async def test_what_cannot_be_read_is_the_callers_fault() -> None:
    """A BadRequest with its Status, over the wire; the handler is not called."""
    channel = LocalChannel([handler(SERVICE, SERVICE_PATH, Service())], ServerTasks())
    get = channel.unary_unary(f"/{SERVICE_PATH}/Get", lambda data: data, pb.Object.FromString)
    assert (await get(pb.GetRequest(target=pb.Target(name="web")).SerializeToString())).uid == "web"
    with pytest.raises(RpcError) as raised:
        await get(named(b"\xc3\x28"))
    assert raised.value.code is Code.INVALID_ARGUMENT
    error = from_rpc(raised.value)
    assert (error.code, error.message) == (400, "target.namespace: the string is not valid UTF-8")


async def test_what_a_stream_cannot_read_is_the_callers_fault_too() -> None:
    """As with a request that is one message."""
    channel = LocalChannel([handler(SERVICE, SERVICE_PATH, Service())], ServerTasks())
    watch = channel.unary_stream(f"/{SERVICE_PATH}/Watch", lambda data: data, pb.WatchBatch.FromString)
    with pytest.raises(RpcError, match=r"is not a kubarium\.api\.v1\.WatchRequest"):
        async for _ in watch(b"\xff"):
            pass


async def test_a_handler_that_fails_is_the_servers_fault(caplog: pytest.LogCaptureFixture) -> None:
    """It is answered as an InternalError with its Status, and logged with its trace."""
    watch = handler(SERVICE, SERVICE_PATH, Service()).methods[f"/{SERVICE_PATH}/Watch"]
    batches = watch.behave(pb.WatchRequest(), Context())
    assert await anext(batches) == pb.WatchBatch()
    with pytest.raises(RpcError) as raised:
        await anext(batches)
    assert (raised.value.code, raised.value.details) == (Code.INTERNAL, "KeyError: 'bug'")
    assert b'"InternalError"' in raised.value.trailers[0][1]
    assert [record.exc_info[0] for record in caplog.records if record.exc_info] == [KeyError]
