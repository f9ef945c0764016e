"""What a seam may want to know of a message of our protocols: which object it is about, its revision, its size.

Read from the fields by their names, which the protocols of `machinery.pb` share: resources, node and cri.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, Final

from google.protobuf.descriptor import MethodDescriptor

from machinery.wire.conversation import Measured, Reading
from machinery.wire.rpc_errors import rpc_as_api_error

Reader = Callable[[Any], str]


def about(request: Any) -> str:
    """Return the key of the object that a request is about; "" where it is about none."""
    return _reader(request.DESCRIPTOR)(request)


def body(request: Any) -> bytes:
    """Return a request as bytes."""
    return bytes(request.SerializeToString())


def measured(answer: Any) -> Measured:
    """Return what an answer tells of itself: a message, or its bytes already."""
    if isinstance(answer, bytes):
        return Measured(size=len(answer))
    return Measured(int(getattr(answer, "revision", 0)), answer.ByteSize())


def method_of(path: str) -> str:
    """Return a method's name: the last part of its path on the wire."""
    return path.rsplit("/", 1)[-1]


def arity(method: MethodDescriptor) -> str:
    """Return which sides of a method are streams, as gRPC writes it: "unary_stream" has a stream of answers."""
    sides = (method.client_streaming, method.server_streaming)
    return "_".join("stream" if streaming else "unary" for streaming in sides)


def _target(request: Any) -> str:
    target = request.target
    resource = f"{target.resource}.{target.group}" if target.group else target.resource
    return _path(resource, target.namespace, target.name)


def _path(*parts: str) -> str:
    return "/".join(filter(None, parts))


_READERS: Final[dict[str, Reader]] = {  # the first of these fields that a message has
    "target": _target,
    "start": lambda request: about(request.start),
    "container": lambda request: _path("pods", request.container.namespace, request.container.pod),
    "container_id": lambda request: _path("containers", request.container_id),
    "pod_sandbox_id": lambda request: _path("sandboxes", request.pod_sandbox_id),
    "image": lambda request: _path("images", request.image.image),
    "config": lambda request: _path("pods", request.config.metadata.namespace, request.config.metadata.name),
}


@cache
def _reader(descriptor: Any) -> Reader:
    found = (reader for field, reader in _READERS.items() if field in descriptor.fields_by_name)
    return next(found, lambda _request: "")


READING: Final = Reading(about, body, measured, rpc_as_api_error)
