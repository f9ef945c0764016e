"""Requests of what the servers behind APIServices serve: any method and path below /apis/<group>/<version>.

They are authenticated, authorized, seated and audited here like all others; the server is told who asks (the front proxy's
headers), and may refuse more. Bodies stream both ways, watches last, and a connection can be upgraded.
https://kubernetes.io/docs/concepts/extend-kubernetes/api-extension/apiserver-aggregation/
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from apiserver.core.aggregation.front_proxy import signed
from apiserver.core.aggregation.heads import Head
from apiserver.core.aggregation.priorities import GroupVersion
from apiserver.core.proxying.headers import Headers, Place, request_headers
from apiserver.flow_control import current_flow
from apiserver.request import ListOptions, Request, UserInfo, request_about
from apiserver.rest import query
from apiserver.rest.http_request import Exchange, HttpRequest
from apiserver.rest.paths import Discovery, Target
from apiserver.rest.proxies import pass_on, upgrades
from apiserver.rest.replies import Reply, text_reply
from apiserver.rest.resource_request import VERBS, is_watch, verb_of
from apiserver.rest.services import RestServices
from apiserver.rest.streams import Streams
from machinery.model.errors import DeadlineExceeded, MethodNotSupported, TooManyRequests, Unavailable
from machinery.process.clock import WALL

if TYPE_CHECKING:
    from aiohttp import web

_MOST: Final = 400  # requests that one server has at once
_NOTHING: Final[Mapping[GroupVersion, Head]] = {}
LONG_RUNNING: Final = frozenset({"attach", "exec", "log", "portforward", "proxy"})
"""Subresources of which a request may last."""


class Aggregated:
    """Passes requests on."""

    def __init__(self, services: RestServices, answer_s: float) -> None:
        self._services = services
        self._answer_s = answer_s  # wall seconds for what does not last
        self._streams = Streams()
        self._served: Counter[GroupVersion] = Counter()
        aggregation = services.aggregation
        self.remote = aggregation.services.remote if aggregation is not None else _NOTHING
        self._backends = aggregation.backends if aggregation is not None else None

    def serves(self, http: HttpRequest) -> bool:
        """Whether a request is of what another server serves."""
        return bool(self.remote) and _place(http) in self.remote

    async def end_streams(self) -> None:
        """End everything that is passed on."""
        await self._streams.end()

    async def answer(self, exchange: Exchange, user: UserInfo) -> web.StreamResponse | Reply:
        """Pass a request on, and its answer back.

        Raises:
            ApiError: the user may not ask, or too many do; nothing of an answer is sent yet.
            ConnectionError: the answer broke off, or the caller has gone.
        """
        http = exchange.http
        head = self.remote.get(_place(http))
        if http.method not in VERBS:
            raise MethodNotSupported("the server does not allow this method on the requested resource")
        await self._admit(http, user)
        flow = current_flow.get()
        if flow is not None and not _is_connection(http):
            exchange.own_headers = flow.headers
        if head is None or not head.is_available:
            return text_reply("service unavailable\n", status=503)
        with self._counted(head):
            try:
                async with WALL.timeout_wall(None if _lasts(http) else self._limit_s(http)):
                    return await self._through(exchange, user, head)
            except TimeoutError as error:
                text = "request did not complete within the allotted timeout"
                raise DeadlineExceeded(f"Timeout: {text}") from error
            except Unavailable as error:
                if exchange.has_begun:
                    raise
                return text_reply(f"{_explained(str(error))}\n", status=503)

    def _limit_s(self, http: HttpRequest) -> float:
        """Return how many wall seconds an answer may take: what the caller asks for, and no more than the door's own limit.

        Raises:
            BadRequest: what the caller asks for is no duration.
        """
        asked = query.timeout_s(http.query) if "timeout=" in http.raw_query else None
        return min(asked or self._answer_s, self._answer_s)

    async def _admit(self, http: HttpRequest, user: UserInfo) -> None:
        """Check that the user may ask, and wait for their turn; nobody keeps a seat while another server works.

        Raises:
            Forbidden: the user may not.
            TooManyRequests: there are too many requests.
        """
        if not isinstance(http.target, Target):
            await self._services.gate.admit_path(user, http.method.lower(), http.raw_path)
            return
        request = _request(http, http.target, user)
        await self._services.gate.admit(request)
        async with self._services.registry.flow.seated(request):
            return

    @contextmanager
    def _counted(self, head: Head) -> Iterator[None]:
        place = head.group_version
        if self._served[place] >= _MOST:
            raise TooManyRequests("too many requests, please try again later", retry_after_s=1)
        self._served[place] += 1
        try:
            yield
        finally:
            self._served[place] -= 1
            if not self._served[place]:
                del self._served[place]

    async def _through(self, exchange: Exchange, user: UserInfo, head: Head) -> web.StreamResponse:
        assert self._backends is not None  # noqa: S101 - there are APIServices
        http = exchange.http
        place = Place(http.headers.get("Host", ""), "", http.raw_path)
        async with self._backends.connected(head) as line:
            given = _head(exchange, user, head, place)
            return await pass_on(exchange, self._streams, line, given, place)


def _head(exchange: Exchange, user: UserInfo, head: Head, place: Place) -> Headers:
    """Return the head of a request as it is passed on."""
    http = exchange.http
    given = request_headers(
        http.headers.items(), place, exchange.request.remote or "", upgrades=upgrades(http)
    )
    replaced = {"host", "audit-id"}
    kept = [(name, value) for name, value in given if name.lower() not in replaced]
    return [("Host", head.host), *signed(kept, user), ("Audit-Id", http.audit_id)]


def _place(http: HttpRequest) -> GroupVersion:
    """Return the version that a path lies below."""
    target = http.target
    if isinstance(target, Target | Discovery):
        return target.group, target.version
    root, _, rest = http.raw_path.lstrip("/").partition("/")
    group, _, rest = rest.partition("/") if root == "apis" else ("", "", rest)
    return (group, rest.partition("/")[0]) if root in {"api", "apis"} else ("", "")


def _request(http: HttpRequest, target: Target, user: UserInfo) -> Request:
    """Return what is authorized; whether the query makes sense is the other server's business."""
    return request_about(target, user, verb_of(http, target), selection=_selection(http))


def _selection(http: HttpRequest) -> ListOptions:
    given = http.query
    return ListOptions(
        label_selector=given.get("labelSelector", ""), field_selector=given.get("fieldSelector", "")
    )


def _lasts(http: HttpRequest) -> bool:
    target = http.target
    if upgrades(http):
        return True
    return isinstance(target, Target) and (is_watch(http, target) or target.subresource in LONG_RUNNING)


def _is_connection(http: HttpRequest) -> bool:
    """Whether a request may last and is no watch: such a one belongs to no flow for Kubernetes."""
    return isinstance(http.target, Target) and http.target.subresource in LONG_RUNNING


def _explained(text: str) -> str:
    prefix = "error trying to reach service: "
    return text if text.startswith(prefix) else f"{prefix}{text}"
