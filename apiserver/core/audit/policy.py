"""The audit policy: the first rule that matches a request says how much of it is written down.

https://kubernetes.io/docs/reference/config-api/apiserver-audit.v1/#audit-k8s-io-v1-Policy
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final, Literal, TypeAlias

import msgspec

from apiserver.core.authz.attributes import Attributes, User
from apiserver.core.configured.documents import BadDocument, Configured, read

_VERSIONS: Final = ("audit.k8s.io/v1",)
Stage: TypeAlias = Literal["RequestReceived", "ResponseStarted", "ResponseComplete", "Panic"]
_LevelName: TypeAlias = Literal["None", "Metadata", "Request", "RequestResponse"]


class Level(IntEnum):
    """How much is written down; a higher level has all that a lower one has."""

    NONE = 0
    METADATA = 1
    REQUEST = 2
    REQUEST_RESPONSE = 3

    @property
    def text(self) -> str:
        """The level as policies and events write it."""
        return _TEXTS[self]


_LEVELS: Final = {
    "None": Level.NONE,
    "Metadata": Level.METADATA,
    "Request": Level.REQUEST,
    "RequestResponse": Level.REQUEST_RESPONSE,
}
_TEXTS: Final = {level: text for text, level in _LEVELS.items()}


@dataclass(frozen=True, slots=True)
class Recorded:
    """How a request is written down."""

    level: Level
    omitted: frozenset[str] = frozenset()  # stages
    omits_managed_fields: bool = False


NOT_RECORDED: Final = Recorded(Level.NONE)


class _Resources(Configured, frozen=True, kw_only=True):
    group: str = ""
    resources: tuple[str, ...] = ()
    resource_names: tuple[str, ...] = ()


class _Rule(Configured, frozen=True, kw_only=True):
    level: _LevelName
    users: tuple[str, ...] = ()
    user_groups: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ()
    resources: tuple[_Resources, ...] = ()
    namespaces: tuple[str, ...] = ()
    non_resource_urls: tuple[str, ...] = msgspec.field(name="nonResourceURLs", default=())
    omit_stages: tuple[Stage, ...] = ()
    omit_managed_fields: bool | None = None


class _Document(Configured, frozen=True, kw_only=True):
    metadata: dict[str, Any] | None = None
    rules: tuple[_Rule, ...] = ()
    omit_stages: tuple[Stage, ...] = ()
    omit_managed_fields: bool = False


class Policy:
    """The rules of a policy file, in their order."""

    def __init__(self, rules: Sequence[tuple[_Rule, Recorded]]) -> None:
        self._rules = tuple(rules)

    def recorded(self, user: User, attributes: Attributes) -> Recorded:
        """Return how a request of a user is written down; not at all where no rule matches it."""
        for rule, found in self._rules:
            if _matches(rule, user, attributes):
                return found
        return NOT_RECORDED


def read_policy(document: Any) -> Policy:
    """Read a policy.

    Raises:
        BadDocument: it is none, or has no rules.
    """
    written = read(document, _Document, "Policy", _VERSIONS)
    if not written.rules:
        raise BadDocument("rules: a policy without rules would write nothing down")
    for index, rule in enumerate(written.rules):
        _check(rule, f"rules[{index}]")
    return Policy([(rule, _recorded(rule, written)) for rule in written.rules])


def _recorded(rule: _Rule, policy: _Document) -> Recorded:
    own = rule.omit_managed_fields
    omitted = frozenset((*policy.omit_stages, *rule.omit_stages))
    return Recorded(_LEVELS[rule.level], omitted, policy.omit_managed_fields if own is None else own)


def _check(rule: _Rule, path: str) -> None:
    if rule.non_resource_urls and (rule.resources or rule.namespaces):
        text = "rules cannot apply to both regular resources and non-resource URLs"
        raise BadDocument(f"{path}.nonResourceURLs: {text}")
    for index, url in enumerate(rule.non_resource_urls):
        where = f"{path}.nonResourceURLs[{index}]"
        if url != "*" and not url.startswith("/"):
            raise BadDocument(f'{where}: non-resource URL rules must begin with a "/" character')
        if "*" in url[:-1]:
            raise BadDocument(
                f"{where}: non-resource URL wildcards '*' must be the final character of the rule"
            )
    for index, each in enumerate(rule.resources):
        where = f"{path}.resources[{index}]"
        if "/" in each.group:
            raise BadDocument(f"{where}.group: {each.group!r} is no API group: leave its version out")
        if each.resource_names and not each.resources:
            raise BadDocument(f"{where}.resourceNames: using resourceNames requires at least one resource")


def _matches(rule: _Rule, user: User, asked: Attributes) -> bool:
    if rule.users and user.name not in rule.users:
        return False
    if rule.user_groups and not set(rule.user_groups) & set(user.groups):
        return False
    if rule.verbs and asked.verb not in rule.verbs:
        return False
    if rule.namespaces or rule.resources:
        return not asked.path and _matches_resource(rule, asked)
    if rule.non_resource_urls:
        return bool(asked.path) and any(_covers(url, asked.path) for url in rule.non_resource_urls)
    return True


def _matches_resource(rule: _Rule, asked: Attributes) -> bool:
    if rule.namespaces and asked.namespace not in rule.namespaces:
        return False
    return not rule.resources or any(_names(each, asked) for each in rule.resources)


def _names(named: _Resources, asked: Attributes) -> bool:
    if named.group != asked.group:
        return False
    if not named.resources:
        return True
    if named.resource_names and asked.name not in named.resource_names:
        return False
    of_all = {asked.combined, "*", f"{asked.resource}/*"}
    if asked.subresource:
        of_all.add(f"*/{asked.subresource}")
    return not of_all.isdisjoint(named.resources)


def _covers(url: str, path: str) -> bool:
    return url in {"*", path} or (url.endswith("*") and path.startswith(url[:-1]))
