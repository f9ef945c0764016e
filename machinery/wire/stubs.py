"""gRPC stubs, made from message descriptors: no generated service modules. The server's side is `machinery.wire.services`."""

from __future__ import annotations

import ssl
from typing import Any

from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message_factory import GetMessageClass

from machinery.model.clock import Clock
from machinery.rpc.channel import Channel
from machinery.wire.messages import arity


def secure_channel(server: str, tls: ssl.SSLContext, clock: Clock, *, server_name: str = "") -> Channel:
    """Return a TLS channel to host:port. It connects at the first call, which raises what goes wrong then.

    The server's certificate has to carry `server_name`, or the host, where no name is given.
    """
    return Channel(server, clock, tls=tls, server_name=server_name)


def insecure_channel(server: str, clock: Clock) -> Channel:
    """Return a channel without TLS: for probes and tests."""
    return Channel(server, clock)


def unix_channel(path: str, clock: Clock) -> Channel:
    """Return a channel to a unix socket, which file modes guard."""
    return Channel(f"unix:{path}", clock)


class Stub:
    """The client's side of a service: one attribute per method, which makes its calls (`machinery.rpc.calls`).

    Calls raise `machinery.rpc.status.RpcError`; `machinery.wire.rpc_errors.api_errors` makes `ApiError` of it.
    """

    def __init__(self, channel: Any, service: ServiceDescriptor, path: str) -> None:
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
