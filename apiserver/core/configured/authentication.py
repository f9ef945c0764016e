"""AuthenticationConfiguration: issuers of tokens whom the apiserver believes, and where nobody in particular may ask.

https://kubernetes.io/docs/reference/access-authn-authz/authentication/#using-authentication-configuration
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias
from urllib.parse import urlsplit

import msgspec

from apiserver.core.authn import EVERYWHERE, Anonymous
from apiserver.core.configured.documents import BadDocument, Configured, read

_VERSIONS: Final = tuple(f"apiserver.config.k8s.io/{version}" for version in ("v1", "v1beta1", "v1alpha1"))
_MOST_ISSUERS: Final = 64
_KEY: Final = re.compile(
    r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/[a-z0-9._~!$&'()*+,;=:/-]+"
)
_RESERVED: Final = re.compile(r"(^|\.)(k8s|kubernetes)\.io$")
_EMAIL: Final = re.compile(r"\bclaims\s*\.\s*email\b|\bclaims\s*\[\s*['\"]email['\"]")
_EMAIL_VERIFIED: Final = re.compile(r"\bclaims\s*\.\s*\??email_verified\b|email_verified")

Evaluate: TypeAlias = Callable[[Mapping[str, Any]], Any]
"""The value of an expression over its variables; raises ValueError where it has none."""
Compile: TypeAlias = Callable[[str, str], Evaluate]
"""Compiles an expression over `claims`, or over `user`; raises ValueError with what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Claim:
    """The value of a claim, with a prefix."""

    name: str
    prefix: str = ""


Mapped: TypeAlias = Claim | Evaluate


