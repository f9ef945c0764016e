"""Who asks: by client certificate, by ServiceAccount token, or nobody."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import msgspec

from apiserver.core import bootstrap_tokens
from apiserver.core.authn import (
    EVERYWHERE,
    ISSUER,
    BadToken,
    Ref,
    TokenSubject,
    audiences_of,
    legacy_subject_of,
    subject_of,
)
from apiserver.core.authz.attributes import ANONYMOUS, AUTHENTICATED, UNAUTHENTICATED
from apiserver.core.legacy_tokens import invalid_text
from apiserver.lookup import Lookup
from apiserver.request import ObjectReply, UserInfo
from machinery.model.clock import Clock
from machinery.model.errors import NotFound, Unauthorized
from machinery.model.tokens import INVALID_SINCE, LAST_USED, LEGACY_ISSUER
from machinery.process.tls import Peer
from machinery.process.token_key import TokenKey, read_part

if TYPE_CHECKING:
    from apiserver.issuers import TrustedIssuer
    from apiserver.legacy_tokens import LegacyTokenUses

Look: TypeAlias = Callable[[str, str, str], Awaitable[ObjectReply]]

API_AUDIENCES: Final = (ISSUER,)
NOBODY: Final = UserInfo(ANONYMOUS, groups=(UNAUTHENTICATED,))
_KEPT: Final = 1_000  # tokens whose signatures are not verified again
_AFTERLIFE_S: Final = 60.0  # cluster seconds for which a token outlives its object's deletionTimestamp


class Authenticator:
    """Proves who a caller is."""

    def __init__(self, lookup: Lookup, key: TokenKey, clock: Clock) -> None:
        self._lookup = lookup
        self._key = key
        self._clock = clock
        self._verified: OrderedDict[str, dict[str, Any]] = OrderedDict()
        self.issuers: Mapping[str, TrustedIssuer] = {}  # others than the cluster itself, by their URLs
        self.anonymous = EVERYWHERE
        self.legacy_uses: LegacyTokenUses | None = None  # None: nobody notes them

    def of_nobody(self, path: str) -> UserInfo:
        """Return who asks without showing who they are, for a path.

        Raises:
            Unauthorized: nobody may, there.
        """
        anonymous = self.anonymous
        if anonymous.enabled and (anonymous.paths is None or path in anonymous.paths):
            return NOBODY
        raise Unauthorized("Unauthorized")

    def of_peer(self, peer: Peer) -> UserInfo:
        """Return the user of a certificate that TLS has verified.

        Raises:
            Unauthorized: there is no certificate, or it has no name.
        """
        if not peer.common_name:
            raise Unauthorized("Unauthorized")
        return _user_of(peer)

    async def of_bearer(self, token: str) -> UserInfo:
        """Return the ServiceAccount of a token for the apiserver.

        Raises:
            Unauthorized: the token proves nothing (any more).
        """
        try:
            user, _ = await self.review(token, API_AUDIENCES)
        except BadToken as error:
            raise Unauthorized("Unauthorized") from error
        return user

    async def review(self, token: str, accepted: tuple[str, ...]) -> tuple[UserInfo, tuple[str, ...]]:
        """Return the ServiceAccount of a token, and which of the accepted audiences it is for.

        Raises:
            BadToken: the token proves nothing; the text says why.
        """
        if token_id := bootstrap_tokens.id_of(token):
            return await self._bootstrapping(token, token_id), _own_of(accepted)
        if self.issuers and (issuer := self.issuers.get(issuer_of(token))) is not None:
            return await issuer.user_of(token), _own_of(accepted)
        claims = self._claims(token)
        if claims.get("iss") == LEGACY_ISSUER:
            subject = legacy_subject_of(claims)
            if self.legacy_uses is not None:
                self.legacy_uses.shown(subject.user_name)
            audiences = _own_of(accepted)
            return await self._with_secret(token, subject), audiences
        wall_s = self._clock.timescale.wall(self._clock.now())
        subject = subject_of(claims, accepted, wall_s)
        await self._check_alive(subject)
        audiences = tuple(audience for audience in accepted if audience in audiences_of(claims))
        user = UserInfo(subject.user_name, subject.account.uid, subject.groups, subject.extra)
        return user, audiences

    async def _bootstrapping(self, token: str, token_id: str) -> UserInfo:
        """Return who bootstraps: what a token is worth stands in its Secret."""
        place = ("secrets", bootstrap_tokens.NAMESPACE, bootstrap_tokens.secret_name(token_id))
        try:
            secret = msgspec.json.decode((await self._lookup.current(*place)).json)
        except NotFound as error:
            raise BadToken("there is no such bootstrap token") from error
        name, groups = bootstrap_tokens.user_of(token, secret, self._clock.now(), self._clock.timescale)
        return UserInfo(name, groups=_with(groups, AUTHENTICATED))

    async def _with_secret(self, token: str, subject: TokenSubject) -> UserInfo:
        """Return the ServiceAccount of a token that lives in a Secret, as long as it stands there, unmarked."""
        namespace, name = subject.namespace, subject.secret.name if subject.secret is not None else ""
        account = msgspec.json.decode(
            (await self._check("serviceaccounts", namespace, subject.account)).json, type=_Account
        )
        try:
            reply = await self._lookup.current("secrets", namespace, name)
        except NotFound as error:
            raise BadToken(f"secret {name}, which the token lives in, does not exist") from error
        secret = msgspec.json.decode(reply.json, type=_Secret)
        meta, uses = secret.metadata, self.legacy_uses
        if meta.deletionTimestamp or secret.data.get("token") != token.encode():
            raise BadToken(f"the token is not the one of secret {name}")
        place, last_used = (namespace, name), meta.labels.get(LAST_USED, "")
        if meta.labels.get(INVALID_SINCE):
            if uses is not None:
                uses.refused(place, meta.uid, last_used)
            raise BadToken(invalid_text(namespace, name, subject.account.name))
        is_generated = any(each.name == name for each in account.secrets)
        warnings = (
            uses.used(place, meta.uid, last_used, is_generated=is_generated) if uses is not None else ()
        )
        return UserInfo(subject.user_name, subject.account.uid, subject.groups, subject.extra, warnings)

    def _claims(self, token: str) -> dict[str, Any]:
        claims = self._verified.get(token)
        if claims is not None:
            self._verified.move_to_end(token)
            return claims
        claims = self._verified[token] = self._key.verify(token)
        if len(self._verified) > _KEPT:
            self._verified.popitem(last=False)
        return claims

    async def _check_alive(self, subject: TokenSubject) -> None:
        """Check that what the token is bound to has not gone, or been replaced by another of its name."""
        namespace = subject.namespace
        await self._check("serviceaccounts", namespace, subject.account)
        for resource, ref in (("pods", subject.pod), ("secrets", subject.secret)):
            if ref is not None:
                await self._check(resource, namespace, ref)
        if subject.node is not None and subject.pod is None:
            await self._check("nodes", "", subject.node)

    async def _check(self, resource: str, namespace: str, ref: Ref) -> ObjectReply:
        try:
            return await self._check_by(self._lookup.cached, resource, namespace, ref)
        except BadToken:  # the cache may not show yet what another apiserver has written
            return await self._check_by(self._lookup.current, resource, namespace, ref)

    async def _check_by(self, look: Look, resource: str, namespace: str, ref: Ref) -> ObjectReply:
        try:
            reply = await look(resource, namespace, ref.name)
        except NotFound as error:
            raise BadToken(f"{resource} {ref.name}, which the token is bound to, does not exist") from error
        meta = msgspec.json.decode(reply.json, type=_Marked).metadata
        if ref.uid and meta.uid != ref.uid:
            raise BadToken(f"{resource} {ref.name} is not the one that the token is bound to")
        ends = meta.deletionTimestamp
        if ends and self._clock.now() > self._clock.timescale.parse(ends) + _AFTERLIFE_S:
            raise BadToken(f"{resource} {ref.name}, which the token is bound to, is deleted")
        return reply


class _Meta(msgspec.Struct):
    uid: str = ""
    deletionTimestamp: str | None = None
    labels: dict[str, str] = {}


class _Marked(msgspec.Struct):
    metadata: _Meta


class _Named(msgspec.Struct):
    name: str = ""


class _Account(msgspec.Struct):
    secrets: list[_Named] = []


class _Secret(msgspec.Struct):
    metadata: _Meta
    data: dict[str, bytes] = {}  # Base64 in JSON


def _own_of(accepted: tuple[str, ...]) -> tuple[str, ...]:
    """Return which audiences a token is for that names none: those of the apiserver.

    Raises:
        BadToken: it is asked for others.
    """
    found = tuple(audience for audience in accepted if audience in API_AUDIENCES)
    if not found:
        raise BadToken("the token is for other audiences")
    return found


@lru_cache(maxsize=1024)
def _user_of(peer: Peer) -> UserInfo:
    return UserInfo(peer.common_name, groups=_with(peer.organizations, AUTHENTICATED))


def issuer_of(token: str) -> str:
    """Return who a token says has issued it, unverified; "" where it is no token."""
    parts = token.split(".")
    try:
        return str(read_part(parts[1]).get("iss", "")) if len(parts) == 3 else ""
    except BadToken:
        return ""


def _with(groups: tuple[str, ...], group: str) -> tuple[str, ...]:
    return groups if group in groups else (*groups, group)
