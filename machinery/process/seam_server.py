"""The seam of a gRPC server: its behaviours, wrapped once; what a healthy call pays is a look whether the seam is idle."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Final

from google.protobuf.descriptor import MethodDescriptor

from machinery.model.seam import Ends, Seam
from machinery.wire.cause_headers import CALLER_KEY
from machinery.wire.conversation import Conversation
from machinery.wire.messages import READING
from machinery.wire.services import Behaviour, ServiceHandler

_PROTOCOLS: Final = {  # services → the conversations that they are of
    "kubarium.api.v1.Resources": "resources",
    "kubarium.node.v1.Node": "node",
    "runtime.v1.RuntimeService": "cri",
    "runtime.v1.ImageService": "cri",
}


def through(handler: ServiceHandler, seam: Seam | None, callee: str) -> ServiceHandler:
    """Return a service whose behaviours are behind the seam; the handler itself where there is none."""
    if seam is None:
        return handler
    protocol = _PROTOCOLS.get(handler.path, handler.path)

    def conversation(context: Any) -> Conversation:
        metadata = context.invocation_metadata() or ()
        caller = next((str(value) for key, value in metadata if key == CALLER_KEY), "")
        return Conversation(seam, Ends(caller, callee, protocol, "server"), READING)

    def wrap(method: MethodDescriptor, behaviour: Behaviour) -> Behaviour:
        def unary(request: Any, context: Any) -> Any:
            if seam.is_idle:
                return behaviour(request, context)
            return conversation(context).call(method.name, request, lambda _: behaviour(request, context))

        def stream(request: Any, context: Any) -> AsyncIterator[Any]:
            passage = conversation(context).stream(method.name, None if method.client_streaming else request)
            return passage.through(behaviour(request, context))

        return stream if method.server_streaming else unary

    return handler.wrapped(wrap)
