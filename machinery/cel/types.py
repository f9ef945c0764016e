"""Types of expressions, and what may stand where.

A type from a schema carries bounds (`max_elements`: characters of a string, elements of a list, entries of a map) and how a
list merges; neither counts when types are compared. `Substitution` binds type parameters while a call is checked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Final


class Kind(Enum):
    """The sort of a type; the text is the name of those that have no more than a sort."""

    DYN = "dyn"
    NULL = "null_type"
    BOOL = "bool"
    INT = "int"
    UINT = "uint"
    DOUBLE = "double"
    STRING = "string"
    BYTES = "bytes"
    TIMESTAMP = "google.protobuf.Timestamp"
    DURATION = "google.protobuf.Duration"
    LIST = "list"
    MAP = "map"
    OBJECT = "object"
    TYPE = "type"
    OPTIONAL = "optional_type"
    ABSTRACT = "abstract"
    PARAMETER = "parameter"

    __hash__ = object.__hash__  # each is there once


@dataclass(frozen=True, slots=True, eq=False)
class Field:
    """A field of an object: its name in the object (unescaped) and the type of its value."""

    name: str
    type: Type


@dataclass(frozen=True, slots=True, eq=False)
class Type:
    """A type. `name` is an object's, an abstract type's or a parameter's; `fields` go by their escaped names."""

    kind: Kind
    name: str = ""
    parameters: tuple[Type, ...] = ()
    fields: Mapping[str, Field] = field(default_factory=dict)
    max_elements: int | None = None
    min_size: int = 1  # bytes of the shortest JSON, for estimates of what fits into a request
    list_kind: str = "atomic"  # "set" or "map": what x-kubernetes-list-type says
    map_keys: tuple[str, ...] = ()
    closed: bool = False  # whether an object has no fields but those named

    def __str__(self) -> str:
        if self.kind is Kind.TYPE:
            return f"type({self.parameters[0]})" if self.parameters else "type"
        if self.parameters:
            return f"{self.kind.value}({', '.join(map(str, self.parameters))})"
        return self.name or self.kind.value

    @property
    def element(self) -> Type:
        """What a list has or an optional may have, or the values of a map."""
        return self.parameters[-1]

    def same(self, other: Type) -> bool:
        """Whether both are one type, apart from bounds."""
        return (
            self.kind is other.kind
            and self.name == other.name
            and len(self.parameters) == len(other.parameters)
            and all(mine.same(theirs) for mine, theirs in zip(self.parameters, other.parameters, strict=True))
        )


DYN: Final = Type(Kind.DYN)
NULL: Final = Type(Kind.NULL)
BOOL: Final = Type(Kind.BOOL, min_size=4)
INT: Final = Type(Kind.INT)
UINT: Final = Type(Kind.UINT)
DOUBLE: Final = Type(Kind.DOUBLE)
STRING: Final = Type(Kind.STRING, min_size=2)
BYTES: Final = Type(Kind.BYTES, min_size=2)
TIMESTAMP: Final = Type(Kind.TIMESTAMP)
DURATION: Final = Type(Kind.DURATION)


def list_of(element: Type) -> Type:
    """Return the type of lists of an element's type."""
    return Type(Kind.LIST, parameters=(element,))


def map_of(key: Type, value: Type) -> Type:
    """Return the type of maps."""
    return Type(Kind.MAP, parameters=(key, value))


def optional_of(value: Type) -> Type:
    """Return the type of what may be there."""
    return Type(Kind.OPTIONAL, parameters=(value,))


def type_of(instance: Type) -> Type:
    """Return the type of a type's name."""
    return Type(Kind.TYPE, parameters=(instance,))


def abstract(name: str) -> Type:
    """Return a type that only its library looks into."""
    return Type(Kind.ABSTRACT, name=name)


def parameter(name: str) -> Type:
    """Return a type parameter of a function's declaration."""
    return Type(Kind.PARAMETER, name=name)


_NULLABLE: Final = frozenset({Kind.OBJECT, Kind.ABSTRACT, Kind.TIMESTAMP, Kind.DURATION, Kind.OPTIONAL})


def _fit_by_kind(wanted: Kind, found: Kind) -> bool:
    """Whether types fit whatever else is said of them: dyn, null where it may be, names of types."""
    if Kind.DYN in {wanted, found} or wanted is found is Kind.TYPE:
        return True
    return (wanted is Kind.NULL and found in _NULLABLE) or (found is Kind.NULL and wanted in _NULLABLE)


class Substitution:
    """What type parameters stand for so far. A copy is tried, and kept only where all fits."""

    def __init__(self, bound: dict[str, Type] | None = None) -> None:
        self._bound = {} if bound is None else bound

    def copy(self) -> Substitution:
        """Return one that can go its own way."""
        return Substitution(dict(self._bound))

    def resolve(self, wanted: Type, *, free: bool = False) -> Type:
        """Return a type with its parameters replaced; those that are not bound become dyn, unless `free`."""
        if wanted.kind is Kind.PARAMETER:
            bound = self._bound.get(wanted.name)
            if bound is not None:
                return self.resolve(bound, free=free)
            return wanted if free else DYN
        if not wanted.parameters:
            return wanted
        inner = tuple(self.resolve(one, free=free) for one in wanted.parameters)
        if all(new is old for new, old in zip(inner, wanted.parameters, strict=True)):
            return wanted
        return Type(
            wanted.kind,
            wanted.name,
            inner,
            max_elements=wanted.max_elements,
            list_kind=wanted.list_kind,
            map_keys=wanted.map_keys,
        )

    def fit_all(self, wanted: Sequence[Type], found: Sequence[Type]) -> bool:
        """Whether each type found may stand where the other is wanted; parameters are bound on the way."""
        return all(self.fits(one, other) for one, other in zip(wanted, found, strict=True))

    def fits(self, wanted: Type, found: Type) -> bool:
        """Whether a value of a type may stand where another is wanted; parameters are bound on the way."""
        wanted, found = self._shallow(wanted), self._shallow(found)
        if wanted is found:
            return True
        if wanted.kind is Kind.PARAMETER:
            return self._bind(wanted.name, found)
        if found.kind is Kind.PARAMETER:
            return self._bind(found.name, wanted)
        if _fit_by_kind(wanted.kind, found.kind):
            return True
        if wanted.kind is not found.kind or wanted.name != found.name:
            return False
        return len(wanted.parameters) == len(found.parameters) and self.fit_all(
            wanted.parameters, found.parameters
        )

    def _shallow(self, wanted: Type) -> Type:
        while wanted.kind is Kind.PARAMETER and wanted.name in self._bound:
            wanted = self._bound[wanted.name]
        return wanted

    def _bind(self, name: str, found: Type) -> bool:
        if self._occurs(name, found):
            return False
        self._bound[name] = found
        return True

    def _occurs(self, name: str, within: Type) -> bool:
        within = self._shallow(within)
        if within.kind is Kind.PARAMETER:
            return within.name == name
        return any(self._occurs(name, one) for one in within.parameters)
