"""An authorizer that is asked over HTTPS: a SubjectAccessReview is posted, its status is the decision.

What was answered is remembered as long as the configuration says. A server that cannot be reached is tried again, a few
times; what holds then is the configuration's failure policy.
https://kubernetes.io/docs/reference/access-authn-authz/webhook/
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, Final

import msgspec

from apiserver.authorizers import Authorizer, NodeAuthorizer, RbacAuthorizer
from apiserver.configured_files import read_document
from apiserver.core.authz import webhook
from apiserver.core.authz.attributes import Attributes, Decision
from apiserver.core.configured.authorization import BuiltIn, Webhook, read_authorization
from apiserver.core.configured.documents import BadDocument
from apiserver.node_references import NodeReferences
from apiserver.rbac_cache import RbacCache
from apiserver.remotes import RemoteServer
from apiserver.request import UserInfo
from machinery.model.clock import Clock
from machinery.model.errors import ApiError, TooManyRequests, Unavailable
from machinery.model.log import EventLog

_REMEMBERED: Final = 8_192  # answers
_TRIES: Final = 5
_FIRST_PAUSE_S: Final = 0.5  # wall seconds; each is half as long again


class WebhookAuthorizer:
    """One webhook."""

    def __init__(self, settings: Webhook, server: RemoteServer, clock: Clock, log: EventLog) -> None:
        self._settings = settings
        self._server = server
        self._clock = clock
        self._log = log
        self._answers: OrderedDict[bytes, tuple[float, Decision]] = OrderedDict()

    async def authorize(self, user: UserInfo, attributes: Attributes) -> Decision:
        """Ask, unless a condition says that the webhook has nothing to do with this request."""
        spec = webhook.review_spec(user, attributes)
        try:
            if not webhook.is_asked(self._settings.conditions, spec):
                return Decision(allowed=False)
            return await self._answer(spec, attributes)
        except (ValueError, ApiError) as error:
            self._log.warning("authorization_webhook_failed", name=self._settings.name, error=str(error))
            return Decision(allowed=False, denied=self._settings.denies_on_error)

    def unresolved(self, _user: UserInfo) -> str:
        """Return that what it allows is no rule."""
        return "webhook authorizer does not support user rule resolution"

    async def aclose(self) -> None:
        """Close the connections."""
        await self._server.aclose()

    async def _answer(self, spec: dict[str, Any], attributes: Attributes) -> Decision:
        key = msgspec.json.encode(spec)
        known = self._answers.get(key)
        if known is not None and self._clock.monotonic_wall() < known[0]:
            self._answers.move_to_end(key)
            return known[1]
        decision = await self._ask(spec)
        ttl_s = self._settings.authorized_ttl_s if decision.allowed else self._settings.unauthorized_ttl_s
        if ttl_s and webhook.is_remembered(attributes):
            self._answers[key] = (self._clock.monotonic_wall() + ttl_s, decision)
            if len(self._answers) > _REMEMBERED:
                self._answers.popitem(last=False)
        return decision

    async def _ask(self, spec: dict[str, Any]) -> Decision:
        body = msgspec.json.encode(webhook.review(self._settings.review_version, spec))
        answer = await self._posted(body)
        try:
            review = msgspec.json.decode(answer)
        except (msgspec.DecodeError, RecursionError) as error:
            raise ValueError(f"the answer is no JSON: {error}") from error
        return webhook.decided(review.get("status") if isinstance(review, dict) else None)

    async def _posted(self, body: bytes) -> bytes:
        pause_s = _FIRST_PAUSE_S
        for _ in range(_TRIES - 1):
            try:
                return await self._server.post(body, self._settings.timeout_s)
            except (Unavailable, TooManyRequests):
                await self._clock.sleep_wall(pause_s)
                pause_s *= 1.5
        return await self._server.post(body, self._settings.timeout_s)


def configured_authorizers(
    path: str, rbac: RbacCache, references: NodeReferences, clock: Clock, log: EventLog
) -> tuple[Authorizer, ...]:
    """Return the authorizers that a file names.

    Raises:
        ValueError: the file, or a kubeconfig that it names, makes no sense; the text begins with its path.
        OSError: a file cannot be read.
    """
    try:
        found = read_authorization(read_document(path), webhook.compile_condition)
    except BadDocument as error:
        raise ValueError(f"{path}: {error}") from error
    return tuple(_made(each, rbac, references, clock, log) for each in found)


def _made(
    settings: BuiltIn | Webhook, rbac: RbacCache, references: NodeReferences, clock: Clock, log: EventLog
) -> Authorizer:
    if isinstance(settings, BuiltIn):
        return NodeAuthorizer(references) if settings.type == "Node" else RbacAuthorizer(rbac)
    try:
        server = RemoteServer.of_kubeconfig(settings.kubeconfig_file)
    except BadDocument as error:
        raise ValueError(f"{settings.kubeconfig_file}: {error}") from error
    return WebhookAuthorizer(settings, server, clock, log)
