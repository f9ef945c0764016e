"""Requests of resources, as calls of the registry."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final, TypeAlias

from apiserver.core.authz.attributes import MASTERS
from apiserver.request import ListReply, ObjectReply, Request, UserInfo, request_about
from apiserver.request_checks import checked_verb, found_kind
from apiserver.rest import pod_exec, pod_log, pod_port_forward, proxies
from apiserver.rest.http_request import Exchange, HttpRequest
from apiserver.rest.negotiation import CUSTOM_OBJECTS, OBJECTS, UNSTORED, Offer
from apiserver.rest.object_answers import ObjectAnswers, check_shape, negotiate_for
from apiserver.rest.paths import Target
from apiserver.rest.pod_exec import PodExec
from apiserver.rest.pod_log import PodLog
from apiserver.rest.pod_port_forward import PodPortForward
from apiserver.rest.proxies import Proxies
from apiserver.rest.replies import Reply, not_found
from apiserver.rest.request_metrics import RequestMetrics
from apiserver.rest.resource_request import is_watch, read_request
from apiserver.rest.services import RestServices
from apiserver.rest.streams import Streams
from apiserver.rest.tables import Tables
from apiserver.rest.warnings import header
from apiserver.rest.watches import Watches
from machinery.model.errors import NotFound
from machinery.model.kinds import KindNames

if TYPE_CHECKING:
    from aiohttp import web

_NOT_FOUND: Final = "the server could not find the requested resource"

Stream: TypeAlias = Callable[[Exchange, UserInfo, Target], Awaitable["web.StreamResponse | Reply"]]


class Resources:
    """Serves /api/v1/… and /apis/<group>/<version>/…."""

    def __init__(self, services: RestServices, metrics: RequestMetrics) -> None:
        self._catalogue = services.catalogue
        self._gate = services.gate
        self._registry = registry = services.registry
        self._streams = Streams()
        tables = Tables(services.catalogue, services.clock)
        self._answers = ObjectAnswers(tables)
        self._watches = Watches(services, tables, self._answers, self._streams, metrics)
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
        found = found_kind(self._catalogue, request) or await self._look_again(request)
        if found is None or target.rest:
            return not_found()
        checked_verb(found, request)
        form = negotiate_for(found, http.accept, _offered(found, request.subresource), CUSTOM_OBJECTS)
        check_shape(form, found.kind, is_list=verb in self._list_calls)
        if verb != "get":
            request = await asked.complete(found)
        if verb in self._list_calls:
            reply = await self._answers.of_list(asked, form, await self._list_calls[verb](request))
        else:
            reply = await self._answers.of_object(asked, form, await self._object_calls[verb](request))
        if found.warning:
            reply.headers.append(("Warning", header(found.warning)))
        return reply

    async def _watch(self, exchange: Exchange, user: UserInfo, target: Target) -> web.StreamResponse | Reply:
        asked = read_request(exchange.http, user, target)
        await self._gate.admit(asked.request)
        found = found_kind(self._catalogue, asked.request) or await self._look_again(asked.request)
        if target.subresource or target.rest:
            raise NotFound(_NOT_FOUND)
        if found is None:
            return not_found()
        checked_verb(found, asked.request)
        return await self._watches.answer(exchange, asked, found)

    async def _look_again(self, request: Request) -> KindNames | None:
        """Find a kind that another apiserver has only just begun to serve."""
        await self._registry.catch_up()
        return found_kind(self._catalogue, request)


def _offered(found: KindNames, subresource: str) -> Offer:
    """Return the forms of an answer; what can only be created is not stored."""
    verbs = found.subresources[subresource].verbs if subresource else found.verbs
    return UNSTORED if verbs == ("create",) else OBJECTS


def _place(target: Target) -> tuple[str, str, str, str]:
    return target.group, target.version, target.resource, target.subresource
