"""Whose tokens are believed, and who somebody is by them."""

from __future__ import annotations

from typing import Any

import pytest

from apiserver.core.authn import Anonymous
from apiserver.core.authn_issuers import Identified, compile_mapping, identified
from apiserver.core.configured.authentication import Authentication, read_authentication
from apiserver.core.configured.documents import BadDocument
from machinery.model.tokens import BadToken

NOW = 1_000_000.0
URL = "https://issuer.example.com"
CLAIMS = {
    "iss": URL,
    "aud": "kubarium",
    "sub": "jane",
    "exp": NOW + 60,
    "email": "jane@example.com",
    "email_verified": True,
    "groups": ["devs", "ops"],
    "team": {"name": "web", "lead": True},
}
PLAIN = {"claim": "sub", "prefix": "oidc:"}


def jwt(**fields: Any) -> dict[str, Any]:
    issuer = {"url": URL, "audiences": ["kubarium"], **fields.pop("issuer", {})}
    mappings = {"username": PLAIN, **fields.pop("claimMappings", {})}
    return {"issuer": issuer, "claimMappings": mappings, **fields}


def read(*jwts: Any, **fields: Any) -> Authentication:
    document = {
        "apiVersion": "apiserver.config.k8s.io/v1",
        "kind": "AuthenticationConfiguration",
        "jwt": list(jwts),
    }
    return read_authentication({**document, **fields}, compile_mapping, "https://kubernetes.default.svc")


def who(claims: dict[str, Any] | None = None, **fields: Any) -> Identified:
    [issuer] = read(jwt(**fields)).issuers
    return identified(issuer, {**CLAIMS, **(claims or {})}, NOW)


def test_claims_say_who_somebody_is() -> None:
    """With prefixes, or by expressions."""
    assert who() == Identified("oidc:jane")
    found = who(
        claimMappings={
            "username": {"expression": "claims.team.name + ':' + claims.sub"},
            "groups": {"claim": "groups", "prefix": ""},
            "uid": {"claim": "sub"},
            "extra": [
                {"key": "example.com/team", "valueExpression": "claims.team.name"},
                {"key": "example.com/none", "valueExpression": "has(claims.gone) ? claims.gone : ''"},
            ],
        }
    )
    assert found == Identified("web:jane", "jane", ("devs", "ops"), {"example.com/team": ("web",)})
    assert who({"groups": "one"}, claimMappings={"groups": {"claim": "groups", "prefix": "g:"}}).groups == (
        "g:one",
    )
    assert who({"aud": ["a", "kubarium"]}) == Identified("oidc:jane")


@pytest.mark.parametrize(
    ("claims", "fields"),
    [
        ({"exp": NOW}, {}),
        ({"exp": None}, {}),
        ({"nbf": NOW + 60}, {}),
        ({"aud": "other"}, {}),
        ({"sub": ""}, {"claimMappings": {"username": {"claim": "sub", "prefix": ""}}}),
        ({"sub": 7}, {}),
        ({"groups": [1]}, {"claimMappings": {"groups": {"claim": "groups", "prefix": ""}}}),
        ({"email_verified": False}, {"claimMappings": {"username": {"claim": "email", "prefix": ""}}}),
        ({}, {"claimValidationRules": [{"claim": "hd", "requiredValue": "example.com"}]}),
        ({}, {"claimValidationRules": [{"expression": "!claims.team.lead", "message": "no leads"}]}),
        ({}, {"claimValidationRules": [{"expression": "claims.gone == 1"}]}),
        ({}, {"userValidationRules": [{"expression": "!user.username.startsWith('oidc:')"}]}),
        ({}, {"claimMappings": {"username": {"expression": "claims.team"}}}),
    ],
)
def test_a_token_that_breaks_a_rule_proves_nothing(claims: dict[str, Any], fields: dict[str, Any]) -> None:
    """Nor one for another time, for others, or without a name."""
    with pytest.raises(BadToken):
        who(claims, **fields)


def test_where_nobody_may_ask_is_said_by_path() -> None:
    """Everywhere, if nothing is said."""
    assert read().anonymous == Anonymous()
    assert read(anonymous={"enabled": False}).anonymous == Anonymous(False)
    found = read(anonymous={"enabled": True, "conditions": [{"path": "/livez"}]}).anonymous
    assert found == Anonymous(True, frozenset({"/livez"}))


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"issuer": {"url": "http://a"}}, "jwt[0].issuer.url: URL scheme must be https"),
        ({"issuer": {"url": "https://a:b@c"}}, "jwt[0].issuer.url: URL must not contain a username"),
        ({"issuer": {"url": f"{URL}?a"}}, "jwt[0].issuer.url: URL must not contain a query"),
        ({"issuer": {"url": "https://kubernetes.default.svc"}}, "is an issuer already"),
        ({"issuer": {"discoveryURL": f"{URL}/"}}, "discoveryURL must be different"),
        ({"issuer": {"audiences": []}}, "jwt[0].issuer.audiences"),
        ({"issuer": {"audiences": ["a", "b"]}}, "audienceMatchPolicy must be MatchAny"),
        ({"issuer": {"audience": ["a"]}}, "unknown field `audience`"),
        ({"claimMappings": {"username": {}}}, "username: claim or expression is required"),
        ({"claimMappings": {"username": {"claim": "sub"}}}, "username.prefix: prefix is required"),
        ({"claimMappings": {"username": {**PLAIN, "expression": "a"}}}, "can't both be set"),
        (
            {"claimMappings": {"username": {"expression": "claims."}}},
            "username.expression: compilation failed",
        ),
        (
            {"claimMappings": {"username": {"expression": "claims.email"}}},
            "claims.email_verified must be used",
        ),
        ({"claimMappings": {"extra": [{"key": "a", "valueExpression": "''"}]}}, "extra[0].key"),
        ({"claimMappings": {"extra": [{"key": "a.k8s.io/b", "valueExpression": "''"}]}}, "reserved"),
        ({"claimValidationRules": [{}]}, "claimValidationRules[0]: an expression is required"),
        ({"claimValidationRules": [{"claim": "a", "message": "b"}]}, "claimValidationRules[0].message"),
        ({"userValidationRules": [{"expression": "user.nothing == 1"}]}, "userValidationRules[0].expression"),
    ],
)
def test_what_makes_no_sense_is_told_by_its_field(fields: dict[str, Any], said: str) -> None:
    """Before anything is served."""
    with pytest.raises(BadDocument) as refused:
        read(jwt(**fields))
    assert said in str(refused.value)


def test_each_issuer_is_there_once() -> None:
    """And who is off has no paths."""
    with pytest.raises(BadDocument, match=r"jwt\[1\].issuer.url"):
        read(jwt(), jwt())
    with pytest.raises(BadDocument, match=r"anonymous\.conditions"):
        read(anonymous={"enabled": False, "conditions": [{"path": "/a"}]})
