"""Checked expressions as closures.

A closure takes a frame: what may still be spent, the variables, and a place for each variable of a macro. Nothing is
shared between evaluations. The cost of what is evaluated in any case is known beforehand, so that it is paid at once where a
branch or a round of a loop begins (`Code.cost`); what depends on sizes is paid at the call.

Errors are exceptions. All of CEL is strict in errors except for `&&`, `||` and the macros that are made of them: those go
on, and raise the first error only if nothing decides without it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from machinery.cel import costs, standard
from machinery.cel.code import BUDGET, FIRST_LOCAL, VARIABLES, Code, Compiled, Frame, Run, constant
from machinery.cel.conversion import Reader, equality_of, has_own_equality, joined_as, reader_of
from machinery.cel.environment import TYPE_NAMES
from machinery.cel.errors import EvaluationError
from machinery.cel.folds import RESULT_COSTS, folded, rounds_of
from machinery.cel.logic import decided_by
from machinery.cel.overloads import CallCost, Overload
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
from machinery.cel.types import Kind, Type
from machinery.cel.values import (
    NONE,
    Duration,
    MessageValue,
    Optional,
    Timestamp,
    TypeValue,
    UInt,
    Value,
    from_key,
    no_overload,
    show,
    to_key,
)
from machinery.cel.walk import Walk

_UNDECIDED: Final = frozenset({Kind.DYN, Kind.PARAMETER})
_QUICK_EQUALITY: Final = frozenset({Kind.INT, Kind.BOOL})
_PYTHON_TYPES: Final[dict[Kind, type]] = {
    Kind.BOOL: bool,
    Kind.INT: int,
    Kind.UINT: UInt,
    Kind.DOUBLE: float,
    Kind.STRING: str,
    Kind.BYTES: bytes,
    Kind.TIMESTAMP: Timestamp,
    Kind.DURATION: Duration,
    Kind.LIST: list,
    Kind.OPTIONAL: Optional,
    Kind.TYPE: TypeValue,
    Kind.NULL: type(None),
}


def compile_closures(expression: Expression) -> Compiled:
    """Return the closures of a checked expression."""
    compiler = _Compiler()
    code = compiler.visit(expression)
    return Compiled(code.run, code.cost, compiler.places)


class _Compiler(Walk[Code]):
    def __init__(self) -> None:
        super().__init__()
        self.places = FIRST_LOCAL
        self._locals: dict[str, list[int]] = {}

    def _literal(self, part: Literal) -> Code:
        return constant(part.value)

    def _identifier(self, part: Identifier) -> Code:
        places = self._locals.get(part.name)
        if places:
            place = places[-1]
            return Code(lambda frame: frame[place], 1)
        if part.type.kind is Kind.TYPE and part.name in TYPE_NAMES:
            named = TypeValue(part.name)
            return Code(lambda frame: frame[VARIABLES].get(part.name, named), 1)
        return Code(_variable(part.name, part.type), 1)

    def _select(self, part: Select) -> Code:
        if part.constant is not None:
            return constant(part.constant)
        if part.variable:
            return Code(_variable(part.variable, part.type), 1)
        operand = self.visit(part.operand)
        name, reader = _field(part.operand.type, part.field)
        if part.optional:
            return Code(_optional_selection(operand.run, name, reader), operand.cost + 1)
        return Code(_selection(operand.run, name, reader), operand.cost + 1)

    def _has(self, part: Has) -> Code:
        operand = self.visit(part.operand)
        name, _ = _field(part.operand.type, part.field)
        run = operand.run

        def has(frame: Frame) -> bool:
            value = run(frame)
            if type(value) is Optional:
                return value.present and name in value.value
            if type(value) is not dict and not isinstance(value, Mapping):
                no_overload(value)
            return name in value

        plain = isinstance(part.operand, (Identifier, Select))
        return Code(has, 0 if plain else operand.cost)

    def _call(self, part: Call) -> Code:
        arguments = [self.visit(argument) for argument in part.arguments]
        cost = sum(argument.cost for argument in arguments)
        runs = [argument.run for argument in arguments]
        special = _special_call(part, runs)
        if special is not None:
            return Code(special.run, cost + special.cost)
        if len(part.overloads) == 1 and not any(one.type.kind in _UNDECIDED for one in part.arguments):
            chosen = part.overloads[0]
            if chosen.cost is None:
                return Code(_direct(chosen.call, runs), cost + 1)
            return Code(_paid(chosen.call, chosen.cost, runs), cost)
        return Code(_dispatched(part.overloads, runs), cost)

    def _logic(self, part: Logic) -> Code:
        first, *rest = (self.visit(operand) for operand in part.operands)
        turns = tuple(enumerate((Code(first.run, 0), *rest)))
        return Code(decided_by(lambda _: turns, decision=not part.conjunction), first.cost)

    def _conditional(self, part: Conditional) -> Code:
        condition, then, otherwise = (self.visit(one) for one in (part.condition, part.then, part.otherwise))
        test = condition.run

        def choose(frame: Frame) -> Value:
            chosen = test(frame)
            if chosen is not True and chosen is not False:
                no_overload(chosen)
            run, cost = then if chosen else otherwise
            frame[BUDGET].spend(cost)
            return run(frame)

        return Code(choose, condition.cost)

    def _list(self, part: ListOf) -> Code:
        if not part.optional and all(isinstance(element, Literal) for element in part.elements):
            values = [element.value for element in part.elements if isinstance(element, Literal)]
            return Code(lambda _: list(values), 0)
        elements = [self.visit(element) for element in part.elements]
        runs = [element.run for element in elements]
        cost = costs.NEW_LIST + sum(element.cost for element in elements)
        if not part.optional:
            return Code(lambda frame: [run(frame) for run in runs], cost)
        marked = [(run, index in part.optional) for index, run in enumerate(runs)]
        return Code(lambda frame: list(_present(marked, frame)), cost)

    def _map(self, part: MapOf) -> Code:
        entries = [(self.visit(entry.key), self.visit(entry.value), entry.optional) for entry in part.entries]
        runs = [(key.run, value.run, optional) for key, value, optional in entries]

        def make(frame: Frame) -> Value:
            made: dict[Value, Value] = {}
            for key, value, optional in runs:
                name = to_key(key(frame))
                if name in made:
                    raise EvaluationError(f"Failed with repeated key: {show(from_key(name))}")
                found = value(frame)
                if not optional:
                    made[name] = found
                elif _optional(found).present:
                    made[name] = found.value
            return made

        return Code(make, costs.NEW_MAP + sum(key.cost + value.cost for key, value, _ in entries))

    def _message(self, part: Message) -> Code:
        entries = [(entry.key, self.visit(entry.value), entry.optional) for entry in part.entries]
        runs = [
            (str(key.value), value.run, optional)
            for key, value, optional in entries
            if isinstance(key, Literal)
        ]

        def make(frame: Frame) -> Value:
            made: dict[str, Value] = {}
            for name, run, optional in runs:
                found = run(frame)
                if not optional:
                    made[name] = found
                elif _optional(found).present:
                    made[name] = found.value
            return MessageValue(part.name, made)

        return Code(make, costs.NEW_MESSAGE + sum(value.cost for _, value, _ in entries))

    def _place(self, name: str) -> int:
        place = self.places
        self.places += 1
        self._locals.setdefault(name, []).append(place)
        return place

    def _fold(self, part: Fold) -> Code:
        operand = self.visit(part.operand)
        first = self._place(part.first)
        second = None if part.second is None else self._place(part.second)
        condition = None if part.condition is None else self.visit(part.condition)
        result = None if part.result is None else self.visit(part.result)
        self._locals[part.first].pop()
        if part.second is not None:
            self._locals[part.second].pop()
        rounds = rounds_of(operand.run, first, second)
        return Code(
            folded(part.kind, rounds, condition, result, first), operand.cost + RESULT_COSTS.get(part.kind, 1)
        )

    def _bind(self, part: Bind) -> Code:
        operand = self.visit(part.operand)
        place = self._place(part.variable)
        result = self.visit(part.result)
        self._locals[part.variable].pop()
        run, then = operand.run, result.run

        def bind(frame: Frame) -> Value:
            frame[place] = run(frame)
            return then(frame)

        return Code(bind, operand.cost + result.cost)

    def _optional_map(self, part: OptionalMap) -> Code:
        operand = self.visit(part.operand)
        place = self._place(part.variable)
        result = self.visit(part.result)
        self._locals[part.variable].pop()
        run, then, cost, flat = operand.run, result.run, result.cost + 3, part.flat

        def make(frame: Frame) -> Value:
            found = _optional(run(frame))
            if not found.present:
                return NONE
            frame[place] = found.value
            frame[BUDGET].spend(cost)
            made = then(frame)
            return _optional(made) if flat else Optional(present=True, value=made)

        return Code(make, operand.cost + 1)


def _variable(name: str, declared: Type) -> Run:
    reader = reader_of(declared)

    def read(frame: Frame) -> Value:
        try:
            value = frame[VARIABLES][name]
        except KeyError:
            raise EvaluationError(f"no such attribute(s): {name}") from None
        return value if reader is None else reader(value)

    return read


def _field(operand: Type, name: str) -> tuple[str, Reader | None]:
    """Return what a field is called in an object, and what makes its value from JSON."""
    if operand.kind is Kind.OPTIONAL:
        return _field(operand.element, name)
    found = operand.fields.get(name) or operand.fields.get(f"__{name}__")
    return (name, None) if found is None else (found.name, reader_of(found.type))


def _selection(run: Run, name: str, reader: Reader | None) -> Run:
    def select(frame: Frame) -> Value:
        value = run(frame)
        if type(value) is Optional:
            return _selected(value, name, reader)
        if type(value) is not dict and not isinstance(value, Mapping):
            no_overload(value)
        try:
            found = value[name]
        except KeyError:
            raise EvaluationError(f"no such key: {name}") from None
        return found if reader is None else reader(found)

    return select


def _optional_selection(run: Run, name: str, reader: Reader | None) -> Run:
    return lambda frame: _selected(run(frame), name, reader)


def _selected(value: Value, name: str, reader: Reader | None) -> Optional:
    """Return a field that may be missing, of an object that may be missing."""
    if isinstance(value, Optional):
        return _selected(value.value, name, reader) if value.present else NONE
    if not isinstance(value, Mapping):
        no_overload(value)
    if name not in value:
        return NONE
    found = value[name]
    return Optional(present=True, value=found if reader is None else reader(found))


def _optional(value: Value) -> Optional:
    return value if isinstance(value, Optional) else no_overload(value)


def _present(marked: Sequence[tuple[Run, bool]], frame: Frame) -> Iterator[Value]:
    for run, optional in marked:
        value = run(frame)
        if not optional:
            yield value
        elif _optional(value).present:
            yield value.value


def _special_call(part: Call, runs: Sequence[Run]) -> Code | None:
    """Return the code of what is so frequent, or depends so much on types, that it is none of the table's."""
    if len(runs) != 2:
        return None
    one, other = runs
    left, right = (argument.type for argument in part.arguments)
    if part.function in {"_==_", "_!=_"}:
        return _equality(part.function == "_!=_", left, right, one, other)
    if part.function == "_+_" and (join := joined_as(left)) is not None:
        return Code(_paid(join, costs.by_concatenation, runs), 0)
    if part.function == "_[_]" and left.kind in {Kind.LIST, Kind.MAP}:
        index = standard.index
        return Code(lambda frame: index(one(frame), other(frame)), 1)
    return None


