"""A kind that is stored: what it is called, its rules, and where its objects are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from apiserver.core.rules import PLAIN, WITH_STATUS, Rules
from apiserver.core.values import Json
from machinery.model.kinds import KindNames


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Kind(KindNames):
    """One version of a stored kind. The versions of a kind share one storage, in the form of one of them."""

    rules: Rules
    storage_prefix: str  # "/registry/pods"; a key is prefix[/namespace]/name
    storage_version: Kind | None = None  # the version that is stored; None: this one
    definitions: Mapping[str, Json] = field(
        default_factory=dict
    )  # schemas that are not among the published ones
    schema_hash: str = ""  # of those schemas; "": they do not change while the process runs
    definitions_v2: Mapping[str, Json] | None = None  # ... as OpenAPI version 2 has them; None: the same

    @property
    def stored(self) -> Kind:
        """The version of this kind that is stored."""
        return self.storage_version or self

    def key(self, namespace: str, name: str) -> str:
        """Return the storage key of an object."""
        parts = (self.storage_prefix, namespace, name) if self.namespaced else (self.storage_prefix, name)
        return "/".join(parts)

    def place(self, namespace: str, name: str) -> str:
        """Return where an object is below the kind's prefix."""
        return f"{namespace}/{name}" if self.namespaced else name


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class ComputedKind(KindNames):
    """A kind whose objects nobody stores: they are made when somebody asks. Its schemas come with it."""

    definitions: Mapping[str, Json]
    definitions_v2: None = None  # OpenAPI version 2 has words for all of it

    @classmethod
    def of(cls, names: KindNames, definitions: Mapping[str, Json]) -> ComputedKind:
        """Return the kind of these names."""
        return cls(**_given(names), definitions=definitions)


def _given(names: KindNames) -> dict[str, Any]:
    return {each.name: getattr(names, each.name) for each in fields(KindNames) if each.init}


def for_part(kind: Kind, subresource: str) -> Kind:
    """Return a kind whose updates are those of a part of its objects (`Rules.parts`)."""
    part, rules = kind.rules.parts[subresource], kind.rules
    own = replace(
        rules,
        prepare=replace(rules.prepare, update=part.prepare),
        validate=replace(rules.validate, update=part.validate),
        create_on_update=False,
    )
    return replace(kind, rules=own)


def make_kind(
    names: KindNames,
    rules: Rules | None = None,
    *,
    stored: Kind | None = None,
    storage_prefix: str = "",
    definitions: Mapping[str, Json] | None = None,
    definitions_v2: Mapping[str, Json] | None = None,
    schema_hash: str = "",
    warning: str = "",
) -> Kind:
    """Return the kind of these names; without rules of its own it gets those that fit every kind.

    `stored` is the version whose form is stored, where that is another one.
    """
    own = rules or (WITH_STATUS if names.has_status else PLAIN)
    prefix = storage_prefix or own.storage_prefix or f"/registry/{names.plural}"
    return Kind(
        **_given(names) | {"warning": warning or names.warning},
        rules=own,
        storage_prefix=stored.storage_prefix if stored else prefix,
        storage_version=stored,
        definitions=definitions or {},
        definitions_v2=definitions_v2,
        schema_hash=schema_hash,
    )
