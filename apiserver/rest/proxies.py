"""Requests that are passed on to pods, services and nodes, as …/pods/<name>/proxy/<path> says.

Any method and any path goes there, bodies stream both ways, and a connection can be upgraded. The apiserver has no route to
pods: the kubelet of the pod's node connects (`Node.Tunnel`). What is at a node's own port is the kubelet itself, whose pages
are asked for by `Node.Page`.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, unquote

import msgspec

from apiserver.core.connect_options import NodeProxyOptions, ProxyOptions, ServiceProxyOptions
from apiserver.core.proxying import destination, headers
from apiserver.core.proxying.destination import Destination, Named, read_name
from apiserver.core.proxying.headers import Place
from apiserver.core.values import Json
from apiserver.kubelets import host_of, port_of
from apiserver.lookup import own_request
from apiserver.proxied_http import ProxiedAnswer, Wire, send_request
from apiserver.request import ListOptions, UserInfo
from apiserver.rest import connecting, node_sessions, node_tunnels
from apiserver.rest.http_request import Exchange, HttpRequest
from apiserver.rest.node_tunnels import Tunnel
from apiserver.rest.paths import Target
from apiserver.rest.services import RestServices
from apiserver.rest.streams import Streams, send
from machinery.model.errors import MethodNotSupported, NotFound, Unavailable
from machinery.model.k8s import served
from machinery.model.kinds import KindNames
from machinery.model.kubelet_paths import does_something

if TYPE_CHECKING:
    from aiohttp import web

    from machinery.process.byte_stream import ByteStream

PLACES: Final = tuple((*kind.gvr, "proxy") for kind in (served.PODS, served.SERVICES, served.NODES))

_VERBS: Final = {
    "GET": "get",
    "HEAD": "get",
    "POST": "create",
    "PUT": "update",
    "PATCH": "patch",
    "DELETE": "delete",
    "OPTIONS": "",  # as Kubernetes names it: only who may do everything may ask
}
_OPTIONS: Final[dict[str, type[ProxyOptions]]] = {
    served.PODS.plural: ProxyOptions,
    served.SERVICES.plural: ServiceProxyOptions,
    served.NODES.plural: NodeProxyOptions,
}
_FOLLOWED: Final = ("GET", "HEAD")  # methods that clients repeat, as they are, where a redirect leads
_KUBELET: Final = ""  # the port at which a node's kubelet is
_GO_ON: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
_SERVICE_NAME: Final = "kubernetes.io/service-name"

Find = Callable[[Target, Named], Awaitable[Destination]]


class Proxies:
    """Serves the subresource `proxy`."""

    def __init__(self, services: RestServices, streams: Streams) -> None:
        self._services = services
        self._streams = streams
        self._random = random.Random()  # noqa: S311 - which of several endpoints is no secret
        self._finds: dict[str, tuple[str, Find]] = {
            served.PODS.plural: ("pod", self._pod),
            served.SERVICES.plural: ("service", self._service),
            served.NODES.plural: ("node", self._node),
        }

    async def answer(self, exchange: Exchange, user: UserInfo, target: Target) -> web.StreamResponse:
        """Pass a request on, and its answer back.

        Raises:
            ApiError: nobody can be asked; nothing of an answer is sent yet.
            ConnectionError: the answer broke off, or the caller has gone.
        """
        http = exchange.http
        if http.method not in _VERBS:
            raise MethodNotSupported("the server does not allow this method on the requested resource")
        await connecting.authorize(self._services, user, target, _VERBS[http.method])
        place = await self._admitted(http, user, target)
        what, find = self._finds[target.resource]
        found = await find(target, read_name(target.name, what))
        if not place.path and http.method in _FOLLOWED and not upgrades(http):
            return _moved(http)
        if found.port == _KUBELET:
            return await self._kubelet(exchange, user, target, found.node, place)
        async with node_tunnels.opened(self._services.kubelets, found.node, _start(found)) as tunnel:
            return await self._through(exchange, tunnel, place)

    async def _admitted(self, http: HttpRequest, user: UserInfo, target: Target) -> Place:
        """Return where the proxy is, and what it is asked for as admission wants it."""
        place = place_of(http, target)
        asked = _OPTIONS[target.resource](path=unquote(place.path))
        options = await connecting.admit(self._services, user, target, http, asked)
        return place if options is asked else replace(place, path=quote(options.path))

    async def _through(self, exchange: Exchange, tunnel: Tunnel, place: Place) -> web.StreamResponse:
        http = exchange.http
        client = exchange.request.remote or ""
        head = headers.request_headers(http.headers.items(), place, client, upgrades=upgrades(http))
        return await pass_on(exchange, self._streams, tunnel, head, place)

    async def _kubelet(
        self, exchange: Exchange, user: UserInfo, target: Target, node: str, place: Place
    ) -> web.StreamResponse:
        """Answer with a page of a kubelet, or with a session in a container.

        What does something in a pod needs the verb `create`, also where it begins with a GET, as WebSockets do.
        """
        path = unquote(place.path)
        if does_something(path):
            await connecting.authorize(self._services, user, target, "create")
        if not upgrades(exchange.http):
            return await self._page(exchange, node, place)
        start = node_sessions.start_of(path, exchange.http)
        async with node_tunnels.opened(self._services.kubelets, node, start) as tunnel:
            response: web.StreamResponse = await node_tunnels.carry(exchange, self._streams, tunnel)
            return response

    async def _page(self, exchange: Exchange, node: str, place: Place) -> web.StreamResponse:
        """Answer with a page of a kubelet."""
        from machinery.wire.node import messages

        http = exchange.http
        asked = messages.PageRequest(method=http.method, path=unquote(place.path), query=http.raw_query)
        async with self._services.kubelets.node(node) as stub:
            chunks = stub.Page(asked, timeout=node_tunnels.LONGEST_S)

            async def end() -> None:
                chunks.cancel()

            try:
                with self._streams.opened(end):
                    first = await chunks.read()
                    if first is None:
                        raise Unavailable(f'the kubelet of node "{node}" has not answered')
                    given = [("Content-Type", first.head.content_type)]
                    response = await _begun(exchange, first.head.status, given)
                    while (chunk := await chunks.read()) is not None:
                        await exchange.send(chunk.data, partial(send, response.write))
                    return response
            finally:
                chunks.cancel()

    async def _pod(self, target: Target, named: Named) -> Destination:
        pod = await self._get(served.PODS, target.namespace, named.name)
        return destination.of_pod(pod, named)

    async def _service(self, target: Target, named: Named) -> Destination:
        namespace = target.namespace
        service = await self._get(served.SERVICES, namespace, named.name)
        port_name = destination.service_port(service, named.port)
        slices = await self._slices(namespace, named.name)
        endpoints = list(destination.endpoints_of(slices, port_name))
        for endpoint, port in destination.shuffled(endpoints, self._random.randrange):
            with suppress(NotFound):
                if pod_name := destination.pod_of(endpoint, namespace):
                    pod = await self._get(served.PODS, namespace, pod_name)
                    if found := destination.of_endpoint(endpoint, pod, port, named.scheme):
                        return found
        raise destination.no_endpoints(named.name)

    async def _node(self, _target: Target, named: Named) -> Destination:
        node = await self._get(served.NODES, "", named.name)
        host = host_of(named.name, node)
        if named.port in {"", str(port_of(node))}:
            return Destination(named.name, host, _KUBELET, is_tls=True)
        return destination.of_node_port(named.name, host, named.port, named.scheme)

    async def _slices(self, namespace: str, service: str) -> list[Json]:
        selection = ListOptions(label_selector=f"{_SERVICE_NAME}={service}")
        request = own_request("list", served.ENDPOINT_SLICES, namespace=namespace, selection=selection)
        reply = await self._services.registry.list(request)
        return [msgspec.json.decode(item.json) for item in reply.items]

    async def _get(self, kind: KindNames, namespace: str, name: str) -> Json:
        reply = await self._services.registry.get(own_request("get", kind, namespace=namespace, name=name))
        found: Json = msgspec.json.decode(reply.json)
        return found


async def pass_on(
    exchange: Exchange, streams: Streams, wire: Wire, head: headers.Headers, place: Place
) -> web.StreamResponse:
    """Pass a request on, with another head, and its answer back.

    Raises:
        Unavailable: there is no answer, or the door is closing.
        TooManyRequests: too many streams are open.
        RpcError: the tunnel broke.
        ConnectionError: the answer broke off, or the caller has gone.
    """
    http = exchange.http
    path = f"{place.path or '/'}?{http.raw_query}" if http.raw_query else place.path or "/"
    sending = asyncio.ensure_future(send_request(wire, http.method, path, head, _body(exchange)))

    async def end() -> None:
        wire.cut()

    try:
        with streams.opened(end):
            answer = ProxiedAnswer(wire, http.method)
            await answer.begin()
            if answer.is_upgrade:
                return await _upgraded(exchange, wire, answer)
            return await _answered(exchange, answer, place)
    finally:
        sending.cancel()
        with suppress(Exception):  # a server may answer before it has read
            await asyncio.gather(sending, return_exceptions=True)


async def _upgraded(exchange: Exchange, wire: Wire, answer: ProxiedAnswer) -> web.StreamResponse:
    connection: ByteStream = exchange.take_over(headers.upgrade_headers(answer.headers))
    try:
        connection.post(answer.rest())
        await node_tunnels.carry_bytes(exchange, connection, wire)
    finally:
        connection.close()
    return exchange.taken_response()


def place_of(http: HttpRequest, target: Target) -> Place:
    """Return where the proxy is that a request asks, and what it asks it for: percent-encoded, as it came."""
    parts = http.raw_path.lstrip("/").split("/")
    own = 7 if target.namespace else 5  # api, v1, (namespaces, <namespace>,) <resource>, <name>, proxy
    path = "/" + "/".join(parts[own:]) if len(parts) > own else ""
    return Place(http.headers.get("Host", ""), "/" + "/".join(parts[:own]), path)


def upgrades(http: HttpRequest) -> bool:
    """Whether a request asks for its connection to become something else."""
    connection = ",".join(http.headers.getall("Connection", []))
    is_asked = "upgrade" in {token.strip().lower() for token in connection.split(",")}
    return is_asked and bool(http.headers.get("Upgrade"))


def _start(found: Destination) -> Any:
    from machinery.wire.node import messages

    if not found.port.isascii() or not found.port.isdecimal() or not 0 < int(found.port) <= 0xFFFF:
        raise Unavailable(f"error trying to reach service: dial tcp: unknown port {found.port}")
    address = messages.Address(host=found.host, port=int(found.port), tls=found.is_tls)
    return messages.TunnelStart(address=address)


def _moved(http: HttpRequest) -> web.StreamResponse:
    """Return a redirect to the same place with "/" at its end, below which relative links work."""
    from aiohttp import web

    query = f"?{http.raw_query}" if http.raw_query else ""
    return web.Response(status=301, headers={"Location": f"{http.raw_path}/{query}"})


def _body(exchange: Exchange) -> AsyncIterator[bytes] | None:
    return _pieces(exchange) if exchange.request.can_read_body else None


async def _pieces(exchange: Exchange) -> AsyncIterator[bytes]:
    if "100-continue" in exchange.http.headers.get("Expect", "").lower():
        await exchange.request.writer.write(_GO_ON)
    async for piece in exchange.request.content.iter_any():
        yield piece


async def _answered(exchange: Exchange, answer: ProxiedAnswer, place: Place) -> web.StreamResponse:
    """Pass an answer back, a page with its links rewritten."""
    given = headers.answer_headers(answer.headers, place)
    by_name = {name.lower(): value for name, value in given}
    is_page = headers.is_html(by_name) and by_name.get("content-encoding", "") in {"", "identity", "gzip"}
    if is_page:
        given = [pair for pair in given if pair[0].lower() != "content-length"]
    response = await _begun(exchange, answer.status, given)
    write = partial(send, response.write)
    if not is_page:
        async for piece in answer.body():
            await exchange.send(piece, write)
        return response
    from apiserver.rest.proxied_page import Page  # with html's table of entities

    page = Page(partial(headers.rewritten, place=place), is_gzip=by_name.get("content-encoding") == "gzip")
    async for piece in answer.body():
        for part in page.feed(piece):
            await exchange.send(part, write)
    await exchange.send(page.finish(), write)
    return response


async def _begun(exchange: Exchange, status: int, given: list[tuple[str, str]]) -> web.StreamResponse:
    from aiohttp import web
    from multidict import CIMultiDict

    response = web.StreamResponse(status=status, headers=CIMultiDict(given))
    if response.content_length is None and exchange.http.method != "HEAD" and status not in {204, 304}:
        response.enable_chunked_encoding()
    await exchange.begin(response)
    return response
