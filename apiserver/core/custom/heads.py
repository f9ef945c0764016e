"""What has to be known of a definition as long as nobody asks for its schemas; the rest is not even decoded."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from apiserver.core.custom.definitions import CLEANUP
from apiserver.core.custom.naming import Claims
from apiserver.core.values import Json


class _Meta(msgspec.Struct, frozen=True, gc=False):
    name: str
    uid: str = ""
    generation: int = 0
    creationTimestamp: str = ""
    deletionTimestamp: str | None = None
    finalizers: list[str] = []


class _Spec(msgspec.Struct, frozen=True, gc=False):
    group: str
    names: dict[str, Any]


class _Condition(msgspec.Struct, frozen=True, gc=False):
    type: str
    status: str


class _Status(msgspec.Struct, frozen=True, gc=False):
    acceptedNames: dict[str, Any] = {}
    conditions: list[_Condition] = []


class Head(msgspec.Struct, frozen=True, gc=False):
    """A definition without its versions."""

    metadata: _Meta
    spec: _Spec
    status: _Status = _Status()

    @property
    def name(self) -> str:
        """Return its name."""
        return self.metadata.name

    @property
    def is_established(self) -> bool:
        """Whether its kinds are served."""
        return self._is_true("Established")

    @property
    def is_terminating(self) -> bool:
        """Whether it is being deleted."""
        return bool(self.metadata.deletionTimestamp)

    @property
    def waits_for_objects(self) -> bool:
        """Whether it is being deleted, and its objects have to go before it."""
        return self.is_terminating and CLEANUP in self.metadata.finalizers

    @property
    def storage_prefix(self) -> str:
        """Where its objects are."""
        return f"/registry/{self.spec.group}/{self.spec.names.get('plural', '')}"

    @property
    def form(self) -> tuple[Any, ...]:
        """Return what is equal for definitions whose kinds are the same."""
        meta = self.metadata
        return meta.uid, meta.generation, self.is_established, self.is_terminating, self.status.acceptedNames

    @property
    def has_its_names(self) -> bool:
        """Whether there is nothing to settle: it has the names that it wants, and is established."""
        accepted = _said(self.status.acceptedNames)
        return self.is_established and self._is_true("NamesAccepted") and _said(self.spec.names) == accepted

    def _is_true(self, kind: str) -> bool:
        return any(each.type == kind and each.status == "True" for each in self.status.conditions)


def _said(names: Json) -> Json:
    return {name: value for name, value in names.items() if value}


def claims_of(group: Iterable[Head]) -> Claims:
    """Return who has which names, of the definitions of a group."""
    claims = Claims()
    for head in in_order(group):
        claims.claim(head.name, head.status.acceptedNames)
    return claims


def in_order(heads: Iterable[Head]) -> list[Head]:
    """Return definitions in the order in which they choose: who was there first is the first."""
    return sorted(heads, key=lambda head: (head.metadata.creationTimestamp, head.name))
