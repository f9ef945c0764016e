"""The reviews: may somebody do something, who am I, whose token is this.

The registry serves them by the table of `review_handlers`, so that both doors have them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from apiserver.aside import aside
from apiserver.authentication import API_AUDIENCES, Authenticator
from apiserver.core import access_reviews, field_errors, writes
from apiserver.core.authn import BadToken
from apiserver.core.schema import Schemas
from apiserver.core.values import Json, metadata, spec
from apiserver.gate import Gate
from apiserver.registry import Handler, Handlers, Posted
from apiserver.request import ObjectReply, Request, UserInfo
from machinery.model.errors import BadRequest
from machinery.model.k8s import served
from machinery.model.kinds import KindNames

_RULE_BYTES: Final = 64  # of JSON that are read as fast as a rule is written


def review_handlers(gate: Gate, authenticator: Authenticator, schemas: Callable[[], Schemas]) -> Handlers:
    """Return who serves each review; `schemas` is called when the first one comes."""
    reviews = _Reviews(gate, authenticator, schemas)
    handlers: dict[KindNames, Handler] = {
        served.TOKEN_REVIEWS: reviews.token,
        served.SELF_SUBJECT_REVIEWS: reviews.self_subject,
        served.SUBJECT_ACCESS_REVIEWS: reviews.subject_access,
        served.LOCAL_SUBJECT_ACCESS_REVIEWS: reviews.local_access,
        served.SELF_SUBJECT_ACCESS_REVIEWS: reviews.self_access,
        served.SELF_SUBJECT_RULES_REVIEWS: reviews.self_rules,
    }
    return {(each.group, each.plural, "", "create"): handler for each, handler in handlers.items()}


class _Reviews:
    def __init__(self, gate: Gate, authenticator: Authenticator, schemas: Callable[[], Schemas]) -> None:
        self._gate = gate
        self._authenticator = authenticator
        self._schemas = schemas

    async def subject_access(self, request: Request, posted: Posted) -> ObjectReply:
        review, warnings = await self._read(request, posted, served.SUBJECT_ACCESS_REVIEWS)
        _check(review, access_reviews.access_causes(review, of_subject=True))
        return await self._answer(review, _asked(review), posted, warnings)

    async def local_access(self, request: Request, posted: Posted) -> ObjectReply:
        review, warnings = await self._read(request, posted, served.LOCAL_SUBJECT_ACCESS_REVIEWS)
        namespace = metadata(review).get("namespace") or request.namespace
        if namespace != request.namespace:
            raise BadRequest(
                "the namespace of the provided object does not match the namespace sent on the request"
            )
        _check(review, access_reviews.access_causes(review, of_subject=True, namespace=namespace))
        return await self._answer(review, _asked(review), posted, warnings)

    async def self_access(self, request: Request, posted: Posted) -> ObjectReply:
        review, warnings = await self._read(request, posted, served.SELF_SUBJECT_ACCESS_REVIEWS)
        _check(review, access_reviews.access_causes(review, of_subject=False))
        return await self._answer(review, request.user, posted, warnings)

    async def self_rules(self, request: Request, posted: Posted) -> ObjectReply:
        review, warnings = await self._read(request, posted, served.SELF_SUBJECT_RULES_REVIEWS)
        namespace = spec(review).get("namespace", "")
        if not namespace:
            raise BadRequest("no namespace on request")
        warnings = (*warnings, *await posted.validate())
        rules = self._gate.rules_for(request.user, namespace)
        problem = self._gate.unresolved(request.user)
        weight = _RULE_BYTES * len(rules)
        return _reply(await aside(weight, access_reviews.rules_answered, review, rules, problem), warnings)

    async def self_subject(self, request: Request, posted: Posted) -> ObjectReply:
        review, warnings = await self._read(request, posted, served.SELF_SUBJECT_REVIEWS)
        warnings = (*warnings, *await posted.validate())
        return _reply(
            {**review, "metadata": metadata(review), "status": {"userInfo": _written(request.user)}}, warnings
        )

    async def token(self, request: Request, posted: Posted) -> ObjectReply:
        review, warnings = await self._read(request, posted, served.TOKEN_REVIEWS)
        token = spec(review).get("token", "")
        if not token:
            raise BadRequest("token is required for TokenReview in authentication")
        warnings = (*warnings, *await posted.validate())
        audiences = tuple(spec(review).get("audiences") or API_AUDIENCES)
        status = await self._token_status(token, audiences)
        return _reply({**review, "metadata": metadata(review), "status": status}, warnings)

    async def _token_status(self, token: str, accepted: tuple[str, ...]) -> Json:
        try:
            user, audiences = await self._authenticator.review(token, accepted)
        except BadToken as error:
            return {"user": {}, "error": str(error)}
        return {"authenticated": True, "user": _written(user), "audiences": list(audiences)}

    async def _read(self, request: Request, posted: Posted, kind: KindNames) -> tuple[Json, tuple[str, ...]]:
        """Read a review, as the cluster wants it."""
        body, validation = request.body, writes.field_validation(request.writing.field_validation)
        read = await aside(len(body), writes.read_posted, self._schemas(), kind, body, validation)
        return await posted.mutate(read[0]), read[1]

    async def _answer(
        self, review: Json, user: UserInfo, posted: Posted, warnings: tuple[str, ...]
    ) -> ObjectReply:
        warnings = (*warnings, *await posted.validate())
        decision = await self._gate.authorize(user, access_reviews.attributes_of(review))
        return _reply(access_reviews.answered(review, decision), warnings)


def _asked(review: Json) -> UserInfo:
    asked = access_reviews.asked_user(review)
    return UserInfo(asked.name, asked.uid, asked.groups, asked.extra)


def _check(review: Json, found: list[Any]) -> None:
    if found:
        group = review["apiVersion"].partition("/")[0]
        raise field_errors.invalid_object(f"{review['kind']}.{group}", "", found)


def _written(user: UserInfo) -> Json:
    written: Json = {"username": user.name}
    if user.uid:
        written["uid"] = user.uid
    if user.groups:
        written["groups"] = list(user.groups)
    if user.extra:
        written["extra"] = {key: list(values) for key, values in user.extra.items()}
    return written


def _reply(review: Json, warnings: tuple[str, ...]) -> ObjectReply:
    return ObjectReply(msgspec.json.encode(review), created=True, warnings=warnings)
