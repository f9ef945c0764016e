"""Tokens of other issuers (OpenID Connect): what of their claims is demanded, and who somebody is by them.

https://kubernetes.io/docs/reference/access-authn-authz/authentication/#openid-connect-tokens
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from apiserver.core.authn import audiences_of, check_times
from apiserver.core.configured.authentication import Claim, Evaluate, Issuer, Mapped, RequiredClaim
from machinery.cel import (
    DYN,
    CompileError,
    Environment,
    EvaluationError,
    compile_expression,
    map_of,
    type_from_schema,
)
from machinery.cel.types import STRING
from machinery.model.tokens import BadToken

_TEXT: Final = {"type": "string"}
_TEXTS: Final = {"type": "array", "items": _TEXT}
_USER: Final = {
    "type": "object",
    "properties": {
        "username": _TEXT,
        "uid": _TEXT,
        "groups": _TEXTS,
        "extra": {"type": "object", "additionalProperties": _TEXTS},
    },
}


@dataclass(frozen=True, slots=True)
class Identified:
    """Who somebody is by a token."""

    name: str
    uid: str = ""
    groups: tuple[str, ...] = ()
    extra: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def compile_mapping(expression: str, over: str) -> Evaluate:
    """Compile an expression over `claims` (any JSON) or `user`.

    Raises:
        ValueError: it does not compile.
    """
    user = type_from_schema(_USER, name="kubernetes.UserInfo")
    kind = map_of(STRING, DYN) if over == "claims" or user is None else user
    try:
        program = compile_expression(expression, Environment({over: kind}))
    except CompileError as error:
        raise ValueError(f"compilation failed: {error}") from error

    def evaluate(variables: Mapping[str, Any]) -> Any:
        try:
            return program(variables)
        except EvaluationError as error:
            raise ValueError(f"expression {expression!r} resulted in error: {error}") from error

    return evaluate


def identified(issuer: Issuer, claims: Mapping[str, Any], now_s: float) -> Identified:
    """Return who somebody is by the claims of a token that an issuer has signed; `now_s` is wall seconds since 1970.

    Raises:
        BadToken: the token is for others or another time, or a rule is broken.
    """
    check_times(claims, now_s)
    if not set(audiences_of(claims)) & set(issuer.audiences):
        raise BadToken("the token is for other audiences")
    try:
        _check_claims(issuer, claims)
        found = _mapped(issuer, claims)
        _check_user(issuer, found)
    except ValueError as error:
        raise BadToken(str(error)) from error
    return found


def _check_claims(issuer: Issuer, claims: Mapping[str, Any]) -> None:
    for rule in issuer.rules:
        if isinstance(rule, RequiredClaim):
            if claims.get(rule.name) != rule.value:
                raise BadToken(f"claim {rule.name} has not the value that is required")
        elif rule.holds({"claims": claims}) is not True:
            raise BadToken(f"validation expression failed: {rule.message}")


def _check_user(issuer: Issuer, found: Identified) -> None:
    user: dict[str, Any] = {"username": found.name, "uid": found.uid, "groups": list(found.groups)}
    user["extra"] = {key: list(values) for key, values in found.extra.items()}
    for rule in issuer.user_rules:
        if rule.holds({"user": user}) is not True:
            raise BadToken(f"user validation expression failed: {rule.message}")


def _mapped(issuer: Issuer, claims: Mapping[str, Any]) -> Identified:
    name = _one(issuer.username, claims, "username")
    if not name:
        raise BadToken("the token names no user")
    if isinstance(issuer.username, Claim) and issuer.username.name == "email":
        _check_email(claims)
    groups = _many(issuer.groups, claims) if issuer.groups is not None else ()
    uid = _one(issuer.uid, claims, "uid") if issuer.uid is not None else ""
    extra = {key: values for key, each in issuer.extra if (values := _many(each, claims))}
    return Identified(name, uid, groups, extra)


def _check_email(claims: Mapping[str, Any]) -> None:
    if claims.get("email_verified", True) is not True:
        raise BadToken("email not verified")


def _one(mapped: Mapped, claims: Mapping[str, Any], what: str) -> str:
    found = claims.get(mapped.name) if isinstance(mapped, Claim) else mapped({"claims": claims})
    if not isinstance(found, str):
        raise BadToken(f"the token has no {what} that is a text")
    return f"{mapped.prefix}{found}" if isinstance(mapped, Claim) else found


def _many(mapped: Mapped, claims: Mapping[str, Any]) -> tuple[str, ...]:
    """Return texts; a single one counts as a list of it, and what is absent or empty as none."""
    found = claims.get(mapped.name) if isinstance(mapped, Claim) else mapped({"claims": claims})
    listed = [found] if isinstance(found, str) else found
    if listed is None:
        return ()
    if not isinstance(listed, list | tuple) or not all(isinstance(each, str) for each in listed):
        raise BadToken("the token has no list of texts where one is wanted")
    prefix = mapped.prefix if isinstance(mapped, Claim) else ""
    return tuple(f"{prefix}{each}" for each in listed if each)
