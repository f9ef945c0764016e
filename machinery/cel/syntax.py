"""The parts of a parsed expression.

The parser makes them, the checker fills in `type` and `overloads`, cost and compiler read them. A tree belongs to one
compilation and is not shared. Macros stay what they are (`Fold`, `Has`, `OptionalMap`, `Bind`); chains of `&&` and `||` are
one part with many operands, so that a long chain is not deep.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TypeAlias

from machinery.cel.overloads import Overload
from machinery.cel.types import DYN, Type
from machinery.cel.values import TypeValue, Value


@dataclass(slots=True, kw_only=True, eq=False)
class Part:
    """What all parts have: the place of what reports name, and the checked type."""

    offset: int
    type: Type = DYN


@dataclass(slots=True, kw_only=True, eq=False)
class Literal(Part):
    """A value that is written out."""

    value: Value


@dataclass(slots=True, kw_only=True, eq=False)
class Identifier(Part):
    """A variable, a macro's variable or the name of a type."""

    name: str


@dataclass(slots=True, kw_only=True, eq=False)
class Select(Part):
    """`operand.field`, or `operand.?field`."""

    operand: Expression
    field: str
    optional: bool = False
    constant: TypeValue | None = None  # where the whole path is the name of a type
    variable: str = ""  # where the whole path is the name of a variable


@dataclass(slots=True, kw_only=True, eq=False)
class Has(Part):
    """`has(operand.field)`."""

    operand: Expression
    field: str


@dataclass(slots=True, kw_only=True, eq=False)
class Call(Part):
    """A function, a method (`target` first among the arguments) or an operator by its name (`_+_`)."""

    function: str
    arguments: list[Expression]
    member: bool = False
    overloads: list[Overload] = field(default_factory=list)


@dataclass(slots=True, kw_only=True, eq=False)
class Logic(Part):
    """Operands joined by `&&` or `||`."""

    conjunction: bool
    operands: list[Expression]


@dataclass(slots=True, kw_only=True, eq=False)
class Conditional(Part):
    """`condition ? then : otherwise`."""

    condition: Expression
    then: Expression
    otherwise: Expression


@dataclass(slots=True, kw_only=True, eq=False)
class ListOf(Part):
    """`[a, ?b]`; `optional` has the indices of those that were written with a question mark."""

    elements: list[Expression]
    optional: frozenset[int] = frozenset()


@dataclass(slots=True, kw_only=True, eq=False)
class Entry:
    """A key with its value, or a field with its value (then the key is a literal)."""

    offset: int
    key: Expression
    value: Expression
    optional: bool = False


@dataclass(slots=True, kw_only=True, eq=False)
class MapOf(Part):
    """`{key: value}`."""

    entries: list[Entry]


@dataclass(slots=True, kw_only=True, eq=False)
class Message(Part):
    """`Name{field: value}`."""

    name: str
    entries: list[Entry]


class FoldKind(Enum):
    """What a macro over a list or map makes of it; the text is its name in an expression."""

    ALL = "all"
    EXISTS = "exists"
    EXISTS_ONE = "exists_one"
    MAP = "map"
    FILTER = "filter"
    TRANSFORM_LIST = "transformList"
    TRANSFORM_MAP = "transformMap"
    TRANSFORM_MAP_ENTRY = "transformMapEntry"


@dataclass(slots=True, kw_only=True, eq=False)
class Fold(Part):
    """A macro over a list or map. `second` is the value's variable where there are two."""

    kind: FoldKind
    operand: Expression
    first: str
    second: str | None = None
    condition: Expression | None = None
    result: Expression | None = None


@dataclass(slots=True, kw_only=True, eq=False)
class OptionalMap(Part):
    """`operand.optMap(variable, result)`; `flat` for optFlatMap."""

    operand: Expression
    variable: str
    result: Expression
    flat: bool


@dataclass(slots=True, kw_only=True, eq=False)
class Bind(Part):
    """`cel.bind(variable, operand, result)`: a name for a value that is used more than once."""

    operand: Expression
    variable: str
    result: Expression


Expression: TypeAlias = (
    Literal
    | Identifier
    | Select
    | Has
    | Call
    | Logic
    | Conditional
    | ListOf
    | MapOf
    | Message
    | Fold
    | OptionalMap
    | Bind
)
