"""gRPC stubs, made from message descriptors: no generated service modules. The server's side is `machinery.wire.services`."""

from __future__ import annotations

from typing import Any, Final

import grpc
import grpc.aio
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message_factory import GetMessageClass

from machinery.wire.messages import arity
from machinery.wire.services import SHARED_OPTIONS

CHANNEL_OPTIONS: Final = (
    *SHARED_OPTIONS,
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    ("grpc.min_reconnect_backoff_ms", 3_000),  # this one limits the handshake, not the wait between two
    ("grpc.use_local_subchannel_pool", 1),  # a channel's connection is its own: closing it closes it
    ("grpc.enable_http_proxy", 0),
    ("grpc.enable_retries", 0),  # only the caller knows whether a write may be repeated
)


def secure_channel(
    server: str, credentials: grpc.ChannelCredentials, *, server_name: str = ""
) -> grpc.aio.Channel:
    """Return a TLS channel to host:port. It connects at the first call, which raises what goes wrong then.

    The server's certificate has to carry `server_name`, or the host, where no name is given.
    """
    named = (("grpc.ssl_target_name_override", server_name),) if server_name else ()
    return grpc.aio.secure_channel(server, credentials, options=(*CHANNEL_OPTIONS, *named))


def insecure_channel(server: str) -> grpc.aio.Channel:
    """Return a channel without TLS: for unix sockets and tests."""
    return grpc.aio.insecure_channel(server, options=CHANNEL_OPTIONS)


def unix_channel(path: str) -> grpc.aio.Channel:
    """Return a channel to a unix socket, which file modes guard."""
    authority = ("grpc.default_authority", "localhost")  # servers in Go refuse the path as an authority
    return grpc.aio.insecure_channel(f"unix:{path}", options=(*CHANNEL_OPTIONS, authority))


class Stub:
    """The client's side of a service: one attribute per method, a `grpc.aio` multicallable.

    Calls raise gRPC's `AioRpcError`; `machinery.wire.rpc_errors.api_errors` makes `ApiError` of it.
    """

    def __init__(self, channel: grpc.aio.Channel, service: ServiceDescriptor, path: str) -> None:
        for method in service.methods:
            make = getattr(channel, arity(method))
            multicallable = make(
                f"/{path}/{method.name}",
                request_serializer=GetMessageClass(method.input_type).SerializeToString,
                response_deserializer=GetMessageClass(method.output_type).FromString,
            )
            setattr(self, method.name, multicallable)

    def __getattr__(self, name: str) -> Any:  # for unknown names only; tells mypy that the others exist
        raise AttributeError(f"the service has no method {name!r}")