def _equality(negated: bool, left: Type, right: Type, one: Run, other: Run) -> Code | None:  # noqa: FBT001 - private
    if left.kind is right.kind and left.kind in _QUICK_EQUALITY:
        if negated:
            return Code(lambda frame: one(frame) != other(frame), 1)
        return Code(lambda frame: one(frame) == other(frame), 1)
    owner = left if has_own_equality(left) else right
    if not has_own_equality(owner):
        return None
    compare = equality_of(owner)
    call = (lambda a, b: not compare(a, b)) if negated else compare
    return Code(_paid(call, costs.by_shorter, [one, other]), 0)


def _direct(call: Callable[..., Any], runs: Sequence[Run]) -> Run:
    """Return the call of a function that is known, with its usual numbers of arguments unrolled."""
    if len(runs) == 1:
        (only,) = runs
        return lambda frame: call(only(frame))
    if len(runs) == 2:
        one, other = runs
        return lambda frame: call(one(frame), other(frame))
    return lambda frame: call(*[run(frame) for run in runs])


def _call_for_its_cost(
    call: Callable[..., Any], cost: CallCost, values: Sequence[Value], frame: Frame
) -> Value:
    """Return a call's result after it was paid. An error is paid, too, since it may be got over."""
    try:
        result = call(*values)
    except EvaluationError:
        frame[BUDGET].spend(cost(values, None))
        raise
    frame[BUDGET].spend(cost(values, result))
    return result


