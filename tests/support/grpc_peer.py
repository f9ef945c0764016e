"""A server and a client of gRPC's own library: who checks ours has not been written by us.

The service takes bytes and does what they say; `python -m tests.support.grpc_peer ADDRESS` serves it in a process of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator
from typing import Any

import grpc
import grpc.aio

SERVICE = "test.Echo"
OPTIONS = (
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.so_reuseport", 0),
    ("grpc.http2.max_ping_strikes", 0),
    ("grpc.max_metadata_size", 256 * 1024),
    ("grpc.absolute_max_metadata_size", 512 * 1024),
)


class EchoServer:
    """Answers a request with itself; one that begins with a word of these does as it says."""

    def __init__(self) -> None:
        self.sent = 0  # messages of streams that were handed to gRPC
        self.waiting = 0  # calls that have come to "wait"
        self.cancelled = 0  # those that their client left

    async def ask(self, request: bytes, context: Any) -> bytes:
        """Answer one request."""
        match request.split(b" ", 2):
            case [b"fail", code, text]:
                await context.abort(
                    grpc.StatusCode[code.decode()], text.decode(), (("why", "told"), ("why-bin", b"\0\xff"))
                )
            case [b"metadata"]:
                found = [(key, value) for key, value in context.invocation_metadata() if key != "user-agent"]
                context.set_trailing_metadata((("server", "peer"), ("odd-bin", b"\1\2\3")))
                return repr(sorted(found)).encode()
            case [b"deadline"]:
                return repr(context.time_remaining()).encode()
            case [b"wait"]:
                self.waiting += 1
                try:
                    await asyncio.Event().wait()
                except asyncio.CancelledError:
                    self.cancelled += 1
                    raise
            case [b"bytes", size]:
                return bytes(int(size))
        return request

    async def answers(self, request: bytes, context: Any) -> AsyncIterator[bytes]:
        """Answer with a stream: "COUNT SIZE", or "fail" after one message, or "wait" after the beginning."""
        match request.split():
            case [b"fail"]:
                yield b"one"
                await context.abort(grpc.StatusCode.ABORTED, "after one", (("why-bin", b"x"),))
            case [b"wait"]:
                await context.send_initial_metadata(())
                self.waiting += 1
                try:
                    await asyncio.Event().wait()
                except asyncio.CancelledError:
                    self.cancelled += 1
                    raise
            case [count, size]:
                for number in range(int(count)):
                    yield number.to_bytes(4) + bytes(int(size) - 4)
                    self.sent += 1

    async def talk(self, requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
        """Answer each message with itself, until one says "end"; to "fail" with an error."""
        async for request in requests:
            if request == b"end":
                return
            if request == b"fail":
                await context.abort(grpc.StatusCode.DATA_LOSS, "as asked")
            yield request

    def handlers(self) -> grpc.GenericRpcHandler:
        """Return what gRPC serves."""
        methods = {
            "Ask": grpc.unary_unary_rpc_method_handler(self.ask),
            "Answers": grpc.unary_stream_rpc_method_handler(self.answers),
            "Talk": grpc.stream_stream_rpc_method_handler(self.talk),
        }
        return grpc.method_handlers_generic_handler(SERVICE, methods)


@contextlib.asynccontextmanager
async def serving(
    address: str = "127.0.0.1:0", credentials: grpc.ServerCredentials | None = None, **options: int
) -> AsyncIterator[tuple[EchoServer, int]]:
    """Serve while inside; yields the service and its port. `options` are gRPC's, with _ for their dots."""
    wishes = dict(OPTIONS) | {f"grpc.{name}": value for name, value in options.items()}
    server, echo = grpc.aio.server(options=tuple(wishes.items())), EchoServer()
    server.add_generic_rpc_handlers((echo.handlers(),))
    if credentials is None:
        port = server.add_insecure_port(address)
    else:
        port = server.add_secure_port(address, credentials)
    await server.start()
    try:
        yield echo, port
    finally:
        await server.stop(None)


async def _main(address: str) -> None:
    async with serving(address):
        print("serving", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1]))
