"""Requests of resources, as calls of the registry."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from msgspec.structs import replace

from apiserver.core.catalogue import Catalogue
from apiserver.request import ListReply, ObjectReply, Request, UserInfo
from apiserver.rest import envelopes, pod_exec, pod_log, query
from apiserver.rest.asked import Asked
from apiserver.rest.bodies import object_json, patch_json, read_body
from apiserver.rest.custom_resources import lists_definitions, no_definitions
from apiserver.rest.lists import list_reply
from apiserver.rest.negotiation import OBJECTS, Form, negotiate
from apiserver.rest.paths import Target
from apiserver.rest.pod_exec import PodExec
from apiserver.rest.pod_log import PodLog
from apiserver.rest.replies import JSON, Reply, pretty, reply, text_reply, to_yaml
from apiserver.rest.services import RestServices
from apiserver.rest.streams import Outlet, Streams
from apiserver.rest.tables import Tables
from apiserver.rest.watches import Watches
from machinery.model.errors import BadRequest, MethodNotSupported, NotFound
from machinery.model.kinds import KindNames
from machinery.wire import fence_header
from machinery.wire.fence_header import FENCE_KEY

if TYPE_CHECKING:
    from aiohttp import web

_NOT_FOUND: Final = "the server could not find the requested resource"
_NOT_ALLOWED: Final = "the server does not allow this method on the requested resource"
_READS: Final = frozenset({"get", "list"})
_OPTIONS: Final = {"create": "CreateOptions", "update": "UpdateOptions", "patch": "PatchOptions"}

Stream: TypeAlias = Callable[["web.BaseRequest", UserInfo, Target], Awaitable["web.StreamResponse | Reply"]]


class Resources:
    """Serves /api/v1/… and /apis/<group>/<version>/…."""

    def __init__(self, services: RestServices) -> None:
        self._catalogue = services.catalogue
        self._gate = services.gate
        self._registry = registry = services.registry
        self._streams = Streams()
        self._tables = Tables(services.catalogue, services.clock)
        self._watches = Watches(services, self._tables, self._streams)
        self._streamed: dict[tuple[str, str, str, str], Stream] = {
            **dict.fromkeys(pod_log.PLACES, PodLog(services, self._streams).answer),
            **dict.fromkeys(pod_exec.PLACES, PodExec(services, self._streams).answer),
        }
        self._object_calls: dict[str, Callable[[Request], Awaitable[ObjectReply]]] = {
            "get": registry.get,
            "create": registry.create,
            "update": registry.update,
            "patch": registry.patch,
            "delete": registry.delete,
        }
        self._list_calls: dict[str, Callable[[Request], Awaitable[ListReply]]] = {
            "list": registry.list,
            "deletecollection": registry.delete_collection,
        }

    async def end_streams(self) -> None:
        """End everything that lasts."""
        await self._streams.end()

    def streams(self, request: Asked, target: Target) -> bool:
        """Tell whether the answer is a stream, which may last."""
        if target.subresource and _place(target) in self._streamed:
            return True
        asked = request.method == "GET" and query.boolean(request.query, "watch")
        return bool(asked or (target.watch and request.method == "GET"))

    async def stream(
        self, request: web.BaseRequest, user: UserInfo, target: Target, outlet: Outlet
    ) -> web.StreamResponse | Reply:
        """Answer with a stream."""
        answer = self._streamed.get(_place(target))
        if answer is None:
            return await self._watch(request, user, target, outlet)
        if _served(self._catalogue, target) is None:
            return await text_reply(request, "404 page not found\n", status=404)
        return await answer(request, user, target)

    async def answer(self, request: Asked, user: UserInfo, target: Target) -> Reply:
        """Answer once."""
        verb = _verb(request.method, target)
        asked = _request(request, user, verb, target)
        await self._gate.admit(asked)
        if lists_definitions(target, verb):
            return await no_definitions(request)
        found = _served(self._catalogue, target)
        if found is None:
            return await text_reply(request, "404 page not found\n", status=404)
        _check_allowed(found, target, verb)
        form = negotiate(request.headers.get("Accept", ""), OBJECTS)
        complete = await _with_body(request, asked)
        if verb in self._list_calls:
            return await self._list_reply(request, form, await self._list_calls[verb](complete))
        return await self._object_reply(request, form, target, await self._object_calls[verb](complete))

    async def _watch(
        self, request: web.BaseRequest, user: UserInfo, target: Target, outlet: Outlet
    ) -> web.StreamResponse | Reply:
        if target.subresource or target.rest:
            raise NotFound(_NOT_FOUND)
        selection = query.list_options(request.query, name=target.name)
        asked = Request(
            user=user,
            verb="watch",
            group=target.group,
            version=target.version,
            resource=target.resource,
            namespace=target.namespace,
            selection=selection,
        )
        await self._gate.admit(asked)
        found = _served(self._catalogue, target)
        if found is None:
            return await text_reply(request, "404 page not found\n", status=404)
        _check_allowed(found, target, "watch")
        return await self._watches.answer(request, asked, outlet)

    async def _object_reply(self, request: Asked, form: Form, target: Target, answer: ObjectReply) -> Reply:
        match form:
            case Form.TABLE if not target.subresource:
                body = self._tables.of_object(answer.json, request.query)
            case Form.METADATA:
                body = envelopes.metadata_json(answer.json)
            case _:
                body = answer.json
        status = 201 if answer.created else 200
        return await _written(request, form, body, status=status, warnings=answer.warnings)

    async def _list_reply(self, request: Asked, form: Form, answer: ListReply) -> Reply:
        match form:
            case Form.TABLE:
                body = self._tables.of_list(answer, request.query)
            case Form.METADATA:
                body = envelopes.metadata_list_json(answer)
            case Form.JSON if "pretty" not in request.query:
                return await list_reply(request, answer)
            case _:
                body = envelopes.list_json(answer)
        return await _written(request, form, body)


def _place(target: Target) -> tuple[str, str, str, str]:
    return target.group, target.version, target.resource, target.subresource


def _verb(method: str, target: Target) -> str:
    """Give the verb that authorization knows; the path decides between one and many."""
    one = bool(target.name)
    match method:
        case "GET":
            return "get" if one else "list"
        case "POST":
            return "create"
        case "PUT":
            return "update"
        case "PATCH":
            return "patch"
        case _:
            return "delete" if one else "deletecollection"


def _served(catalogue: Catalogue, target: Target) -> KindNames | None:
    """Find what a path is about; None where it leads nowhere."""
    names = catalogue.names(target.group, target.version, target.resource)
    if names is None or target.rest or (target.namespace and not names.namespaced):
        return None
    if target.subresource and target.subresource not in names.subresources:
        return None
    # Without its namespace an object cannot be found; a collection can be listed, if it can be listed at all.
    is_partial = names.namespaced and not target.namespace
    return None if is_partial and (target.name or "list" not in names.verbs) else names


def _check_allowed(found: KindNames, target: Target, verb: str) -> None:
    allowed = found.subresources[target.subresource].verbs if target.subresource else found.verbs
    misplaced = verb in {"update", "patch"} and not target.name
    misplaced |= verb == "create" and bool(target.name) and not target.subresource
    misplaced |= verb == "create" and not target.name and found.namespaced and not target.namespace
    if verb not in allowed or misplaced:
        raise MethodNotSupported(_NOT_ALLOWED, kind=found.plural, group=found.group)


def _request(request: Asked, user: UserInfo, verb: str, target: Target) -> Request:
    """Build the request, without its body."""
    fields: dict[str, Any] = {}
    asked = request.query
    if verb in {"list", "deletecollection"}:
        fields["selection"] = query.list_options(asked)
    elif verb == "get":
        fields["resource_version"] = asked.get("resourceVersion", "")
    elif verb in _OPTIONS:
        agent = request.headers.get("User-Agent", "")
        dry_run = [value for value in asked.getall("dryRun", []) if value]
        fields["writing"] = query.write_options(asked, agent, dry_run, _OPTIONS[verb])
    if verb not in _READS and (fence := request.headers.get(FENCE_KEY)):
        fields["fence"] = fence_header.read(fence)
    return Request(
        user=user,
        verb=verb,
        group=target.group,
        version=target.version,
        resource=target.resource,
        subresource=target.subresource,
        namespace=target.namespace,
        name=target.name,
        **fields,
    )


async def _with_body(request: Asked, asked: Request) -> Request:
    content_type = request.headers.get("Content-Type", "")
    match asked.verb:
        case "create" | "update":
            body = await object_json(content_type, await read_body(request))
            if not body:
                raise BadRequest("the request needs a body: the object as JSON or YAML")
            return replace(asked, body=body)
        case "patch":
            kind, body = await patch_json(content_type, await read_body(request))
            return replace(asked, body=body, patch_type=kind)
        case "delete" | "deletecollection":
            body = await read_body(request)
            body = await object_json(content_type, body) if body else b""
            dry_run = [value for value in request.query.getall("dryRun", []) if value]
            return replace(asked, deleting=query.delete_options(request.query, body, dry_run))
    return asked


async def _written(
    request: Asked,
    form: Form,
    body: bytes,
    *,
    status: int = 200,
    warnings: tuple[str, ...] = (),
) -> Reply:
    if form is Form.YAML:
        return await reply(
            request, to_yaml(body), status=status, content_type="application/yaml", warnings=warnings
        )
    if "pretty" in request.query and query.boolean(request.query, "pretty"):
        body = pretty(body)
    return await reply(request, body, status=status, content_type=JSON, warnings=warnings)
