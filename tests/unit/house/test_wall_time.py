"""A machine that stands still is no failure of the product: no bound in wall time without `tests.support.stalls`."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.sources import mentioning, tree_of

TESTS = Path(__file__).parents[2]
GUARDS = [
    TESTS / "support" / "stalls.py",
    TESTS / "support" / "sleepers.py",  # looks at the stalls itself, and tries again
]
CLOCKS = {
    "time.monotonic()",
    "time.time()",
    "time.perf_counter()",
    "asyncio.get_running_loop().time()",
    "loop.time()",
    "clock.monotonic_wall()",
}
CLOCK_METHODS = {each.removesuffix("()").rpartition(".")[2] for each in CLOCKS}
WORDS = (
    r"monotonic|perf_counter|\btime\s*\(|\btimeout\b|\bwait_for\b"  # without one of them there is no bound
)
HANG_S = 10  # a wait with a later end is there for a test that hangs, and is no bound
DEADLINES = {"asyncio.timeout": 0, "asyncio.wait_for": 1}  # which argument it is


def _is_reading(node: ast.AST) -> bool:
    is_call = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    return is_call and node.func.attr in CLOCK_METHODS and ast.unparse(node) in CLOCKS


def _is_duration(node: ast.AST) -> bool:
    """Whether it lies between two readings of a wall clock."""
    is_difference = isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub)
    return is_difference and any(map(_is_reading, ast.walk(node)))


def _named(function: ast.AST) -> set[str]:
    """Return the names that a function gives to durations, and to what is made of them."""
    assigned = [node for node in ast.walk(function) if isinstance(node, ast.Assign)]
    of_durations = [node for node in assigned if any(map(_is_duration, ast.walk(node.value)))]
    return {
        name.id
        for node in of_durations
        for target in node.targets
        for name in ast.walk(target)
        if isinstance(name, ast.Name)
    }


def _is_bounded(node: ast.AST, named: set[str]) -> bool:
    return any(
        _is_duration(each) or _is_reading(each) or (isinstance(each, ast.Name) and each.id in named)
        for each in ast.walk(node)
    )


def _is_bound(compare: ast.Compare, named: set[str]) -> bool:
    """Whether a time has to be below something; that it is above is a machine's patience, and no matter."""
    sides = [compare.left, *compare.comparators]
    return any(
        _is_bounded(left if isinstance(order, ast.Lt | ast.LtE) else right, named)
        for left, order, right in zip(sides, compare.ops, sides[1:], strict=False)
        if isinstance(order, ast.Lt | ast.LtE | ast.Gt | ast.GtE)
    )


def _assertions(tree: ast.AST) -> Iterator[ast.Assert]:
    """Yield the assertions, except for those of a loop that looks again and again: the end of its wait."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Assert):
            yield node
        if not isinstance(node, ast.While):
            yield from _assertions(node)


def _bounds(tree: ast.AST) -> Iterator[ast.AST]:
    """Find assertions that a time is below a bound, and functions that return one to be compared elsewhere."""
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if not any(map(_is_reading, ast.walk(function))):
            continue  # nothing in it is, or is made of, a time
        named = _named(function)
        for each in _assertions(function):
            compares = [node for node in ast.walk(each.test) if isinstance(node, ast.Compare)]
            has_guard = "stalls.total_s" in ast.unparse(each)
            if not has_guard and any(_is_bound(compare, named) for compare in compares):
                yield each
        for each in ast.walk(function):
            if isinstance(each, ast.Return) and each.value and _is_duration(each.value):
                yield each


def _deadlines(tree: ast.Module) -> Iterator[ast.Call]:
    """Find waits that end early, by a number or a constant of the module."""
    constants = {
        ast.unparse(target): node.value
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
    }
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        if (place := DEADLINES.get(ast.unparse(node.func))) is not None:
            given = [*node.args[place : place + 1], *(each.value for each in node.keywords)]
            within = constants.get(ast.unparse(given[0]), given[0]) if given else None
            if isinstance(within, ast.Constant) and within.value is not None and within.value < HANG_S:
                yield node


def test_a_bound_in_wall_time_has_a_guard():
    """`taking`, or a `Stalls` whose time is taken off; who waits for the end of a hang waits long enough."""
    found = [
        f"{path.relative_to(TESTS.parent)}:{getattr(node, 'lineno', 0)} {ast.unparse(node)}"
        for path in mentioning(WORDS, "tests")
        if path not in GUARDS
        for tree in [tree_of(path)]
        for node in [*_bounds(tree), *_deadlines(tree)]
    ]
    assert found == []


@pytest.mark.parametrize(
    "breach",
    [
        "assert time.monotonic() - began < 5",
        "assert time.monotonic() < began + 5",
        "assert 5 > time.monotonic() - began",
        "took_s = time.monotonic() - began\n assert 3 <= took_s < 5",
        "share = used / (time.time() - began)\n assert share < 0.6",
        "return time.monotonic() - began",
        "asyncio.timeout(5)",
        "asyncio.wait_for(other(), 0.5)",
        "asyncio.wait_for(other(), timeout=0.5)",
        "asyncio.timeout(SOON_S)",
    ],
)
def test_a_bound_without_a_guard_is_found(breach: str):
    """Given directly, by a name, as a share, by a function's answer, as a deadline."""
    tree = ast.parse(f"SOON_S = 1.0\ndef test():\n {breach}")
    assert re.search(WORDS, breach)
    assert len([*_bounds(tree), *_deadlines(tree)]) == 1


@pytest.mark.parametrize(
    "fine",
    [
        "assert time.monotonic() - began > 5",
        "took_s = time.monotonic() - began\n assert took_s - stalls.total_s < 5",
        "while True:\n  assert time.monotonic() < deadline",
        "asyncio.timeout(15)",
        "asyncio.timeout(None)",
    ],
)
def test_what_is_no_bound_is_let_be(fine: str):
    """A bound from below, one with its guard, the end of a wait that polls, the end of a hang."""
    tree = ast.parse(f"def test():\n {fine}")
    assert [*_bounds(tree), *_deadlines(tree)] == []