@dataclass(frozen=True, slots=True)
class RequiredClaim:
    """A claim that has to have a value."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class RequiredExpression:
    """An expression that has to be true."""

    holds: Evaluate
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Issuer:
    """Whose tokens are believed, and what follows from them."""

    url: str
    discovery_url: str  # where its document is
    authority: bytes  # PEM; b"" for those that the system trusts
    audiences: tuple[str, ...]
    rules: tuple[RequiredClaim | RequiredExpression, ...]
    username: Mapped
    groups: Mapped | None
    uid: Mapped | None
    extra: tuple[tuple[str, Evaluate], ...]
    user_rules: tuple[RequiredExpression, ...]


@dataclass(frozen=True, slots=True)
class Authentication:
    """All of it."""

    issuers: tuple[Issuer, ...] = ()
    anonymous: Anonymous = EVERYWHERE


class _Issuer(Configured, frozen=True, kw_only=True):
    url: str
    discovery_url: str = msgspec.field(name="discoveryURL", default="")
    certificate_authority: str = ""
    audiences: tuple[str, ...] = ()
    audience_match_policy: Literal["", "MatchAny"] = ""
    egress_selector_type: Literal["", "controlplane", "cluster"] = ""


class _Rule(Configured, frozen=True, kw_only=True):
    claim: str = ""
    required_value: str = ""
    expression: str = ""
    message: str = ""


class _Mapping(Configured, frozen=True, kw_only=True):
    claim: str = ""
    prefix: str | None = None
    expression: str = ""


class _Extra(Configured, frozen=True, kw_only=True):
    key: str
    value_expression: str


class _Mappings(Configured, frozen=True, kw_only=True):
    username: _Mapping
    groups: _Mapping = _Mapping()
    uid: _Mapping = _Mapping()
    extra: tuple[_Extra, ...] = ()


class _Jwt(Configured, frozen=True, kw_only=True):
    issuer: _Issuer
    claim_validation_rules: tuple[_Rule, ...] = ()
    claim_mappings: _Mappings
    user_validation_rules: tuple[_Rule, ...] = ()


class _Path(Configured, frozen=True, kw_only=True):
    path: str


class _Anonymous(Configured, frozen=True, kw_only=True):
    enabled: bool
    conditions: tuple[_Path, ...] = ()


class _Document(Configured, frozen=True, kw_only=True):
    jwt: tuple[_Jwt, ...] = ()
    anonymous: _Anonymous | None = None


def read_authentication(document: Any, compile_expression: Compile, own_issuer: str) -> Authentication:
    """Read whose tokens are believed.

    Raises:
        BadDocument: a field is wrong.
    """
    written = read(document, _Document, "AuthenticationConfiguration", _VERSIONS)
    if len(written.jwt) > _MOST_ISSUERS:
        raise BadDocument(f"jwt: must have at most {_MOST_ISSUERS} items")
    issuers: list[Issuer] = []
    for index, each in enumerate(written.jwt):
        found = _Reader(compile_expression, f"jwt[{index}]").issuer(each)
        if found.url == own_issuer or any(found.url == other.url for other in issuers):
            raise BadDocument(f"jwt[{index}].issuer.url: {found.url!r} is an issuer already")
        issuers.append(found)
    return Authentication(tuple(issuers), _anonymous(written.anonymous))


def _anonymous(written: _Anonymous | None) -> Anonymous:
    if written is None:
        return Anonymous()
    if written.conditions and not written.enabled:
        raise BadDocument("anonymous.conditions: enabled should be set to true when conditions are defined")
    return Anonymous(written.enabled, frozenset(each.path for each in written.conditions) or None)


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads one issuer."""

    compile: Compile
    path: str

    def issuer(self, written: _Jwt) -> Issuer:
        issuer, mappings = written.issuer, written.claim_mappings
        self._check_email(written)
        return Issuer(
            url=_checked_url(issuer.url, f"{self.path}.issuer.url"),
            discovery_url=self._discovery_url(issuer),
            authority=issuer.certificate_authority.encode(),
            audiences=self._audiences(issuer),
            rules=tuple(
                self._rule(rule, f"claimValidationRules[{index}]")
                for index, rule in enumerate(written.claim_validation_rules)
            ),
            username=self._username(mappings.username),
            groups=self._mapped(mappings.groups, "groups", has_prefix=True),
            uid=self._mapped(mappings.uid, "uid"),
            extra=self._extra(mappings.extra),
            user_rules=tuple(
                self._required(rule, f"userValidationRules[{index}]", "user")
                for index, rule in enumerate(written.user_validation_rules)
            ),
        )

    def _discovery_url(self, issuer: _Issuer) -> str:
        if not issuer.discovery_url:
            return f"{issuer.url.rstrip('/')}/.well-known/openid-configuration"
        path = f"{self.path}.issuer.discoveryURL"
        if issuer.discovery_url.rstrip("/") == issuer.url.rstrip("/"):
            raise BadDocument(f"{path}: discoveryURL must be different from URL")
        return _checked_url(issuer.discovery_url, path)

    def _audiences(self, issuer: _Issuer) -> tuple[str, ...]:
        path = f"{self.path}.issuer.audiences"
        if not issuer.audiences or not all(issuer.audiences):
            raise BadDocument(f"{path}: at least one is required, and none may be empty")
        if len(set(issuer.audiences)) < len(issuer.audiences):
            raise BadDocument(f"{path}: one is there twice")
        if len(issuer.audiences) > 1 and issuer.audience_match_policy != "MatchAny":
            where = f"{self.path}.issuer.audienceMatchPolicy"
            raise BadDocument(f"{where}: audienceMatchPolicy must be MatchAny for multiple audiences")
        return issuer.audiences

    def _rule(self, rule: _Rule, name: str) -> RequiredClaim | RequiredExpression:
        path = f"{self.path}.{name}"
        if rule.claim and rule.expression:
            raise BadDocument(f"{path}: claim and expression can't both be set")
        if not rule.claim:
            return self._required(rule, name, "claims")
        if rule.message:
            raise BadDocument(f"{path}.message: may not be specified when claim is set")
        return RequiredClaim(rule.claim, rule.required_value)

    def _required(self, rule: _Rule, name: str, over: str) -> RequiredExpression:
        path = f"{self.path}.{name}"
        if not rule.expression:
            raise BadDocument(f"{path}: an expression is required")
        if rule.required_value or (over == "user" and rule.claim):
            raise BadDocument(f"{path}: claim and requiredValue may not be specified when expression is set")
        message = rule.message or f"expression {rule.expression!r} resulted in false"
        return RequiredExpression(self._compiled(rule.expression, over, f"{name}.expression"), message)

    def _username(self, mapping: _Mapping) -> Mapped:
        found = self._mapped(mapping, "username", has_prefix=True)
        if found is None:
            raise BadDocument(f"{self.path}.claimMappings.username: claim or expression is required")
        return found

    def _mapped(self, mapping: _Mapping, name: str, *, has_prefix: bool = False) -> Mapped | None:
        path = f"{self.path}.claimMappings.{name}"
        if mapping.claim and mapping.expression:
            raise BadDocument(f"{path}: claim and expression can't both be set")
        if mapping.expression:
            if mapping.prefix is not None:
                raise BadDocument(f"{path}.prefix: prefix can't be set when expression is set")
            return self._compiled(mapping.expression, "claims", f"claimMappings.{name}.expression")
        if not mapping.claim:
            return None
        if has_prefix and mapping.prefix is None:
            text = 'prefix is required when claim is set. It can be set to "" (empty string) to disable prefixing'
            raise BadDocument(f"{path}.prefix: {text}")
        return Claim(mapping.claim, mapping.prefix or "")

    def _extra(self, written: tuple[_Extra, ...]) -> tuple[tuple[str, Evaluate], ...]:
        found: dict[str, Evaluate] = {}
        for index, each in enumerate(written):
            path = f"claimMappings.extra[{index}]"
            where = f"{self.path}.{path}.key"
            if not _KEY.fullmatch(each.key):
                raise BadDocument(f"{where}: {each.key!r} has to be a lower-case domain, a slash and a path")
            if _RESERVED.search(each.key.partition("/")[0]):
                raise BadDocument(
                    f"{where}: k8s.io, kubernetes.io and their subdomains are reserved for Kubernetes use"
                )
            if each.key in found:
                raise BadDocument(f"{where}: Duplicate value: {each.key!r}")
            found[each.key] = self._compiled(each.value_expression, "claims", f"{path}.valueExpression")
        return tuple(found.items())

    def _check_email(self, written: _Jwt) -> None:
        """Check that an e-mail address is no name unless it is looked at whether it was verified."""
        username = written.claim_mappings.username.expression
        others = [each.value_expression for each in written.claim_mappings.extra]
        others += [each.expression for each in written.claim_validation_rules]
        if _EMAIL.search(username) and not any(_EMAIL_VERIFIED.search(text) for text in (username, *others)):
            raise BadDocument(
                f"{self.path}.claimMappings.username.expression: claims.email_verified must be used in "
                "claimMappings.username.expression or claimMappings.extra[*].valueExpression or "
                "claimValidationRules[*].expression when claims.email is used in claimMappings.username.expression"
            )

    def _compiled(self, expression: str, over: str, name: str) -> Evaluate:
        try:
            return self.compile(expression, over)
        except ValueError as error:
            raise BadDocument(f"{self.path}.{name}: {error}") from error


def _checked_url(url: str, path: str) -> str:
    try:
        found = urlsplit(url)
    except ValueError as error:
        raise BadDocument(f"{path}: {error}") from error
    if found.scheme != "https" or not found.netloc:
        raise BadDocument(f"{path}: URL scheme must be https")
    if "@" in found.netloc:
        raise BadDocument(f"{path}: URL must not contain a username or password")
    if found.query or found.fragment:
        raise BadDocument(f"{path}: URL must not contain a query or a fragment")
    return url
