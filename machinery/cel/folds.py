"""The loops of macros.

What a round costs besides its expressions is what a round of the loop costs that cel-spec defines the macro by.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import repeat
from typing import Final, TypeAlias

from machinery.cel import costs
from machinery.cel.budget import Budget
from machinery.cel.code import BUDGET, Code, Frame, Run, constant
from machinery.cel.errors import EvaluationError
from machinery.cel.logic import decided_by
from machinery.cel.syntax import FoldKind
from machinery.cel.values import Value, from_key, no_overload, to_key

Rounds: TypeAlias = Callable[[Frame], Iterator[Value]]


def rounds_of(run: Run, first: int, second: int | None) -> Rounds:
    """Return what goes through a list or map and sets the variables; it yields the element or key of each round."""

    def rounds(frame: Frame) -> Iterator[Value]:
        values = run(frame)
        if isinstance(values, list):
            for index, value in enumerate(values):
                if second is None:
                    frame[first] = value
                else:
                    frame[first], frame[second] = index, value
                yield frame[first]
        elif isinstance(values, Mapping):
            for key in values:
                frame[first] = from_key(key)
                if second is not None:
                    frame[second] = values[key]
                yield frame[first]
        else:
            no_overload(values)

    return rounds


RESULT_COSTS: Final = {FoldKind.EXISTS_ONE: 2}


def folded(kind: FoldKind, rounds: Rounds, condition: Code | None, result: Code | None, first: int) -> Run:
    """Return a macro's loop. What a round costs besides its expressions is what the loop costs that it stands for."""
    if result is None:
        return _tested_fold(kind, rounds, condition or constant(value=True))
    match kind:
        case FoldKind.TRANSFORM_MAP:
            return _transformed(rounds, condition, Code(result.run, result.cost + 3), first)
        case FoldKind.TRANSFORM_MAP_ENTRY:
            return _transformed(rounds, condition, Code(result.run, result.cost + 2), None)
    return _mapped(rounds, condition, Code(result.run, result.cost + 2 + costs.NEW_LIST))


def _tested_fold(kind: FoldKind, rounds: Rounds, condition: Code) -> Run:
    match kind:
        case FoldKind.ALL:
            return _quantified(rounds, Code(condition.run, condition.cost + 3), decision=False)
        case FoldKind.EXISTS:
            return _quantified(rounds, Code(condition.run, condition.cost + 4), decision=True)
        case FoldKind.EXISTS_ONE:
            return _one(rounds, condition)
    return _filtered(rounds, condition)


def _quantified(rounds: Rounds, condition: Code, *, decision: bool) -> Run:
    return decided_by(lambda frame: zip(rounds(frame), repeat(condition)), decision=decision)


def _tested(condition: Code | None) -> Callable[[Frame], bool]:
    """Return the test of a round, which costs its condition and one more if it fails."""
    if condition is None:
        return lambda _: True
    run, cost = condition

    def test(frame: Frame) -> bool:
        budget: Budget = frame[BUDGET]
        budget.spend(cost)
        value = run(frame)
        if value is False:
            budget.spend(1)
        elif value is not True:
            no_overload(value)
        return bool(value)

    return test


def _one(rounds: Rounds, condition: Code) -> Run:
    test = _tested(condition)

    def one(frame: Frame) -> bool:
        count = 0
        for _ in rounds(frame):
            if test(frame):
                frame[BUDGET].spend(2)
                count += 1
        return count == 1

    return one


def _filtered(rounds: Rounds, condition: Code) -> Run:
    test = _tested(condition)

    def filtered(frame: Frame) -> list[Value]:
        made: list[Value] = []
        for value in rounds(frame):
            if test(frame):
                frame[BUDGET].spend(3 + costs.NEW_LIST)
                made.append(value)
        return made

    return filtered


def _mapped(rounds: Rounds, condition: Code | None, result: Code) -> Run:
    test = _tested(condition)
    run, cost = result

    def mapped(frame: Frame) -> list[Value]:
        made: list[Value] = []
        for _ in rounds(frame):
            if test(frame):
                frame[BUDGET].spend(cost)
                made.append(run(frame))
        return made

    return mapped


def _transformed(rounds: Rounds, condition: Code | None, result: Code, key_place: int | None) -> Run:
    """Return the loop that makes a map: of values under the keys of the rounds, or of whole entries."""
    test = _tested(condition)
    run, cost = result

    def transformed(frame: Frame) -> dict[Value, Value]:
        made: dict[Value, Value] = {}
        for _ in rounds(frame):
            if not test(frame):
                continue
            frame[BUDGET].spend(cost)
            key = None if key_place is None else to_key(frame[key_place])
            found = run(frame)
            entries = found if key_place is None else {key: found}
            if made.keys() & entries.keys():
                raise EvaluationError("insert failed: key already exists")
            made.update(entries)
        return made

    return transformed
