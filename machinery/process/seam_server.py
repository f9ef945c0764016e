"""The seam of a gRPC server: its behaviours, wrapped once; what a healthy call pays is a look whether the seam is idle."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any, Final

from google.protobuf.descriptor import MethodDescriptor

from machinery.model.seam import Ends, Seam
from machinery.wire.cause_headers import CALLER_KEY
from machinery.wire.conversation import Conversation
from machinery.wire.messages import about, revision, size
from machinery.wire.services import Behaviour, ServiceHandler

_PROTOCOLS: Final = {  # services → the conversations that they are of
    "kubarium.api.v1.Resources": "resources",
    "kubarium.node.v1.Node": "node",
    "runtime.v1.RuntimeService": "cri",
    "runtime.v1.ImageService": "cri",
}


def through(handler: ServiceHandler, seam: Seam | None, callee: str) -> ServiceHandler:
    """Put the seam before a service's behaviours; without one, return the handler itself."""
    if seam is None:
        return handler
    protocol = _PROTOCOLS.get(handler.path, handler.path)

    def conversation(context: Any) -> Conversation:
        metadata = context.invocation_metadata() or ()
        caller = next((str(value) for key, value in metadata if key == CALLER_KEY), "")
        return Conversation(seam, Ends(caller, callee, protocol, "server"))

    def wrap(method: MethodDescriptor, behaviour: Behaviour) -> Behaviour:
        async def called(request: Any, context: Any) -> Any:
            return await conversation(context).call(
                method.name,
                lambda _left_s: behaviour(request, context),
                **_described(method, request),
                measure=lambda answer: (revision(answer), size(answer)),
            )

        async def streamed(request: Any, context: Any) -> AsyncIterator[Any]:
            with conversation(context).stream(method.name, **_described(method, request)) as passage:
                await passage.begin()
                async with aclosing(passage.through(behaviour(request, context))) as answers:
                    async for answer in answers:
                        yield answer

        def unary(request: Any, context: Any) -> Any:
            return behaviour(request, context) if seam.is_idle else called(request, context)

        return streamed if method.server_streaming else unary

    return handler.wrapped(wrap)


def _described(method: MethodDescriptor, request: Any) -> dict[str, Any]:
    """Return what the seam is told of a request; of a stream of requests nothing is known yet."""
    return {} if method.client_streaming else {"about": about(request), "body": request.SerializeToString}
