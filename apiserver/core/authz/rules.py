"""One rule of a role: what it matches, and whether it covers another.

https://kubernetes.io/docs/reference/access-authn-authz/rbac/#referring-to-resources
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from apiserver.core.authz.attributes import ALL, Attributes

_NAMES: Final = {"groups": "apiGroups", "names": "resourceNames", "urls": "nonResourceURLs"}


class Rule(msgspec.Struct, frozen=True, gc=False, rename=_NAMES):
    """A PolicyRule, ready to be matched."""

    verbs: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    resources: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()  # empty: every name, and requests without one
    urls: frozenset[str] = frozenset()

    def matches(self, attributes: Attributes) -> bool:
        """Whether the rule allows a request."""
        if attributes.verb not in self.verbs and ALL not in self.verbs:
            return False
        if attributes.path:
            return any(url_covers(url, attributes.path) for url in self.urls)
        return self._matches_resource(attributes)

    def _matches_resource(self, attributes: Attributes) -> bool:
        return (
            (attributes.group in self.groups or ALL in self.groups)
            and resource_covers(self.resources, attributes.combined)
            and (not self.names or attributes.name in self.names)
        )

    def to_dict(self) -> dict[str, list[str]]:
        """Write it as a PolicyRule."""
        fields = {
            "verbs": self.verbs,
            "apiGroups": self.groups,
            "resources": self.resources,
            "resourceNames": self.names,
            "nonResourceURLs": self.urls,
        }
        return {name: sorted(values) for name, values in fields.items() if values}

    def describe(self) -> str:
        """Write it as messages do: {APIGroups:[""], Resources:["pods"], Verbs:["get" "list"]}."""
        parts = (
            ("APIGroups", self.groups),
            ("Resources", self.resources),
            ("NonResourceURLs", self.urls),
            ("ResourceNames", self.names),
            ("Verbs", self.verbs),
        )
        return "{" + ", ".join(f"{name}:{quoted(values)}" for name, values in parts if values) + "}"


def rule_of(rule: Mapping[str, Any]) -> Rule:
    """Read a PolicyRule."""
    try:
        return msgspec.convert(rule, Rule)
    except msgspec.ValidationError:  # a null
        return _with_nulls(rule)


def _with_nulls(rule: Mapping[str, Any]) -> Rule:
    return Rule(
        verbs=frozenset(rule.get("verbs") or ()),
        groups=frozenset(rule.get("apiGroups") or ()),
        resources=frozenset(rule.get("resources") or ()),
        names=frozenset(rule.get("resourceNames") or ()),
        urls=frozenset(rule.get("nonResourceURLs") or ()),
    )


class _StoredRole(msgspec.Struct):
    rules: tuple[Rule, ...] | None = None  # all that is read of it


_read_role: Final = msgspec.json.Decoder(_StoredRole).decode


def rules_of_json(role: bytes) -> tuple[Rule, ...]:
    """Read the rules of a Role or ClusterRole that is stored, and nothing else of it."""
    try:
        return _read_role(role).rules or ()
    except msgspec.ValidationError:  # a null
        return rules_of(msgspec.json.decode(role))


def rules_of(role: Mapping[str, Any]) -> tuple[Rule, ...]:
    """Read the rules of a Role or ClusterRole."""
    return tuple(rule_of(rule) for rule in role.get("rules") or ())


def resource_covers(resources: frozenset[str], combined: str) -> bool:
    """Whether a rule's resources contain one: itself, "*", or "*/log" for every log."""
    if combined in resources or ALL in resources:
        return True
    _, slash, subresource = combined.partition("/")
    return bool(slash) and f"*/{subresource}" in resources


def url_covers(pattern: str, path: str) -> bool:
    """Whether a rule's URL contains a path, or another pattern: equal, or with a "*" at its end."""
    return pattern in {ALL, path} or (pattern.endswith(ALL) and path.startswith(pattern.rstrip(ALL)))


def quoted(values: Iterable[str]) -> str:
    """Write texts as Kubernetes' messages do: ["a" "b"]."""
    return "[" + " ".join(f'"{value}"' for value in sorted(values)) + "]"
