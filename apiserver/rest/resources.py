"""Requests of resources, as calls of the registry."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final, TypeAlias

from apiserver.aside import aside
from apiserver.core.authz.attributes import MASTERS
from apiserver.request import Item, ListReply, ObjectReply, Request, UserInfo, request_about
from apiserver.request_checks import checked_verb, found_kind
from apiserver.rest import envelopes, pod_exec, pod_log, pod_port_forward, proxies
from apiserver.rest.http_request import Exchange, HttpRequest
from apiserver.rest.lists import list_reply
from apiserver.rest.long_lists import long_list
from apiserver.rest.negotiation import OBJECTS, Form, negotiate
from apiserver.rest.paths import Target
from apiserver.rest.pod_exec import PodExec
from apiserver.rest.pod_log import PodLog
from apiserver.rest.pod_port_forward import PodPortForward
from apiserver.rest.proxies import Proxies
from apiserver.rest.replies import JSON, YAML_WEIGHT, Reply, not_found, pretty, reply, to_yaml
from apiserver.rest.resource_request import ResourceRequest, is_watch, read_request
from apiserver.rest.services import RestServices
from apiserver.rest.streams import Streams
from apiserver.rest.tables import Tables
from apiserver.rest.watches import Watches
from machinery.model.errors import NotFound

if TYPE_CHECKING:
    from aiohttp import web

_YAML: Final = "application/yaml"
_NOT_FOUND: Final = "the server could not find the requested resource"

Stream: TypeAlias = Callable[[Exchange, UserInfo, Target], Awaitable["web.StreamResponse | Reply"]]


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
            **dict.fromkeys(pod_port_forward.PLACES, PodPortForward(services, self._streams).answer),
            **dict.fromkeys(proxies.PLACES, Proxies(services, self._streams).answer),
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

    def lasts(self, http: HttpRequest, target: Target) -> bool:
        """Whether the answer is a stream, which may last."""
        return bool(target.subresource and _place(target) in self._streamed) or is_watch(http, target)

    async def stream(self, exchange: Exchange, user: UserInfo, target: Target) -> web.StreamResponse | Reply:
        """Answer with a stream.

        Raises:
            ApiError: nothing of the stream is sent yet.
            ConnectionError: it broke off.
        """
        answer = self._streamed.get(_place(target))
        if answer is None:
            return await self._watch(exchange, user, target)
        request = request_about(target, user, "get")
        is_path = bool(target.rest) and _place(target) not in proxies.PLACES
        if found_kind(self._catalogue, request) is None or is_path:
            return not_found()
        return await answer(exchange, user, target)

    async def answer(self, http: HttpRequest, user: UserInfo, target: Target) -> Reply:
        """Answer once.

        Raises:
            ApiError: the request is refused.
        """
        asked = read_request(http, user, target)
        request, verb = asked.request, asked.request.verb
        if MASTERS not in user.groups:
            await self._gate.admit(request)
        found = found_kind(self._catalogue, request)
        if found is None or target.rest:
            return not_found()
        checked_verb(found, request)
        form = negotiate(http.accept, OBJECTS)
        if verb != "get":
            request = await asked.complete()
        if verb in self._list_calls:
            return await self._list_reply(asked, form, await self._list_calls[verb](request))
        return await self._object_reply(asked, form, await self._object_calls[verb](request))

    async def _watch(self, exchange: Exchange, user: UserInfo, target: Target) -> web.StreamResponse | Reply:
        asked = read_request(exchange.http, user, target)
        await self._gate.admit(asked.request)
        found = found_kind(self._catalogue, asked.request)
        if target.subresource or target.rest:
            raise NotFound(_NOT_FOUND)
        if found is None:
            return not_found()
        checked_verb(found, asked.request)
        return await self._watches.answer(exchange, asked)

    async def _object_reply(self, asked: ResourceRequest, form: Form, answer: ObjectReply) -> Reply:
        match form:
            case Form.TABLE:
                body = await self._tables.of_object(answer.json, asked.include_object)
            case Form.METADATA:
                body = envelopes.metadata_json(answer.json)
            case _:
                body = answer.json
        status, content_type = 201 if answer.created else 200, JSON
        if form is Form.YAML:
            body, content_type = await aside(YAML_WEIGHT * len(body), to_yaml, body), _YAML
        elif asked.is_pretty:
            body = await aside(len(body), pretty, body)
        return reply(body, status=status, content_type=content_type, warnings=answer.warnings)

    async def _list_reply(self, asked: ResourceRequest, form: Form, answer: ListReply) -> Reply:
        match form:
            case Form.TABLE:
                found = await self._tables.of_list(answer, asked.include_object)
            case Form.METADATA:
                head = envelopes.metadata_list_head(answer)
                found = await long_list(head, answer.items, _metadata, envelopes.LIST_TAIL)
            case Form.JSON if not asked.is_pretty:
                return await list_reply(answer, accepts_gzip=asked.http.accepts_gzip)
            case _:
                head = envelopes.list_head(answer)
                found = await long_list(head, answer.items, _whole, envelopes.LIST_TAIL)
        if form is Form.YAML:
            return reply(await found.yaml(), content_type=_YAML)
        return reply(await found.pretty() if asked.is_pretty else found.json())


def _place(target: Target) -> tuple[str, str, str, str]:
    return target.group, target.version, target.resource, target.subresource


def _metadata(item: Item) -> bytes:
    return envelopes.metadata_json(item.json)


def _whole(item: Item) -> bytes:
    return item.json
