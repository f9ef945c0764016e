"""Logs of containers, as the kubelet gives them: GET /api/v1/namespaces/…/pods/…/log.

They go as text; to a caller who asks for a WebSocket as its messages, whose protocols are `binary.k8s.io` (the bytes, also
where no protocol is offered) and `base64.binary.k8s.io` (the same in base64, as text).
"""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import msgspec

from apiserver.core import field_errors, pod_access
from apiserver.core.values import Json, metadata, spec
from apiserver.request import Request, UserInfo
from apiserver.rest import query, websockets
from apiserver.rest.http_request import Exchange, HttpRequest
from apiserver.rest.paths import Target
from apiserver.rest.replies import Reply, text_reply
from apiserver.rest.services import RestServices
from apiserver.rest.streams import Streams, send
from machinery.model.errors import BadRequest, MethodNotSupported
from machinery.model.k8s import served

if TYPE_CHECKING:
    from aiohttp import web

_DEADLINE_S: Final = 300.0  # wall seconds for a log that is not followed
_FOLLOWED_S: Final = 4 * 3600.0  # and for one that is, as in Kubernetes

_MESSAGES: Final[dict[str, Callable[[bytes], bytes | str]]] = {
    "": bytes,
    "binary.k8s.io": bytes,
    "base64.binary.k8s.io": lambda data: b64encode(data).decode(),
}
"""How a piece of a log becomes a message, by protocol."""

PLACES: Final = ((*served.PODS.gvr, "log"),)


class PodLog:
    """Serves the subresource `log`."""

    def __init__(self, services: RestServices, streams: Streams) -> None:
        self._services = services
        self._streams = streams

    async def answer(self, exchange: Exchange, user: UserInfo, target: Target) -> web.StreamResponse | Reply:
        """Stream a log.

        Raises:
            ApiError: there is nothing to stream; nothing of the answer is sent yet.
            ConnectionError: the log broke off.
        """
        if exchange.http.method != "GET":
            raise MethodNotSupported("the server does not allow this method on the requested resource")
        pod = await read_pod(self._services, user, target, "get")
        options = _options(exchange.http)
        container = pod_access.container_of(pod, options.container)
        node = spec(pod).get("nodeName", "")
        if not node:  # nothing runs yet, so nothing has been logged
            return text_reply("")
        call = _call(pod, container, options)
        deadline_s = _FOLLOWED_S if options.follow else _DEADLINE_S
        is_verified = not options.skips_verification
        async with self._services.kubelets.node(node, is_verified=is_verified) as stub:
            chunks = stub.Logs(call, timeout=deadline_s)
            try:
                return await self._stream(exchange, chunks)
            finally:
                chunks.cancel()

    async def _stream(self, exchange: Exchange, chunks: Any) -> web.StreamResponse:
        from machinery.rpc.status import RpcError

        task = asyncio.current_task()

        async def end() -> None:
            chunks.cancel()
            if task is not None:
                task.cancel()

        with self._streams.opened(end):
            first = await _next(chunks)
            try:
                if websockets.is_upgrade(exchange.http):
                    return await _as_messages(exchange, first, chunks)
                return await _as_text(exchange, first, chunks)
            except RpcError as error:
                raise ConnectionError(f"the log broke off: {error.details}") from error


async def _as_text(exchange: Exchange, first: bytes | None, chunks: Any) -> web.StreamResponse:
    from aiohttp import web

    response = web.StreamResponse()
    response.headers["Content-Type"] = "text/plain"
    response.headers["Cache-Control"] = "no-cache, private"
    response.enable_chunked_encoding()
    await exchange.begin(response)
    await _copy(exchange, first, chunks, partial(send, response.write))
    return response


async def _as_messages(exchange: Exchange, first: bytes | None, chunks: Any) -> web.StreamResponse:
    """Send a log as messages of a WebSocket, after an empty one; what the caller sends is ignored."""
    protocol = websockets.negotiated(exchange.http, _MESSAGES)
    encode, socket = _MESSAGES[protocol], websockets.prepared(protocol)

    async def write(data: bytes) -> None:
        await websockets.send_message(socket, encode(data))

    await exchange.begin_websocket(socket)
    await write(b"")  # tells that the connection stands
    going_out = _copy(exchange, first, chunks, partial(send, write))
    await websockets.until_either_ends(going_out, websockets.until_gone(socket))
    await socket.close()
    return socket


async def _copy(
    exchange: Exchange, first: bytes | None, chunks: Any, write: Callable[[bytes], Awaitable[None]]
) -> None:
    data = first
    while data is not None:
        await exchange.send(data, write)
        data = await _next(chunks)


async def read_pod(services: RestServices, user: UserInfo, target: Target, *verbs: str) -> Json:
    """Read the pod of a request, once every verb on its subresource is admitted.

    Raises:
        Forbidden: the user may not do this.
        NotFound: there is no such pod.
    """
    for verb in verbs:
        await services.gate.admit(_request(user, target, verb, target.subresource))
    reply = await services.registry.get(_request(user, target, "get", ""))
    pod: Json = msgspec.json.decode(reply.json)
    return pod


def container_ref(pod: Json, container: str) -> dict[str, str]:
    """Name a container as the kubelet's service does."""
    meta = metadata(pod)
    return {
        "namespace": meta["namespace"],
        "pod": meta["name"],
        "container": container,
        "pod_uid": meta["uid"],
    }


def _request(user: UserInfo, target: Target, verb: str, subresource: str) -> Request:
    return Request(
        user=user,
        verb=verb,
        resource="pods",
        subresource=subresource,
        namespace=target.namespace,
        name=target.name,
    )


def _options(http: HttpRequest) -> pod_access.LogOptions:
    asked = http.query
    options = pod_access.log_options(asked, partial(query.boolean, asked), partial(query.integer, asked))
    if found := pod_access.log_causes(options):
        raise field_errors.invalid_object("PodLogOptions", "", found)
    if options.since_time and not _is_time(options.since_time):
        raise BadRequest(f"sinceTime: {options.since_time!r} is no RFC 3339 time")
    return options


def _is_time(text: str) -> bool:
    from datetime import datetime

    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


def _call(pod: Json, container: str, options: pod_access.LogOptions) -> Any:
    from machinery.wire.node import messages

    return messages.LogsRequest(
        container=messages.ContainerRef(**container_ref(pod, container)),
        follow=options.follow,
        previous=options.previous,
        timestamps=options.timestamps,
        tail_lines=options.tail_lines,
        since_seconds=options.since_seconds,
        since_time=options.since_time,
        limit_bytes=options.limit_bytes,
        stream=options.stream,
    )


async def _next(chunks: Any) -> bytes | None:
    """Return the next piece of the log; None at its end."""
    chunk = await chunks.read()
    return None if chunk is None else bytes(chunk.data)
