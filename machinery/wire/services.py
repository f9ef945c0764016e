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

from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message_factory import GetMessageClass

from machinery.model.errors import ApiError, NotImplementedHere
from machinery.rpc.service import Method
from machinery.rpc.status import RpcError
from machinery.wire import cause_headers
from machinery.wire.malformed import Malformed, reader_of
from machinery.wire.rpc_errors import rpc_as_api_error
from machinery.wire.status import to_rpc

Behaviour: TypeAlias = Callable[
    [Any, Any], Any
]  # (request or requests, context) → awaitable or async iterator

_log: Final = logging.getLogger("rpc")


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


class ServiceHandler:
    """The handlers of one service; `methods` is what a `machinery.rpc.server.Server` serves, by path."""

    def __init__(
        self, path: str, behaviours: Mapping[MethodDescriptor, Behaviour], serialized: Collection[str]
    ) -> None:
        self.path = path
        self._behaviours = behaviours
        self._serialized = serialized
        self.methods: Final = {
            f"/{path}/{method.name}": _served(method, behaviour, serialized=method.name in serialized)
            for method, behaviour in behaviours.items()
        }

    def wrapped(self, wrap: Callable[[MethodDescriptor, Behaviour], Behaviour]) -> ServiceHandler:
        """Return the same service with another behaviour in the place of each.

        A behaviour finds the causes of its request in the context, and the `ApiError` that it raises is answered.
        """
        behaviours = {method: wrap(method, behaviour) for method, behaviour in self._behaviours.items()}
        return ServiceHandler(self.path, behaviours, self._serialized)


def _served(method: MethodDescriptor, behaviour: Behaviour, *, serialized: bool) -> Method:
    guard = _guard_stream if method.server_streaming else _guard
    return Method(
        guard(_of_stream(behaviour) if method.client_streaming else behaviour),
        reader_of(method.input_type),
        None if serialized else GetMessageClass(method.output_type).SerializeToString,
        asks_one=not method.client_streaming,
        answers_one=not method.server_streaming,
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
        except Exception as error:
            raise _as_rpc_error(error) from error

    return guarded


def _guard_stream(behaviour: Behaviour) -> Callable[[Any, Any], AsyncIterator[Any]]:
    async def guarded(request: Any, context: Any) -> AsyncIterator[Any]:
        cause_headers.receive(context.invocation_metadata())
        try:
            async for message in behaviour(_readable(request), context):
                yield message
        except Exception as error:
            raise _as_rpc_error(error) from error

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


def _as_rpc_error(error: Exception) -> RpcError:
    """Return what ends a call whose handler raised this: its code, its text, its Status in the trailers."""
    return RpcError(*to_rpc(answer_to(error)))


def answer_to(error: Exception) -> ApiError:
    """Return what is answered where a handler raised this; what is no `ApiError` is a bug, and logged."""
    if not isinstance(error, ApiError):
        _log.error("a handler failed", exc_info=error)
    return rpc_as_api_error(error)
