"""How the REST door's requests are read for its seam: what is called how, in the words of all doors.

Requests are named as the gRPC door names them ("Get", "Watch"…), logs and execs as the kubelet's service does, and
pages that are no resource by method and path.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from apiserver.rest.http_request import HttpRequest
from apiserver.rest.paths import Target
from apiserver.rest.replies import Reply
from apiserver.rest.resource_request import is_watch
from machinery.model.errors import BY_CODE, InternalError
from machinery.wire.conversation import Measured, Reading

if TYPE_CHECKING:
    from aiohttp import web

_OBJECT: Final = {"GET": "Get", "POST": "Create", "PUT": "Update", "PATCH": "Patch", "DELETE": "Delete"}
_COLLECTION: Final = {**_OBJECT, "GET": "List", "DELETE": "DeleteCollection"}
_STREAMED: Final = {
    "log": "Logs",
    "exec": "Exec",
    "attach": "Attach",
    "portforward": "PortForward",
    "proxy": "Proxy",
}

STREAMS: Final = frozenset({"Watch", *_STREAMED.values()})
"""The methods whose answers last."""


def method_of(http: HttpRequest) -> str:
    """Return the name of what a request asks for."""
    target = http.target
    if not isinstance(target, Target):
        return f"{http.method} {http.path}"
    if is_watch(http, target):
        return "Watch"
    if target.subresource in _STREAMED:
        return _STREAMED[target.subresource]
    return (_OBJECT if target.name else _COLLECTION).get(http.method, http.method)


def about(http: HttpRequest) -> str:
    """Return the key of the object, or of the collection, that a request is about; "" where it is about none."""
    target = http.target
    if not isinstance(target, Target):
        return ""
    resource = f"{target.resource}.{target.group}" if target.group else target.resource
    return "/".join(filter(None, (resource, target.namespace, target.name)))


def measured(answer: Reply | web.StreamResponse) -> Measured:
    """Return what an answer tells of itself."""
    size = len(answer.body) if isinstance(answer, Reply) else 0
    refused = (
        BY_CODE.get(answer.status, InternalError)(f"HTTP {answer.status}") if answer.status >= 400 else None
    )
    return Measured(0, size, refused)


READING: Final = Reading(about, lambda http: http.body, measured)
