"""Paths that are no resource: discovery, OpenAPI, version, health, metrics, and the keys of the token issuer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from email.utils import formatdate
from typing import Final

import msgspec

from apiserver.core import discovery
from apiserver.core.catalogue import PerGeneration
from apiserver.core.flow.schemas import AskedPage
from apiserver.core.openapi import served_paths
from apiserver.flow_pages import FlowPages
from apiserver.request import UserInfo
from apiserver.rest.health_pages import ROOTS, HealthPages
from apiserver.rest.http_request import HttpRequest
from apiserver.rest.kept_documents import KeptDocuments
from apiserver.rest.negotiation import (
    DISCOVERIES,
    DOCUMENTS,
    DOCUMENTS_V2,
    OPENAPI_V2_TYPE,
    PLAIN,
    Encoding,
    Shape,
    negotiate,
)
from apiserver.rest.openapi import OpenApi
from apiserver.rest.paths import Discovery
from apiserver.rest.protobuf_answers import element, object_body
from apiserver.rest.replies import JSON, Reply, pretty, reply, text_reply, to_yaml
from apiserver.rest.services import RestServices
from apiserver.rest.z_pages import StructuredZPages
from machinery.model.errors import ApiError, MethodNotSupported, NotImplementedHere
from machinery.process.build_info import version_info

_PATIENCE_S: Final = 2.0  # wall seconds for the store to say how large it is
_YEAR_S: Final = 365 * 86_400
_APF: Final = "debug/api_priority_and_fairness"
_PROMETHEUS: Final = "text/plain; version=0.0.4; charset=utf-8"
_ROOTS: Final = (
    "/.well-known/openid-configuration",
    "/api",
    "/apis",
    "/configz",
    "/flagz",
    "/healthz",
    "/livez",
    "/metrics",
    "/metrics/slis",
    "/openapi/v2",
    "/openapi/v3",
    "/openid/v1/jwks",
    "/readyz",
    "/statusz",
    "/version",
)
Page = Callable[[HttpRequest], Reply | None]


class Pages:
    """Answers what is the same for everybody, once it is known that they may read it."""

    def __init__(self, services: RestServices) -> None:
        self._services = services
        self._health = HealthPages(services)
        self._flow = FlowPages(services.registry.flow)
        services.metrics.add(self._flow)
        self._kept = KeptDocuments()
        catalogue = services.catalogue
        self._openapi = OpenApi(catalogue, services.definitions)
        self._others = services.aggregation.openapi if services.aggregation is not None else None
        self._discovery = PerGeneration(
            catalogue, lambda: _Documents(discovery.Discovery(catalogue.served(), catalogue.elsewhere))
        )
        self._pages: dict[str, Page] = {
            "": self._roots,
            "version": self._version,
            "metrics": self._metrics,
            "metrics/slis": self._slis,
            "configz": self._configuration,
            **{
                f"{_APF}/{name}": self._flow_page
                for name in ("dump_priority_levels", "dump_queues", "dump_requests")
            },
            ".well-known/openid-configuration": self._issuer,
            "openid/v1/jwks": self._keys,
            **StructuredZPages(services).pages,
        }

    @staticmethod
    def takes(http: HttpRequest) -> bool:
        """Whether a page is answered that only wants to know whether it is well: health, to HEAD."""
        return http.method == "HEAD" and http.raw_path.strip("/").partition("/")[0] in ROOTS

    async def answer(self, http: HttpRequest, user: UserInfo) -> Reply | None:
        """Answer a path; None where there is nothing.

        Raises:
            Forbidden: the user may not read the path.
            TooManyRequests: too many others ask at this moment.
            MethodNotSupported: the method is not GET.
        """
        verb = http.method.lower()
        await self._services.gate.admit_path(user, verb, http.raw_path)
        async with self._services.registry.flow.seated(AskedPage(verb, http.raw_path), user):
            return await self._answer(http)

    async def _answer(self, http: HttpRequest) -> Reply | None:
        if isinstance(http.target, Discovery):
            _check_get(http)
            await self._services.registry.try_to_catch_up()
            return await self._discovered(http, http.target)
        path = http.raw_path.strip("/")
        root, _, rest = path.partition("/")
        if root == "openapi":
            _check_get(http)
            return await self._openapi_page(http, path)
        page = self._pages.get(path)
        if page is None and root in ROOTS:
            return self._health.answer(http, root, rest)
        if page is None and (root == "logs" or path.startswith("debug/pprof")):
            raise NotImplementedHere(f"/{path} is not built: this apiserver is no program in Go")
        if page is None:
            return None
        _check_get(http)
        if path == "metrics":
            await self._measure_storage()
        return page(http)

    async def _measure_storage(self) -> None:
        """Look how large the store is; where it does not answer, what was seen last is told."""
        with suppress(ApiError, TimeoutError):
            async with self._services.clock.timeout_wall(_PATIENCE_S):
                await self._services.storage_size()

    def _roots(self, _: HttpRequest) -> Reply:
        lists = self._discovery().lists
        found = {
            *(f"/{path}" for path in served_paths(lists)),
            *(f"/apis/{group}" for group in lists.groups()),
        }
        paths = sorted({*_ROOTS, *found})
        return reply(pretty(msgspec.json.encode({"paths": paths})))

    def _version(self, _: HttpRequest) -> Reply:
        return reply(pretty(msgspec.json.encode(version_info())))

    def _metrics(self, _: HttpRequest) -> Reply:
        return reply(self._services.metrics.render().encode(), content_type=_PROMETHEUS)

    def _slis(self, _: HttpRequest) -> Reply:
        return reply(self._health.metrics().encode(), content_type=_PROMETHEUS)

    def _configuration(self, _: HttpRequest) -> Reply:
        return reply(msgspec.json.encode({"apiserver": self._services.configuration}))

    def _flow_page(self, http: HttpRequest) -> Reply | None:
        details = bool(http.query.get("includeRequestDetails"))
        shown = self._flow.page(http.raw_path.strip("/").rpartition("/")[2], details=details)
        return None if shown is None else text_reply(shown)

    def _issuer(self, _: HttpRequest) -> Reply:
        return reply(self._services.token_key.discovery())

    def _keys(self, _: HttpRequest) -> Reply:
        body = self._services.token_key.jwks()
        return reply(body, content_type="application/jwk-set+json")

    async def _openapi_page(self, http: HttpRequest, path: str) -> Reply | None:
        await self._services.registry.try_to_catch_up()
        openapi, kept, others = self._openapi, self._kept, self._others
        if path == "openapi/v2":
            is_binary = negotiate(http.accept, DOCUMENTS_V2).encoding is Encoding.OPENAPI_V2
            if others is not None and (found := await others.documents()):
                body = await openapi.v2_with(found, is_binary=is_binary)
            else:
                body = await (openapi.v2_binary() if is_binary else openapi.v2())
            return await kept.answer(http, body, OPENAPI_V2_TYPE if is_binary else JSON)
        negotiate(http.accept, DOCUMENTS)
        if path == "openapi/v3":
            index = await openapi.index()
            if others is not None and (places := await others.index()):
                index = _with_places(index, places)
            return await kept.answer(http, index, JSON)
        place = path.removeprefix("openapi/v3/")
        if others is not None and others.serves(place):
            body_of_other = await others.document(place)
            return None if body_of_other is None else await kept.answer(http, body_of_other, JSON)
        document = await openapi.document(place)
        return None if document is None else await self._version_3(http, place, document)

    async def _version_3(self, http: HttpRequest, path: str, document: bytes) -> Reply:
        """Answer with a document; at an address with its hash it may be kept for ever, one with another leads there."""
        if "hash" not in http.query:
            return await self._kept.answer(http, document, JSON)
        address = await self._openapi.address(path)
        if not address.endswith(f"?hash={http.query['hash']}"):
            return reply(b"", status=301, headers={"Location": address})
        answer = await self._kept.answer(http, document, JSON)
        clock = self._services.clock
        expires_s = clock.timescale.wall(clock.now()) + _YEAR_S
        answer.headers = [pair for pair in answer.headers if pair[0] != "Cache-Control"]
        answer.headers += (
            ("Cache-Control", "public, immutable"),
            ("Expires", formatdate(expires_s, usegmt=True)),
        )
        return answer

    async def _discovered(self, http: HttpRequest, target: Discovery) -> Reply | None:
        documents = self._discovery()
        is_root = not target.group and not target.version
        form = negotiate(http.accept, DISCOVERIES if is_root else PLAIN)
        content_type = form.encoding.value
        if form.shape is Shape.DISCOVERY:
            body: bytes | None = documents.aggregated(legacy=target.legacy)
            content_type += discovery.AGGREGATED
        else:
            body = _discovery_json(documents.lists, target, http.headers.get("Host", ""))
        return (
            None
            if body is None
            else await self._kept.answer(http, _encoded(body, form.encoding), content_type)
        )


def _with_places(index: bytes, places: Mapping[str, str]) -> bytes:
    """Return the list of documents with those of other servers, at the addresses that they say."""
    paths = msgspec.json.decode(index)["paths"]
    paths |= {path: {"serverRelativeURL": url} for path, url in places.items()}
    return msgspec.json.encode({"paths": paths})


def _encoded(body: bytes, encoding: Encoding) -> bytes:
    match encoding:
        case Encoding.PROTOBUF:
            return object_body(element(body))
        case Encoding.YAML:
            return to_yaml(body)
        case _:
            return body


class _Documents:
    """What is discovered in one generation of the catalogue."""

    def __init__(self, lists: discovery.Discovery) -> None:
        self.lists = lists
        self._aggregated: dict[bool, bytes] = {}

    def aggregated(self, *, legacy: bool) -> bytes:
        if legacy not in self._aggregated:
            self._aggregated[legacy] = msgspec.json.encode(self.lists.aggregated(legacy=legacy))
        return self._aggregated[legacy]


def _discovery_json(lists: discovery.Discovery, target: Discovery, host: str) -> bytes | None:
    known = lists.versions("" if target.legacy else target.group)
    if target.version:
        if target.version not in known:
            return None
        return msgspec.json.encode(lists.resource_list(target.group, target.version))
    if target.legacy:
        return msgspec.json.encode(lists.api_versions(host))
    if not target.group:
        return msgspec.json.encode(lists.api_group_list())
    return msgspec.json.encode(lists.api_group(target.group)) if known else None


def _check_get(http: HttpRequest) -> None:
    if http.method != "GET":
        raise MethodNotSupported("the server does not allow this method on the requested resource")
