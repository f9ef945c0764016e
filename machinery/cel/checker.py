"""Whether an expression fits the types of its variables (cel-spec, "Gradual Type Checking").

Each part gets its type, and each call the overloads that may be meant; what a dyn may be is left to the evaluation. All
faults are collected, in cel-go's words. A part that is at fault counts as dyn, so that nothing is reported twice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import count, pairwise
from typing import Final, assert_never

from machinery.cel.environment import TYPE_NAMES, Environment
from machinery.cel.errors import CompileError, EvaluationError, Fault
from machinery.cel.overloads import Overload
from machinery.cel.parser import dotted
from machinery.cel.regex import compile_pattern
from machinery.cel.syntax import (
    Bind,
    Call,
    Conditional,
    Expression,
    Fold,
    FoldKind,
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
from machinery.cel.types import (
    BOOL,
    BYTES,
    DOUBLE,
    DYN,
    INT,
    NULL,
    STRING,
    UINT,
    Kind,
    Substitution,
    Type,
    list_of,
    map_of,
    optional_of,
    parameter,
)
from machinery.cel.values import TypeValue, UInt, Value, parse_duration, parse_timestamp
from machinery.cel.walk import Walk

_LITERALS: Final[dict[type, Type]] = {
    bool: BOOL,
    int: INT,
    UInt: UINT,
    float: DOUBLE,
    str: STRING,
    bytes: BYTES,
    type(None): NULL,
}
_READERS: Final[dict[tuple[str, int], Callable[[str], object]]] = {
    ("matches", 2): compile_pattern,
    ("duration", 1): parse_duration,
    ("timestamp", 1): parse_timestamp,
}
_TYPE_VALUES: Final = {name: TypeValue(name) for name in TYPE_NAMES}


def check(text: str, expression: Expression, environment: Environment) -> Type:
    """Return the type of an expression; its parts have theirs then.

    Raises:
        CompileError: it does not fit; all faults are named.
    """
    checker = _Checker(environment)
    checker.visit(expression)
    if checker.faults:
        raise CompileError(text, checker.faults)
    checker.settle()
    return expression.type


class _Checker(Walk[Type]):
    def __init__(self, environment: Environment) -> None:
        super().__init__()
        self._environment = environment
        self._functions = environment.functions
        self._bound = Substitution()
        self._scopes: list[dict[str, Type]] = []
        self._visited: list[Expression] = []
        self._fresh = count()
        self.faults: list[Fault] = []

    def settle(self) -> None:
        """Replace the parameters in all types by what they turned out to stand for."""
        for part in self._visited:
            part.type = self._bound.resolve(part.type)

    def visit(self, part: Expression) -> Type:
        """Return the type of a part, and note it there."""
        part.type = super().visit(part)
        self._visited.append(part)
        return part.type

    def _literal(self, part: Literal) -> Type:
        return literal_type(part.value)

    def _has(self, part: Has) -> Type:
        self._field(self.visit(part.operand), part.field, part.offset)
        return BOOL

    def _fault(self, offset: int, message: str) -> Type:
        self.faults.append(Fault(offset, message))
        return DYN

    def _shown(self, one: Type) -> Type:
        return self._bound.resolve(one)

    def _new(self) -> Type:
        return parameter(f"_var{next(self._fresh)}")

    def _variable(self, name: str) -> Type | None:
        for scope in reversed(self._scopes):
            if name in scope:
                return scope[name]
        return self._environment.variables.get(name)

    def _is_global(self, path: str) -> bool:
        """Whether a path does not begin with the variable of a macro."""
        return not any(path.partition(".")[0] in scope for scope in self._scopes)

    def _identifier(self, part: Identifier) -> Type:
        found = self._variable(part.name) or TYPE_NAMES.get(part.name)
        return found or self._fault(part.offset, _undeclared(part.name))

    def _select(self, part: Select) -> Type:
        path = dotted(part)
        if path is not None and path in _TYPE_VALUES and self._variable(path.partition(".")[0]) is None:
            part.constant = _TYPE_VALUES[path]
            return TYPE_NAMES[path]
        if path is not None and path in self._environment.variables and self._is_global(path):
            part.variable = path
            return self._environment.variables[path]
        if part.optional and not self._environment.has_optionals:
            return self._fault(part.offset, "unsupported syntax '.?'")
        operand = self.visit(part.operand)
        found = self._field(operand, part.field, part.offset)
        chained = self._bound.resolve(operand, free=True).kind is Kind.OPTIONAL
        return optional_of(found) if part.optional or chained else found

    def _field(self, operand: Type, name: str, offset: int) -> Type:
        """Return the type of an operand's field; that of an optional is its value's."""
        operand = self._bound.resolve(operand, free=True)
        if operand.kind is Kind.OPTIONAL:
            return self._field(operand.element, name, offset)
        if operand.kind is Kind.MAP:
            return operand.element
        if operand.kind is Kind.OBJECT:
            found = operand.fields.get(name) or operand.fields.get(f"__{name}__")
            if found is None and not operand.closed:
                return DYN  # a message of a type that is not looked into
            return found.type if found else self._fault(offset, f"undefined field '{name}'")
        if operand.kind in {Kind.DYN, Kind.PARAMETER}:
            return DYN
        return self._fault(offset, f"type '{self._shown(operand)}' does not support field selection")

    def _call(self, part: Call) -> Type:
        self._as_qualified(part)
        types = [self.visit(argument) for argument in part.arguments]
        known = self._functions.get(part.function)
        if known is None:
            return self._fault(part.offset, _undeclared(part.function))
        self._check_literal(part)
        return self._resolve(part, known, types)

    def _check_literal(self, part: Call) -> None:
        """Name a written-out pattern, duration or timestamp that is none (since v1.29)."""
        reader = _READERS.get((part.function, len(part.arguments)))
        if reader is None or not self._environment.has_checked_literals:
            return
        literal = part.arguments[-1]
        if not isinstance(literal, Literal) or not isinstance(literal.value, str):
            return
        try:
            reader(literal.value)
        except EvaluationError:
            self._fault(literal.offset, f"invalid {part.function} argument")

    def _as_qualified(self, part: Call) -> None:
        """Read a method's receiver as part of the name where there is such a function (`ip.isCanonical`)."""
        if not part.member:
            return
        path = dotted(part.arguments[0])
        if path is None or self._variable(path.partition(".")[0]) is not None:
            return
        if f"{path}.{part.function}" in self._functions:
            part.function = f"{path}.{part.function}"
            part.arguments = part.arguments[1:]
            part.member = False

    def _resolve(self, part: Call, known: Sequence[Overload], types: Sequence[Type]) -> Type:
        """Choose the overloads that the arguments' types allow; if their results differ, the call is dyn."""
        result: Type | None = None
        before = self._bound
        for overload in known:
            if overload.member is not part.member or len(overload.parameters) != len(types):
                continue
            bound = before.copy()
            wanted, returned = self._instantiate(overload)
            if not bound.fit_all(wanted, types):
                continue
            part.overloads.append(overload)
            self._bound = bound
            returned = bound.resolve(returned, free=True)
            result = returned if result is None or result.same(returned) else DYN
        if result is None:
            return self._mismatch(part.offset, part.function, types, member=part.member)
        return result

    def _instantiate(self, overload: Overload) -> tuple[list[Type], Type]:
        names: dict[str, Type] = {}
        return [self._renamed(one, names) for one in overload.parameters], self._renamed(
            overload.result, names
        )

    def _renamed(self, one: Type, names: dict[str, Type]) -> Type:
        if one.kind is Kind.PARAMETER:
            if one.name not in names:
                names[one.name] = self._new()
            return names[one.name]
        if not one.parameters:
            return one
        return Type(one.kind, one.name, tuple(self._renamed(inner, names) for inner in one.parameters))

    def _mismatch(self, offset: int, name: str, types: Sequence[Type], *, member: bool = False) -> Type:
        shown = [str(self._shown(one)) for one in types]
        applied = f"{shown[0]}.({', '.join(shown[1:])})" if member else f"({', '.join(shown)})"
        return self._fault(offset, f"found no matching overload for '{name}' applied to '{applied}'")

    def _logic(self, part: Logic) -> Type:
        name = "_&&_" if part.conjunction else "_||_"
        types = [self.visit(operand) for operand in part.operands]
        for left, right in pairwise(types):
            if not self._bound.fit_all((BOOL, BOOL), (left, right)):
                self._mismatch(part.offset, name, (left, right))
        return BOOL

    def _conditional(self, part: Conditional) -> Type:
        types = [self.visit(one) for one in (part.condition, part.then, part.otherwise)]
        either = self._new()
        if not self._bound.fit_all((BOOL, either, either), types):
            return self._mismatch(part.offset, "_?_:_", types)
        return self._join(types[1], types[2])

    def _join(self, one: Type, other: Type) -> Type:
        """Return the more general of two types that fit each other."""
        shown = self._bound.resolve(one, free=True), self._bound.resolve(other, free=True)
        if Kind.DYN in {shown[0].kind, shown[1].kind}:
            return DYN
        return shown[1] if shown[0].kind in {Kind.NULL, Kind.PARAMETER} else shown[0]

    def _list(self, part: ListOf) -> Type:
        element: Type | None = None
        for index, one in enumerate(part.elements):
            element = self._next(element, self._entry_type(one, optional=index in part.optional), one.offset)
        return list_of(element or self._new())

    def _map(self, part: MapOf) -> Type:
        key: Type | None = None
        value: Type | None = None
        for entry in part.entries:
            key = self._next(key, self.visit(entry.key), entry.key.offset)
            value = self._next(
                value, self._entry_type(entry.value, optional=entry.optional), entry.value.offset
            )
        return map_of(key or self._new(), value or self._new())

    def _entry_type(self, part: Expression, *, optional: bool) -> Type:
        """Return the type of what an element adds: that inside an optional, where it is marked so."""
        found = self.visit(part)
        if not optional:
            return found
        inner = self._new()
        if not self._environment.has_optionals or not self._bound.fits(optional_of(inner), found):
            return self._fault(
                part.offset, f"expected type 'optional_type(dyn)' but found '{self._shown(found)}'"
            )
        return self._bound.resolve(inner, free=True)

    def _next(self, before: Type | None, found: Type, offset: int) -> Type:
        """Return the type of elements that are of one type; null stands beside any that may be null."""
        if before is None:
            return found
        if not self._bound.fits(before, found):
            return self._fault(
                offset, f"expected type '{self._shown(before)}' but found '{self._shown(found)}'"
            )
        return self._join(before, found)

    def _message(self, part: Message) -> Type:
        wanted = self._environment.message(part.name)
        for entry in part.entries:
            found = self._entry_type(entry.value, optional=entry.optional)
            if wanted is None or not wanted.closed or not isinstance(entry.key, Literal):
                continue
            declared = wanted.fields.get(entry.key.value)
            if declared is None:
                self._fault(entry.offset, f"undefined field '{entry.key.value}'")
            elif not self._bound.fits(declared.type, found):
                self._fault(entry.offset, f"expected type '{declared.type}' but found '{self._shown(found)}'")
        return wanted or self._fault(part.offset, _undeclared(part.name))

    def _fold(self, part: Fold) -> Type:
        known = self._environment.has_two_variables or (part.second is None)
        if not known:
            return self._fault(part.offset, _undeclared(part.kind.value))
        key, value = self._elements(self.visit(part.operand), part)
        scope = {part.first: value} if part.second is None else {part.first: key, part.second: value}
        self._scopes.append(scope)
        condition = None if part.condition is None else self.visit(part.condition)
        result = None if part.result is None else self.visit(part.result)
        self._scopes.pop()
        made = self._fold_type(part, key, value, result)
        if condition is not None and not self._bound.fits(BOOL, condition):
            self._condition_mismatch(part, condition, made)
        return made

    def _elements(self, operand: Type, part: Fold) -> tuple[Type, Type]:
        """Return the types of a range's indices or keys and of its elements or values.

        With one variable, that of a map runs over the keys.
        """
        operand = self._bound.resolve(operand, free=True)
        if operand.kind is Kind.LIST:
            return INT, operand.element
        if operand.kind is Kind.MAP:
            key, value = operand.parameters
            return key, key if part.second is None else value
        if operand.kind not in {Kind.DYN, Kind.PARAMETER}:
            self._fault(
                part.operand.offset,
                f"expression of type '{self._shown(operand)}' cannot be range of a comprehension (must be list, map, or dynamic)",
            )
        return DYN, DYN

    def _fold_type(self, part: Fold, key: Type, value: Type, result: Type | None) -> Type:
        match part.kind:
            case FoldKind.ALL | FoldKind.EXISTS | FoldKind.EXISTS_ONE:
                return BOOL
            case FoldKind.FILTER:
                return list_of(value)
            case FoldKind.MAP | FoldKind.TRANSFORM_LIST:
                return list_of(result or DYN)
            case FoldKind.TRANSFORM_MAP:
                return map_of(key, result or DYN)
            case FoldKind.TRANSFORM_MAP_ENTRY:
                return self._entry_map(part, result or DYN)
        assert_never(part.kind)

    def _entry_map(self, part: Fold, result: Type) -> Type:
        made = map_of(self._new(), self._new())
        if not self._bound.fits(made, result):
            offset = part.offset if part.result is None else part.result.offset
            self._mismatch(offset, "cel.@mapInsert", (made, result))
        return made

    def _condition_mismatch(self, part: Fold, condition: Type, made: Type) -> None:
        offset = part.offset
        match part.kind:
            case FoldKind.ALL:
                self._mismatch(offset, "_&&_", (BOOL, condition))
            case FoldKind.EXISTS:
                self._mismatch(offset, "_||_", (BOOL, condition))
            case FoldKind.EXISTS_ONE:
                self._mismatch(offset, "_?_:_", (condition, INT, INT))
            case _:
                self._mismatch(offset, "_?_:_", (condition, made, made))

    def _bind(self, part: Bind) -> Type:
        value = self.visit(part.operand)
        self._scopes.append({part.variable: value})
        result = self.visit(part.result)
        self._scopes.pop()
        return result

    def _optional_map(self, part: OptionalMap) -> Type:
        name = "optFlatMap" if part.flat else "optMap"
        if not self._environment.has_optionals:
            return self._fault(part.offset, _undeclared(name))
        operand, inner = self.visit(part.operand), self._new()
        if not self._bound.fits(optional_of(inner), operand):
            self._mismatch(part.offset, "hasValue", (operand,), member=True)
        self._scopes.append({part.variable: self._bound.resolve(inner, free=True)})
        result = self.visit(part.result)
        self._scopes.pop()
        if not part.flat:
            return optional_of(result)
        if not self._bound.fits(optional_of(self._new()), result):
            self._mismatch(part.offset, "_?_:_", (BOOL, result, optional_of(DYN)))
        return result


def literal_type(value: Value) -> Type:
    """Return the type of a value that is written out."""
    return _LITERALS[type(value)]


def _undeclared(name: str) -> str:
    return f"undeclared reference to '{name}' (in container '')"
