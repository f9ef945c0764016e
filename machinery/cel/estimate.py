"""What an evaluation will cost, at least and at most, by the bounds of the variables' types.

Kubernetes refuses a rule of a CustomResourceDefinition by this figure, so that it is computed as there: a size is known for
what an expression writes out, for what is reached from a variable whose type has bounds, and for results of functions that
say it; otherwise it may be anything. The tree has to be checked.
"""

from __future__ import annotations

from typing import Final, NamedTuple, assert_never

from machinery.cel import costs
from machinery.cel.overloads import ONE, UNBOUNDED, UNKNOWN, ZERO, Estimate, Range, Sized
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
from machinery.cel.types import Kind, Type
from machinery.cel.walk import Walk

_SCALARS: Final = frozenset(
    {Kind.BOOL, Kind.INT, Kind.UINT, Kind.DOUBLE, Kind.TIMESTAMP, Kind.DURATION, Kind.NULL}
)
_FIELDED: Final = frozenset({Kind.MAP, Kind.OBJECT, Kind.PARAMETER})


class _Local(NamedTuple):
    """A macro's variable: whether it is reached from a declared one, and its size where the expression says it."""

    reached: bool
    size: Range | None


def estimate(expression: Expression) -> Range:
    """Return what evaluating a checked expression costs, at least and at most."""
    return _Estimator().visit(expression)


class _Estimator(Walk[Range]):
    def __init__(self) -> None:
        super().__init__()
        self._locals: dict[str, list[_Local]] = {}
        self._sizes: dict[int, Range] = {}

    def _literal(self, _part: Literal) -> Range:
        return ZERO

    def _identifier(self, _part: Identifier) -> Range:
        return ONE

    def _has(self, part: Has) -> Range:
        return self.visit(part.operand)

    def _list(self, part: ListOf) -> Range:
        return self._sum(part.elements).plus(Range(costs.NEW_LIST, costs.NEW_LIST))

    def _map(self, part: MapOf) -> Range:
        inner = [one for entry in part.entries for one in (entry.key, entry.value)]
        return self._sum(inner).plus(Range(costs.NEW_MAP, costs.NEW_MAP))

    def _message(self, part: Message) -> Range:
        values = [entry.value for entry in part.entries]
        return self._sum(values).plus(Range(costs.NEW_MESSAGE, costs.NEW_MESSAGE))

    def _sum(self, parts: list[Expression]) -> Range:
        total = ZERO
        for part in parts:
            total = total.plus(self.visit(part))
        return total

    def _select(self, part: Select) -> Range:
        if part.variable or part.constant is not None:
            return ONE
        operand = self.visit(part.operand)
        counted = part.optional or part.operand.type.kind in _FIELDED
        return operand.plus(ONE) if counted else operand

    def _call(self, part: Call) -> Range:
        total = self._sum(part.arguments)
        if not part.overloads:
            return total
        arguments = [self._sized(argument) for argument in part.arguments]
        found = [
            Estimate(ONE) if overload.estimate is None else overload.estimate(arguments)
            for overload in part.overloads
        ]
        cost, size = found[0]
        for other in found[1:]:
            cost = cost.union(other.cost)
            size = None if size is None or other.size is None else size.union(other.size)
        if part.function == "dyn":
            size = arguments[0].size
        if size is not None:
            self._sizes[id(part)] = size
        return total.plus(cost)

    def _logic(self, part: Logic) -> Range:
        found = [self.visit(operand) for operand in part.operands]
        return Range(found[0].low, min(sum(one.high for one in found), UNBOUNDED))

    def _conditional(self, part: Conditional) -> Range:
        condition = self.visit(part.condition)
        either = self.visit(part.then).union(self.visit(part.otherwise))
        self._sizes[id(part)] = self.size(part.then).union(self.size(part.otherwise))
        return condition.plus(either)

    def _fold(self, part: Fold) -> Range:
        total = self.visit(part.operand)
        names = [part.first] if part.second is None else [part.first, part.second]
        for name, local in zip(names, self._elements(part), strict=True):
            self._locals.setdefault(name, []).append(local)
        condition = ZERO if part.condition is None else self.visit(part.condition)
        result = ZERO if part.result is None else self.visit(part.result)
        for name in names:
            self._locals[name].pop()
        fixed, each = _fold_costs(part, condition, result)
        times = self.size(part.operand)
        if part.type.kind in {Kind.LIST, Kind.MAP}:
            self._sizes[id(part)] = times
        return total.plus(Range(fixed, fixed)).plus(times.times(each))

    def _elements(self, part: Fold) -> list[_Local]:
        """Return what is known of the variables of a macro."""
        reached = self._reached(part.operand)
        size = None if reached else self._element_size(part.operand)
        index = _Local(reached and part.operand.type.kind is Kind.MAP, None)
        value = _Local(reached, size)
        if part.second is None:
            return [value if part.operand.type.kind is not Kind.MAP else index]
        return [index, value]

    def _optional_map(self, part: OptionalMap) -> Range:
        total = self.visit(part.operand).plus(Range(1, 4))
        self._locals.setdefault(part.variable, []).append(_Local(reached=False, size=None))
        result = self.visit(part.result)
        self._locals[part.variable].pop()
        return Range(total.low, total.plus(result).high)

    def _bind(self, part: Bind) -> Range:
        total = self.visit(part.operand)
        local = _Local(self._reached(part.operand), self.size(part.operand))
        self._locals.setdefault(part.variable, []).append(local)
        total = total.plus(self.visit(part.result))
        self._sizes[id(part)] = self.size(part.result)
        self._locals[part.variable].pop()
        return total

    def size(self, part: Expression) -> Range:
        """Return how large a value is."""
        known = self._sizes.get(id(part)) or _written_size(part)
        if known is not None:
            return known
        if isinstance(part, Identifier) and part.type.kind is Kind.TYPE:
            return ZERO
        if self._reached(part) and part.type.max_elements is not None:
            return Range(0, part.type.max_elements)
        local = self._local(part)
        if local is not None and local.size is not None:
            return local.size
        return ONE if part.type.kind in _SCALARS else UNKNOWN

    def _sized(self, part: Expression) -> Sized:
        return Sized(part.type, self.size(part), self._element_size(part))

    def _element_size(self, part: Expression) -> Range:
        """Return how large what is in a value is."""
        if isinstance(part, ListOf) and part.elements:
            sizes = [self.size(element) for element in part.elements]
            return Range(min(one.low for one in sizes), max(one.high for one in sizes))
        if self._reached(part) and part.type.parameters:
            return _bounded(part.type.element)
        if isinstance(part, Fold) and part.kind is FoldKind.FILTER:
            return self._element_size(part.operand)
        return UNKNOWN

    def _local(self, part: Expression) -> _Local | None:
        if not isinstance(part, Identifier):
            return None
        found = self._locals.get(part.name)
        return found[-1] if found else None

    def _reached(self, part: Expression) -> bool:
        """Whether a value is part of a variable's, so that the bounds of its type hold."""
        match part:
            case Identifier():
                local = self._local(part)
                return True if local is None else local.reached
            case Select():
                return bool(part.variable) or (not part.optional and self._reached(part.operand))
            case Call(function="_[_]"):
                return self._reached(part.arguments[0])
        return False


