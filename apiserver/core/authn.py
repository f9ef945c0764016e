"""Who somebody is: the claims of ServiceAccount tokens, and what a user may say about themself.

Tokens are JSON Web Tokens (RFC 7519); their signatures are `machinery.process.token_key`' business. Times here are wall
seconds since the epoch, since that is what a token holds.
https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/#bound-service-account-tokens
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from machinery.model.tokens import ISSUER, BadToken, read_legacy_claims

__all__ = [
    "EVERYWHERE",
    "ISSUER",
    "Anonymous",
    "BadToken",
    "Ref",
    "TokenSubject",
    "audiences_of",
    "check_times",
    "claims_of",
    "legacy_subject_of",
    "subject_of",
]

PRIVATE_CLAIM: Final = "kubernetes.io"
LEAST_LIFETIME_S: Final = 600
MOST_LIFETIME_S: Final = 1 << 32
DEFAULT_LIFETIME_S: Final = 3600
_EARLY_S: Final = 10  # by how much the clock of another apiserver may be ahead


@dataclass(frozen=True, slots=True)
class Anonymous:
    """Whether, and on which paths, nobody in particular may ask; None: on all."""

    enabled: bool = True
    paths: frozenset[str] | None = None


EVERYWHERE: Final = Anonymous()


@dataclass(frozen=True, slots=True)
class Ref:
    """An object by name, and which one of that name."""

    name: str = ""
    uid: str = ""

    def to_dict(self) -> dict[str, str]:
        """Write it as a claim."""
        return {"name": self.name, "uid": self.uid} if self.uid else {"name": self.name}


@dataclass(frozen=True, slots=True)
class TokenSubject:
    """Whom a token is for, and to what its life is bound."""

    namespace: str
    account: Ref
    pod: Ref | None = None
    node: Ref | None = None
    secret: Ref | None = None
    token_id: str = ""

    @property
    def extra(self) -> dict[str, tuple[str, ...]]:
        """Return what a user with this token is known by, beside their name."""
        found = {"credential-id": f"JTI={self.token_id}" if self.token_id else ""}
        for kind, ref in (("pod", self.pod), ("node", self.node)):
            if ref is not None:
                found |= {f"{kind}-name": ref.name, f"{kind}-uid": ref.uid}
        return {f"authentication.kubernetes.io/{key}": (text,) for key, text in found.items() if text}

    @property
    def groups(self) -> tuple[str, ...]:
        """Return the groups of the account."""
        return ("system:serviceaccounts", f"system:serviceaccounts:{self.namespace}", "system:authenticated")

    @property
    def user_name(self) -> str:
        """Return the user name of the account."""
        return f"system:serviceaccount:{self.namespace}:{self.account.name}"


def claims_of(
    subject: TokenSubject, audiences: Sequence[str], issued_at_s: int, lifetime_s: float
) -> dict[str, Any]:
    """Write the claims of a new token."""
    private: dict[str, Any] = {
        "namespace": subject.namespace,
        "serviceaccount": subject.account.to_dict(),
    }
    for kind in ("node", "pod", "secret"):
        ref: Ref | None = getattr(subject, kind)
        if ref is not None:
            private[kind] = ref.to_dict()
    return {
        "aud": list(audiences),
        "exp": int(issued_at_s + lifetime_s),
        "iat": issued_at_s,
        "iss": ISSUER,
        "jti": subject.token_id,
        PRIVATE_CLAIM: private,
        "nbf": issued_at_s,
        "sub": subject.user_name,
    }


def subject_of(claims: Mapping[str, Any], accepted: Sequence[str], now_s: float) -> TokenSubject:
    """Read whom the claims of a signed token are for; `accepted` are the audiences that may use it.

    Raises:
        BadToken: it is for somebody else, for another time, or says nothing that makes sense.
    """
    if claims.get("iss") != ISSUER:
        raise BadToken("the token was issued by somebody else")
    check_times(claims, now_s)
    if not set(audiences_of(claims)) & set(accepted):
        raise BadToken("the token is for other audiences")
    subject = _private(claims.get(PRIVATE_CLAIM))
    if claims.get("sub") != subject.user_name:
        raise BadToken("the token's subject is not its ServiceAccount")
    token_id = claims.get("jti")
    return _identified(subject, token_id if isinstance(token_id, str) else "")


def legacy_subject_of(claims: Mapping[str, Any]) -> TokenSubject:
    """Read whom the claims of a token are for that lives in a Secret.

    Raises:
        BadToken: they say nothing that makes sense.
    """
    namespace, account, uid, secret = read_legacy_claims(dict(claims))
    return TokenSubject(namespace, Ref(account, uid), secret=Ref(secret))


def audiences_of(claims: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the audiences of a token."""
    found = claims.get("aud")
    listed = [found] if isinstance(found, str) else found if isinstance(found, list) else []
    return tuple(audience for audience in listed if isinstance(audience, str))


def check_times(claims: Mapping[str, Any], now_s: float) -> None:
    """Check that a token is valid now, in wall seconds since 1970.

    Raises:
        BadToken: it is not, or does not say how long it is.
    """
    expires: Any = claims.get("exp")
    begins: Any = claims.get("nbf", 0)
    if not _is_number(expires) or not _is_number(begins):
        raise BadToken("the token does not say how long it lasts")
    if now_s >= expires:
        raise BadToken("the token has expired")
    if now_s + _EARLY_S < begins:
        raise BadToken("the token is not valid yet")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _private(claim: Any) -> TokenSubject:
    if not isinstance(claim, dict) or not isinstance(claim.get("namespace"), str):
        raise BadToken("the token names no ServiceAccount")
    account = _ref(claim.get("serviceaccount"))
    if account is None or not account.uid:
        raise BadToken("the token names no ServiceAccount")
    return TokenSubject(
        claim["namespace"],
        account,
        pod=_ref(claim.get("pod")),
        node=_ref(claim.get("node")),
        secret=_ref(claim.get("secret")),
    )


def _ref(claim: Any) -> Ref | None:
    if claim is None:
        return None
    name, uid = (claim.get("name"), claim.get("uid", "")) if isinstance(claim, dict) else (None, "")
    if not (isinstance(name, str) and name and isinstance(uid, str)):
        raise BadToken("a claim of the token names no object")
    return Ref(name, uid)


def _identified(subject: TokenSubject, token_id: str) -> TokenSubject:
    return TokenSubject(
        subject.namespace, subject.account, subject.pod, subject.node, subject.secret, token_id
    )
