"""The kinds that a policy is about, as far as its rules name them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice, product
from typing import Final, TypeAlias

from controllers.core.definitions import Definition, kind_of
from machinery.model.json_objects import Json
from machinery.model.k8s import served

MOST: Final = 10  # kinds that one rule's expressions are checked with, as in Kubernetes


@dataclass(frozen=True, slots=True, order=True)
class KnownKind:
    """One version of a kind, and where its schema is: a published definition, or that of a CustomResourceDefinition."""

    group: str
    version: str
    kind: str
    definition: str = ""
    custom: str = ""  # the name of the CustomResourceDefinition

    def __str__(self) -> str:
        return f"{self.group}/{self.version}, Kind={self.kind}"


Kinds: TypeAlias = Mapping[tuple[str, str, str], KnownKind]
"""Kinds by group, version, and plural or singular."""


def _published() -> Iterator[tuple[tuple[str, str, str], KnownKind]]:
    for names in (*served.STORED, *served.REVIEWS):
        known = KnownKind(names.group, names.version, names.kind, definition=names.definition)
        yield (names.group, names.version, names.plural), known
        yield (names.group, names.version, names.singular), known


_PUBLISHED: Final[Kinds] = dict(_published())


def known_kinds(definitions: Iterable[Definition]) -> Kinds:
    """Return Kubernetes' kinds, and those of definitions that are established."""
    found = dict(_PUBLISHED)
    for each in definitions:
        kind = kind_of(each)
        for version in each.spec.versions if kind is not None else ():
            if kind is not None and version.served:
                known = KnownKind(kind.group, version.name, kind.kind, custom=each.metadata.name)
                found[kind.group, version.name, kind.plural] = known
    return found


def groups_of(policy: Json) -> list[str]:
    """Return the groups that a policy names."""
    rules = (policy.get("matchConstraints") or {}).get("resourceRules") or ()
    named = {group for rule in rules for group in rule.get("apiGroups") or ()}
    params = str((policy.get("paramKind") or {}).get("apiVersion") or "")
    return sorted({*named, params.rpartition("/")[0]})


def of_type(kinds: Kinds, api_version: str, kind: str) -> KnownKind | None:
    """Find a kind by what its objects say of themselves."""
    group, _, version = api_version.rpartition("/")
    wanted = (group, version, kind)
    return next((each for each in kinds.values() if (each.group, each.version, each.kind) == wanted), None)


def kinds_of(policy: Json, kinds: Kinds) -> list[KnownKind]:
    """Return the kinds that a policy's rules name, sorted; who says "*" is about too many to be checked with."""
    found: set[KnownKind] = set()
    for rule in (policy.get("matchConstraints") or {}).get("resourceRules") or ():
        named = list(islice(_named(rule, kinds), MOST))
        found.update(named)
        if len(named) == MOST:
            break
    return sorted(found)


def _named(rule: Json, kinds: Kinds) -> Iterator[KnownKind]:
    groups, versions = rule.get("apiGroups") or (), rule.get("apiVersions") or ()
    if any("*" in each for each in (*groups, *versions)):
        return
    resources = [each for each in rule.get("resources") or () if "*" not in each and "/" not in each]
    for place in product(sorted(groups), sorted(versions), sorted(resources)):
        if place in kinds:
            yield kinds[place]
