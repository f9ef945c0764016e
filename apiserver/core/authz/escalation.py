"""Nobody gives away what they do not have: the check on writes of roles and bindings.

https://kubernetes.io/docs/reference/access-authn-authz/rbac/#privilege-escalation-prevention-and-bootstrapping
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Any, Final, TypeAlias

from msgspec import structs

from apiserver.core.authz.attributes import ALL
from apiserver.core.authz.rule_set import RuleSet
from apiserver.core.authz.rules import Rule, resource_covers, url_covers

_PARTS_LIMIT: Final = 50_000  # single permissions that are compared; every real role has far fewer
_BOOKKEEPING: Final = frozenset({"ownerReferences", "finalizers", "resourceVersion", "managedFields"})


@dataclass(frozen=True, slots=True)
class RulesGranted:
    """The write of a role: whoever holds it may do this."""

    rules: tuple[Rule, ...]
    aggregates: bool = (
        False  # whether it gathers the rules of other roles, or did: then it may come to hold anything
    )


@dataclass(frozen=True, slots=True)
class RoleGranted:
    """The write of a binding: its subjects may do what a role says, roleRef as in the object."""

    role_ref: Mapping[str, str]


Grant: TypeAlias = RulesGranted | RoleGranted


EVERYTHING: Final = (
    Rule(frozenset("*"), frozenset("*"), frozenset("*")),
    Rule(verbs=frozenset("*"), urls=frozenset("*")),
)
"""The rules of who may do everything."""


class TooManyParts(ValueError):  # noqa: N818 - it names what there is
    """The rules are made of more single permissions than can be compared."""


def uncovered(held: Sequence[Rule], wanted: Iterable[Rule]) -> list[Rule]:
    """Return the single permissions of `wanted` that no rule of `held` contains.

    Raises:
        TooManyParts: there are too many to look at.
    """
    have = RuleSet(held)
    asked = [rule for rule in dict.fromkeys(wanted) if not _is_held(have, rule)]
    if sum(size(rule) for rule in asked) > _PARTS_LIMIT:
        raise TooManyParts(f"the rules consist of more than {_PARTS_LIMIT} single permissions")
    parts = dict.fromkeys(part for rule in asked for part in _parts(rule))
    return [part for part in parts if not _is_held(have, part)]


def changes_meaning(new: Mapping[str, Any], old: Mapping[str, Any] | None) -> bool:
    """Whether a write changes more than what the garbage collector needs to change."""
    return old is None or _meaning(new) != _meaning(old)


def _meaning(obj: Mapping[str, Any]) -> dict[str, Any]:
    meta = {key: value for key, value in obj["metadata"].items() if key not in _BOOKKEEPING}
    return {**obj, "metadata": meta}


def _is_held(held: RuleSet, rule: Rule) -> bool:
    """Whether one of the rules contains all of another."""
    return any(_contains(have, rule) for have in held.containing(rule))


def _contains(have: Rule, part: Rule) -> bool:
    if not (ALL in have.verbs or part.verbs <= have.verbs):
        return False
    if part.urls:
        return all(any(url_covers(pattern, url) for pattern in have.urls) for url in part.urls)
    if not (ALL in have.groups or part.groups <= have.groups):
        return False
    named = not have.names or (bool(part.names) and part.names <= have.names)
    return named and bool(have.resources) and all(resource_covers(have.resources, r) for r in part.resources)


def compacted(rules: Iterable[Rule]) -> list[Rule]:
    """Join single permissions on one resource that differ in nothing but the verb."""
    verbs: dict[Rule, frozenset[str]] = {}
    for rule in rules:
        apart = rule if rule.urls else structs.replace(rule, verbs=frozenset())
        verbs[apart] = verbs.get(apart, frozenset()) | rule.verbs
    return [structs.replace(apart, verbs=every) for apart, every in verbs.items()]


def size(rule: Rule) -> int:
    """Return how many single permissions a rule consists of."""
    resources = prod((len(rule.verbs), len(rule.groups), len(rule.resources), len(rule.names) or 1))
    return resources + len(rule.verbs) * len(rule.urls)


def _parts(rule: Rule) -> Iterator[Rule]:
    names = [frozenset({name}) for name in sorted(rule.names)] or [frozenset[str]()]
    for verb, group, resource, name in product(
        sorted(rule.verbs), sorted(rule.groups), sorted(rule.resources), names
    ):
        yield Rule(frozenset({verb}), frozenset({group}), frozenset({resource}), name)
    for verb, url in product(sorted(rule.verbs), sorted(rule.urls)):
        yield Rule(verbs=frozenset({verb}), urls=frozenset({url}))
