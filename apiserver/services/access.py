"""The gRPC door with an access log: its behaviours, each of which writes a line when it has answered."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

from google.protobuf.descriptor import MethodDescriptor

from apiserver.access_log import GONE, AccessLog
from machinery.model.errors import ApiError
from machinery.process.server import peer
from machinery.wire.cause_headers import CALLER_KEY
from machinery.wire.services import Behaviour, ServiceHandler

_INTERNAL = 500


def logged(handler: ServiceHandler, access: AccessLog) -> ServiceHandler:
    """Return a service whose calls are logged."""

    def wrap(method: MethodDescriptor, behaviour: Behaviour) -> Behaviour:
        verb = method.name.lower()

        async def unary(request: Any, context: Any) -> Any:
            with _line(access, verb, request, context, left=GONE):
                return await behaviour(request, context)

        async def stream(request: Any, context: Any) -> AsyncIterator[Any]:
            with _line(access, verb, request, context, left=200):  # a watch that its caller ends has been one
                async for item in behaviour(request, context):
                    yield item

        return stream if method.server_streaming else unary

    return handler.wrapped(wrap)


@contextmanager
def _line(access: AccessLog, verb: str, request: Any, context: Any, *, left: int) -> Iterator[None]:
    """Write the line of a call when it is over; `left` is the code of one whose caller did not wait for its end."""
    begun, code = access.now(), left
    try:
        yield
        code = 200
    except Exception as error:
        code = error.code if isinstance(error, ApiError) else _INTERNAL
        raise
    finally:
        _write(access, verb, request, context, code, begun)


def _write(access: AccessLog, verb: str, request: Any, context: Any, code: int, begun: float) -> None:
    told = dict(context.invocation_metadata() or ())
    agent = str(told.get(CALLER_KEY) or told.get("user-agent", ""))
    user = peer(context).common_name
    access.write("grpc", verb, _path(request.target), code=code, user=user, begun=begun, agent=agent)


def _path(target: Any) -> str:
    """Write what a call is about as the path by which the REST door knows it."""
    root = f"/apis/{target.group}/{target.version}" if target.group else f"/api/{target.version or 'v1'}"
    place = f"namespaces/{target.namespace}" if target.namespace else ""
    return "/".join(filter(None, (root, place, target.resource, target.name, target.subresource)))