def _paid(call: Callable[..., Any], cost: CallCost, runs: Sequence[Run]) -> Run:
    def paid(frame: Frame) -> Value:
        return _call_for_its_cost(call, cost, [run(frame) for run in runs], frame)

    return paid


def _dispatched(overloads: Sequence[Overload], runs: Sequence[Run]) -> Run:
    """Return the call of the first overload that takes the values; which that is, is remembered by their types."""
    chosen: dict[tuple[type, ...], Overload] = {}

    def dispatched(frame: Frame) -> Value:
        values = [run(frame) for run in runs]
        types = tuple(map(type, values))
        overload = chosen.get(types)
        if overload is None:
            overload = _first_taking(overloads, values)
            if Optional not in types:  # what is in one decides, too
                chosen[types] = overload
        if overload.cost is not None:
            return _call_for_its_cost(overload.call, overload.cost, values, frame)
        frame[BUDGET].spend(1)
        return overload.call(*values)

    return dispatched


def _first_taking(overloads: Sequence[Overload], values: Sequence[Value]) -> Overload:
    for overload in overloads:
        if all(map(_takes, overload.parameters, values)):
            return overload
    return no_overload(*values)


def _takes(declared: Type, value: Value) -> bool:
    """Whether a value is of a type, as far as its parameters do not matter."""
    kind = declared.kind
    if kind in _UNDECIDED:
        return True
    if kind in {Kind.MAP, Kind.OBJECT}:
        return isinstance(value, Mapping)
    if kind is Kind.ABSTRACT:
        return getattr(value, "type_name", None) == declared.name
    if kind is Kind.OPTIONAL:
        return isinstance(value, Optional) and (not value.present or _takes(declared.element, value.value))
    return type(value) is _PYTHON_TYPES[kind]