def _written_size(part: Expression) -> Range | None:
    """Return the size of what an expression writes out."""
    match part:
        case Literal():
            exact = costs.size_of(part.value)
        case ListOf():
            exact = len(part.elements)
        case MapOf():
            exact = len(part.entries)
        case _:
            return None
    return Range(exact, exact)


def _bounded(one: Type) -> Range:
    if one.max_elements is not None:
        return Range(0, one.max_elements)
    return ONE if one.kind in _SCALARS else UNKNOWN


def _fold_costs(part: Fold, condition: Range, result: Range) -> tuple[int, Range]:
    """Return what a macro costs once, and what it costs for each element.

    They are those of the loop that cel-spec defines it by: a variable for the result, a condition to go on, a step.
    """
    match part.kind:
        case FoldKind.ALL:
            return 1, Range(3, min(3 + condition.high, UNBOUNDED))
        case FoldKind.EXISTS:
            return 1, Range(4, min(4 + condition.high, UNBOUNDED))
        case FoldKind.EXISTS_ONE:
            return 2, condition.plus(Range(1, 2))
        case FoldKind.FILTER:
            return costs.NEW_LIST + 1, condition.plus(Range(1, 3 + costs.NEW_LIST))
        case FoldKind.MAP | FoldKind.TRANSFORM_LIST:
            once, step = costs.NEW_LIST + 1, Range(2 + costs.NEW_LIST, 2 + costs.NEW_LIST).plus(result)
        case FoldKind.TRANSFORM_MAP:
            once, step = costs.NEW_MAP + 1, Range(3, 3).plus(result)
        case FoldKind.TRANSFORM_MAP_ENTRY:
            once, step = costs.NEW_MAP + 1, Range(2, 2).plus(result)
        case _:
            assert_never(part.kind)
    return once, step if part.condition is None else condition.plus(step.union(ONE))
