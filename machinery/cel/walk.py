"""The way through an expression: one method for each sort of part, found by its class."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from machinery.cel.syntax import (
    Bind,
    Call,
    Conditional,
    Expression,
    Fold,
    Has,
    Identifier,
    ListOf,
    Literal,
    Logic,
    MapOf,
    Message,
    OptionalMap,
    Select,
)

R = TypeVar("R")


class Walk(ABC, Generic[R]):
    """What is made of an expression, from what is made of its parts."""

    def __init__(self) -> None:
        self._by_part: dict[type, Callable[[Any], R]] = {
            Literal: self._literal,
            Identifier: self._identifier,
            Select: self._select,
            Has: self._has,
            Call: self._call,
            Logic: self._logic,
            Conditional: self._conditional,
            ListOf: self._list,
            MapOf: self._map,
            Message: self._message,
            Fold: self._fold,
            OptionalMap: self._optional_map,
            Bind: self._bind,
        }

    def visit(self, part: Expression) -> R:
        """Return what is made of a part."""
        return self._by_part[type(part)](part)

    @abstractmethod
    def _literal(self, part: Literal) -> R: ...

    @abstractmethod
    def _identifier(self, part: Identifier) -> R: ...

    @abstractmethod
    def _select(self, part: Select) -> R: ...

    @abstractmethod
    def _has(self, part: Has) -> R: ...

    @abstractmethod
    def _call(self, part: Call) -> R: ...

    @abstractmethod
    def _logic(self, part: Logic) -> R: ...

    @abstractmethod
    def _conditional(self, part: Conditional) -> R: ...

    @abstractmethod
    def _list(self, part: ListOf) -> R: ...

    @abstractmethod
    def _map(self, part: MapOf) -> R: ...

    @abstractmethod
    def _message(self, part: Message) -> R: ...

    @abstractmethod
    def _fold(self, part: Fold) -> R: ...

    @abstractmethod
    def _optional_map(self, part: OptionalMap) -> R: ...

    @abstractmethod
    def _bind(self, part: Bind) -> R: ...
