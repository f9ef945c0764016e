"""gRPC handlers, made from message descriptors: no generated service modules. The client's side is `machinery.wire.stubs`.

A service's path on the wire ("runtime.v1.RuntimeService") may differ from its private proto package
("kubarium.cri..."), so that two clients of one protocol never collide in a process.

Errors: a handler turns an `ApiError` into the gRPC code that fits, with the Status as trailing metadata
(`machinery.wire.status`). A request that cannot be read is a BadRequest that names the field, where it is one field.
Any other exception is a bug: it is logged, and answered as an InternalError.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from typing import Any, Final, TypeAlias

import grpc
import grpc.aio
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message_factory import GetMessageClass

from machinery.model.errors import ApiError, NotImplementedHere
from machinery.wire import cause_headers
from machinery.wire.malformed import Malformed, reader_of
from machinery.wire.messages import arity
from machinery.wire.rpc_errors import rpc_as_api_error
from machinery.wire.status import to_rpc

Behaviour: TypeAlias = Callable[
    [Any, Any], Any
]  # (request or requests, context) → awaitable or async iterator

_log: Final = logging.getLogger("grpc")
_METADATA_LIMIT: Final = 256 * 1024  # a Status with many causes has to fit into the trailers

SHARED_OPTIONS: Final = (
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.max_metadata_size", _METADATA_LIMIT),
    ("grpc.absolute_max_metadata_size", 2 * _METADATA_LIMIT),
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.http2.ping_timeout_ms", 5_000),  # without it a frozen peer is noticed after 70 s only
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    (
        "grpc.http2.bdp_probe",
        0,
    ),  # it pings with every message that comes, to learn what fits into a window of this size:
    ("grpc.http2.lookahead_bytes", 1024 * 1024),
)

SERVER_OPTIONS: Final = (
    *SHARED_OPTIONS,
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 5_000),
    ("grpc.http2.max_ping_strikes", 0),
    (
        "grpc.server_handshake_timeout_ms",
        10_000,
    ),  # an honest one takes milliseconds; gRPC's default is two minutes
    ("grpc.so_reuseport", 0),  # a port in use is an error, not a second server behind it
)


def handler(
    service: ServiceDescriptor, path: str, implementation: object, *, serialized: Collection[str] = ()
) -> ServiceHandler:
    """Serve a service from an object with methods of the proto's own names.

    A method is `async def X(self, request, context)`, an async generator where the response is a stream. A
    method that the object does not have answers UNIMPLEMENTED and says so. `serialized` names the methods whose
    answers are the message's bytes already.

    A method may raise `ApiError`, which is answered with its code and its Status.
    """
    behaviours = {
        method: getattr(implementation, method.name, None) or _unbuilt(method) for method in service.methods
    }
    return ServiceHandler(path, behaviours, serialized)


class ServiceHandler(grpc.GenericRpcHandler):  # type: ignore[misc]  # gRPC has no types
    """The handlers of one service."""

    def __init__(
        self, path: str, behaviours: Mapping[MethodDescriptor, Behaviour], serialized: Collection[str]
    ) -> None:
        self.path = path
        self._behaviours = behaviours
        self._serialized = serialized
        self._handlers = {
            f"/{path}/{method.name}": _method_handler(method, behaviour, serialized=method.name in serialized)
            for method, behaviour in behaviours.items()
        }

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        """Return the handler of a call; None where the call is for another service."""
        return self._handlers.get(details.method)

    def wrapped(self, wrap: Callable[[MethodDescriptor, Behaviour], Behaviour]) -> ServiceHandler:
        """Return the same service with another behaviour in the place of each.

        A behaviour finds the causes of its request in the context, and the `ApiError` that it raises is answered.
        """
        behaviours = {method: wrap(method, behaviour) for method, behaviour in self._behaviours.items()}
        return ServiceHandler(self.path, behaviours, self._serialized)


def _method_handler(
    method: MethodDescriptor, behaviour: Behaviour, *, serialized: bool
) -> grpc.RpcMethodHandler:
    guard = _guard_stream if method.server_streaming else _guard
    guarded = guard(_of_stream(behaviour) if method.client_streaming else behaviour)
    make = getattr(grpc, f"{arity(method)}_rpc_method_handler")
    return make(
        guarded,
        request_deserializer=reader_of(method.input_type),
        response_serializer=None if serialized else GetMessageClass(method.output_type).SerializeToString,
    )


def _unbuilt(method: MethodDescriptor) -> Behaviour:
    error = NotImplementedHere(f"{method.full_name} is not built")

    async def refuse(_request: Any, _context: Any) -> Any:
        raise error

    async def refuse_stream(_request: Any, _context: Any) -> AsyncIterator[Any]:
        raise error
        yield

    return refuse_stream if method.server_streaming else refuse


def _guard(behaviour: Behaviour) -> Callable[[Any, Any], Awaitable[Any]]:
    async def guarded(request: Any, context: Any) -> Any:
        cause_headers.receive(context.invocation_metadata())
        try:
            return await behaviour(_readable(request), context)
        except Exception as error:  # noqa: BLE001 - a bug in one request is answered like every other error
            return await _answer_error(context, error)

    return guarded


def _guard_stream(behaviour: Behaviour) -> Callable[[Any, Any], AsyncIterator[Any]]:
    async def guarded(request: Any, context: Any) -> AsyncIterator[Any]:
        cause_headers.receive(context.invocation_metadata())
        try:
            async for message in behaviour(_readable(request), context):
                yield message
        except Exception as error:  # noqa: BLE001 - as above
            await _answer_error(context, error)

    return guarded


def _readable(request: Any) -> Any:
    """Return a request, or a stream of them, that could be read.

    Raises:
        BadRequest: it could not.
    """
    if isinstance(request, Malformed):
        raise request.error
    return request


def _of_stream(behaviour: Behaviour) -> Behaviour:
    async def read(requests: AsyncIterator[Any]) -> AsyncIterator[Any]:
        async for request in requests:
            yield _readable(request)

    return lambda requests, context: behaviour(read(requests), context)


async def _answer_error(context: Any, error: Exception) -> Any:
    if isinstance(error, grpc.aio.AbortError):
        raise error
    await abort(context, answer_to(error))


def answer_to(error: Exception) -> ApiError:
    """Return what is answered where a handler raised this; what is no `ApiError` is a bug, and logged."""
    if not isinstance(error, ApiError):
        _log.error("a handler failed", exc_info=error)
    return rpc_as_api_error(error)


async def abort(context: Any, error: ApiError) -> Any:
    """End an RPC with an error: its code, its text, its Status in the trailers.

    Raises:
        AbortError: always; it is gRPC's, and ends the handler.
    """
    code, text, metadata = to_rpc(error)
    await context.abort(grpc.StatusCode[code.name], text, metadata)
