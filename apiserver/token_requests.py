"""The subresource `token` of ServiceAccounts: hands out tokens that live as long as a pod, at most."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final
from uuid import uuid4

import msgspec

from apiserver.aside import aside
from apiserver.core import field_errors, token_requests, writes
from apiserver.core.authn import claims_of
from apiserver.core.schema import Schemas
from apiserver.core.token_requests import BoundTo
from apiserver.core.values import Json, metadata, spec
from apiserver.lookup import Lookup
from apiserver.registry import Handlers, Posted
from apiserver.request import ObjectReply, Request
from machinery.model.clock import Clock
from machinery.model.errors import BadRequest, NotFound
from machinery.model.k8s import served
from machinery.process.token_key import TokenKey

_POSTED: Final = served.SERVICE_ACCOUNTS.subresources["token"]


def token_handlers(lookup: Lookup, key: TokenKey, clock: Clock, schemas: Callable[[], Schemas]) -> Handlers:
    """Return who serves the subresource; `schemas` is called when the first request comes."""
    requests = _TokenRequests(lookup, key, clock, schemas)
    return {("", "serviceaccounts", "token", "create"): requests.create}


class _TokenRequests:
    def __init__(self, lookup: Lookup, key: TokenKey, clock: Clock, schemas: Callable[[], Schemas]) -> None:
        self._lookup = lookup
        self._key = key
        self._clock = clock
        self._schemas = schemas

    async def create(self, request: Request, posted: Posted) -> ObjectReply:
        asked, warnings = await aside(len(request.body), self._read, request)
        account = await self._get("serviceaccounts", request.namespace, request.name)
        asked = await posted.mutate(asked)
        if found := token_requests.request_causes(asked):
            raise field_errors.invalid_object("TokenRequest.authentication.k8s.io", "", found)
        warnings = (*warnings, *await posted.validate())
        bound = token_requests.bound_to(asked)
        obj = await self._bound_object(bound, request.namespace)
        node = await self._node_of(bound, obj)
        subject = token_requests.subject_of(account, bound, obj, node, str(uuid4()))
        now_s, lifetime_s = self._clock.now(), token_requests.lifetime_s(asked)
        scale = self._clock.timescale
        claims = claims_of(
            subject, token_requests.audiences(asked), int(scale.wall(now_s)), scale.wall(lifetime_s)
        )
        expires = scale.format(now_s + lifetime_s)
        token = self._key.sign(claims)
        answer = token_requests.answered(asked, account, bound, token, expires)
        return ObjectReply(msgspec.json.encode(answer), created=True, warnings=warnings)

    def _read(self, request: Request) -> tuple[Json, tuple[str, ...]]:
        validation = writes.field_validation(request.writing.field_validation)
        asked, warnings = writes.read_posted(self._schemas(), _POSTED, request.body, validation)
        meta = metadata(asked)
        if meta.get("name", request.name) not in {"", request.name}:
            raise BadRequest(
                f"the name of the object ({meta['name']}) is not the one on the URL ({request.name})"
            )
        if meta.get("namespace", request.namespace) not in {"", request.namespace}:
            raise BadRequest(
                "the namespace of the provided object does not match the namespace sent on the request"
            )
        return asked, warnings

    async def _bound_object(self, bound: BoundTo | None, namespace: str) -> Json | None:
        if bound is None:
            return None
        return await self._get(bound.resource, namespace if bound.namespaced else "", bound.name)

    async def _node_of(self, bound: BoundTo | None, obj: Json | None) -> Json | None:
        if bound is None or bound.kind != "Pod" or not spec(obj or {}).get("nodeName"):
            return None
        return await self._find("nodes", "", spec(obj or {})["nodeName"])

    async def _find(self, resource: str, namespace: str, name: str) -> Json | None:
        try:
            return await self._get(resource, namespace, name)
        except NotFound:
            return None

    async def _get(self, resource: str, namespace: str, name: str) -> Json:
        found: Json = msgspec.json.decode((await self._lookup.current(resource, namespace, name)).json)
        return found
