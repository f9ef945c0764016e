"""Bindings that are posted by themselves, as the first schedulers did: the object says which pod is meant.

The registry serves them by the table of `binding_handlers`, so that both doors have them.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from apiserver.aside import aside
from apiserver.core import writes
from apiserver.core.schema import Schemas
from apiserver.core.values import Json, metadata
from apiserver.registry import Handlers, Posted, Registry
from apiserver.request import ObjectReply, Request
from machinery.model.errors import BadRequest
from machinery.model.k8s import served


def binding_handlers(registry: Callable[[], Registry], schemas: Callable[[], Schemas]) -> Handlers:
    """Return who serves them; both functions are called when the first request comes."""

    async def create(request: Request, posted: Posted) -> ObjectReply:
        body, validation = request.body, writes.field_validation(request.writing.field_validation)
        read = await aside(len(body), writes.read_posted, schemas(), served.BINDINGS, body, validation)
        wanted, warnings = await posted.admit(_placed(request, read[0]))
        name = str(metadata(wanted)["name"])
        pod = replace(request, resource=served.PODS.plural, subresource="binding", name=name)
        reply = await registry().change(pod, wanted)
        return replace(reply, warnings=(*read[1], *warnings, *reply.warnings))

    return {("", served.BINDINGS.plural, "", "create"): create}


def _placed(request: Request, binding: Json) -> Json:
    """Return a binding with the namespace of its request.

    Raises:
        BadRequest: it names no pod, or another namespace.
    """
    meta = metadata(binding)
    if not meta.get("name"):
        raise BadRequest("metadata.name: is needed: it says which pod is bound")
    if meta.get("namespace", request.namespace) not in {"", request.namespace}:
        raise BadRequest(
            "the namespace of the provided object does not match the namespace sent on the request"
        )
    return {**binding, "metadata": {**meta, "namespace": request.namespace}}
