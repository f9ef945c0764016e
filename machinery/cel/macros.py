"""Macros: calls whose arguments are not values but names and expressions to be evaluated for each element.

cel-spec, "Macros"; those with two variables and those of optional values are extensions that Kubernetes has since v1.32
and v1.28. Environments of older versions refuse them when they are checked. `cel.bind` is for expressions about devices.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from machinery.cel.errors import CompileError, Fault
from machinery.cel.syntax import (
    Bind,
    Expression,
    Fold,
    FoldKind,
    Has,
    Identifier,
    OptionalMap,
    Select,
)

_ONE_VARIABLE: Final = {
    ("all", 2): FoldKind.ALL,
    ("exists", 2): FoldKind.EXISTS,
    ("exists_one", 2): FoldKind.EXISTS_ONE,
    ("existsOne", 2): FoldKind.EXISTS_ONE,
    ("map", 2): FoldKind.MAP,
    ("map", 3): FoldKind.MAP,
    ("filter", 2): FoldKind.FILTER,
}
_TWO_VARIABLES: Final = {
    ("all", 3): FoldKind.ALL,
    ("exists", 3): FoldKind.EXISTS,
    ("exists_one", 3): FoldKind.EXISTS_ONE,
    ("existsOne", 3): FoldKind.EXISTS_ONE,
    ("transformList", 3): FoldKind.TRANSFORM_LIST,
    ("transformList", 4): FoldKind.TRANSFORM_LIST,
    ("transformMap", 3): FoldKind.TRANSFORM_MAP,
    ("transformMap", 4): FoldKind.TRANSFORM_MAP,
    ("transformMapEntry", 3): FoldKind.TRANSFORM_MAP_ENTRY,
    ("transformMapEntry", 4): FoldKind.TRANSFORM_MAP_ENTRY,
}
_TESTS: Final = frozenset({FoldKind.ALL, FoldKind.EXISTS, FoldKind.EXISTS_ONE, FoldKind.FILTER})
_ACCUMULATORS: Final = frozenset({"__result__", "@result"})


def expand_function(text: str, name: str, arguments: Sequence[Expression], offset: int) -> Expression | None:
    """Return what a global call is if it is a macro's, otherwise None.

    Raises:
        CompileError: `has` is not called on a field.
    """
    if name != "has" or len(arguments) != 1:
        return None
    field = arguments[0]
    if not isinstance(field, Select) or field.optional:
        raise CompileError(text, [Fault(offset, "invalid argument to has() macro")])
    return Has(offset=offset, operand=field.operand, field=field.field)


def expand_method(
    text: str, operand: Expression, name: str, arguments: Sequence[Expression], offset: int
) -> Expression | None:
    """Return what a method's call is if it is a macro's, otherwise None.

    Raises:
        CompileError: where a macro has a variable, something else is written.
    """
    key = (name, len(arguments))
    if key in _ONE_VARIABLE:
        variable = _variable(text, arguments[0])
        return _fold(_ONE_VARIABLE[key], operand, (variable, None), arguments[1:], offset)
    if key in _TWO_VARIABLES:
        names = (_variable(text, arguments[0]), _variable(text, arguments[1]))
        if names[0] == names[1]:
            raise CompileError(
                text,
                [Fault(arguments[1].offset, f"duplicate variable name: {names[0]}")],
            )
        return _fold(_TWO_VARIABLES[key], operand, names, arguments[2:], offset)
    if name in {"optMap", "optFlatMap"} and len(arguments) == 2:
        variable = _variable(text, arguments[0])
        return OptionalMap(
            offset=offset, operand=operand, variable=variable, result=arguments[1], flat=name == "optFlatMap"
        )
    return None


def expand_bind(
    text: str, operand: Expression, name: str, arguments: Sequence[Expression]
) -> Expression | None:
    """Return what a method's call is if it is `cel.bind`, otherwise None.

    Raises:
        CompileError: its first argument is no name.
    """
    if name != "bind" or len(arguments) != 3 or not isinstance(operand, Identifier) or operand.name != "cel":
        return None
    variable = _variable(text, arguments[0])
    return Bind(offset=operand.offset, operand=arguments[1], variable=variable, result=arguments[2])


def _fold(
    kind: FoldKind,
    operand: Expression,
    names: tuple[str, str | None],
    rest: Sequence[Expression],
    offset: int,
) -> Fold:
    """Return a fold: a test has its condition only, others their result last and a condition before it at most."""
    condition = rest[0] if kind in _TESTS or len(rest) == 2 else None
    result = None if kind in _TESTS else rest[-1]
    first, second = names
    return Fold(
        offset=offset,
        kind=kind,
        operand=operand,
        first=first,
        second=second,
        condition=condition,
        result=result,
    )


def _variable(text: str, argument: Expression) -> str:
    if not isinstance(argument, Identifier):
        raise CompileError(text, [Fault(argument.offset, "argument must be a simple name")])
    if argument.name in _ACCUMULATORS:
        raise CompileError(
            text,
            [Fault(argument.offset, f"iteration variable overwrites accumulator variable: {argument.name}")],
        )
    return argument.name
