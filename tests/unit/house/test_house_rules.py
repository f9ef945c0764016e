"""What the linter cannot say of tests: read from their syntax trees."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import TypeGuard

from tests.support.sources import mentioning, tree_of

TESTS = Path(__file__).parents[2]
SUPPORT = "tests.support"
SKIPS = {"pytest.skip", "pytest.importorskip", "pytest.mark.skip", "pytest.mark.skipif", "pytest.mark.xfail"}
SKIP_NAMES = {each.rpartition(".")[2] for each in SKIPS}
SKIPS_DOOR = TESTS / "support" / "requirements.py"


def _trees(words: str) -> Iterator[tuple[Path, ast.Module]]:
    return ((path, tree_of(path)) for path in mentioning(words, "tests"))


def _where(path: Path, node: ast.AST) -> str:
    return f"{path.relative_to(TESTS.parent)}:{getattr(node, 'lineno', 0)}"


def _imported(tree: ast.Module) -> Iterator[tuple[ast.AST, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node, node.module or ""


def test_tests_import_no_tests():
    """What two suites need stands in `tests.support`, which knows no suite."""
    found = [
        f"{_where(path, node)} {module}"
        for path, tree in _trees(r"\btests\b(?!\.support)")
        for node, module in _imported(tree)
        if module.split(".")[0] == "tests" and not module.startswith(SUPPORT)
    ]
    assert found == []


def test_there_is_one_door_for_skips():
    """`need` knows what has to be there in CI; a skip beside it would be one that CI does not notice."""
    found = [
        f"{_where(path, node)} {ast.unparse(node)}"
        for path, tree in _trees(rf"\b({'|'.join(SKIP_NAMES)})\b")
        if path != SKIPS_DOOR
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr in SKIP_NAMES and ast.unparse(node) in SKIPS
    ]
    assert found == []


def test_a_property_says_how_often_it_is_tried():
    """With `examples`, which `make quick` can lower, and without a limit of time for each example."""
    found = [
        f"{_where(path, node)} {node.name}"
        for path, tree in _trees(r"@given\b")
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for names in [[ast.unparse(each).split("(")[0] for each in node.decorator_list]]
        if "given" in names and "examples" not in names
    ]
    assert found == []


def _is_sleep(node: ast.AST) -> TypeGuard[ast.Call]:
    is_call = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    return is_call and node.func.attr == "sleep" and ast.unparse(node.func) in {"asyncio.sleep", "time.sleep"}


def _sleeps(tree: ast.AST, *, polls: bool = False) -> Iterator[ast.Call]:
    """Find the calls that sleep for a time, except for those of a loop that looks again and again."""
    for node in ast.iter_child_nodes(tree):
        within = polls or isinstance(node, ast.While)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            within = False
        if not polls and _is_sleep(node) and ast.unparse(node.args[0]) != "0":
            yield node
        yield from _sleeps(node, polls=within)


def test_nobody_sleeps_a_fixed_time():
    """What can be observed is waited for; the other two reasons have names (`tests.support.waiting`)."""
    found = [
        f"{_where(path, node)} {ast.unparse(node)}"
        for path, tree in _trees(r"\bsleep\b")
        if path != TESTS / "support" / "waiting.py"
        for node in _sleeps(tree)
    ]
    assert found == []


def test_the_rules_find_what_they_are_there_for():
    """Each is shown a breach of it."""
    breach = ast.parse("async def test():\n    await asyncio.sleep(0.1)")
    assert len(list(_sleeps(breach))) == 1
    poll = ast.parse("async def test():\n    while not seen():\n        await asyncio.sleep(0.1)")
    assert not list(_sleeps(poll))
