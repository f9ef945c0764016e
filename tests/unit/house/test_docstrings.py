"""What docstrings have to say: plain words, and what a caller may have to handle."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TypeAlias

import pytest

from tests.support.sources import ROOT, is_generated, mentioning, text_of, tree_of

PRODUCT = (
    "machinery",
    "apiserver",
    "scheduler",
    "controllers",
    "kubelet",
    "dockershim",
    "hollow",
    "hollownodes",
    "proxy",
    "dns",
    "ingress",
    "kubarium",
    "benchmarks",
    "tools",
)
OPENINGS = ("Let ", "Tell ", "Take ", "Give ")
PHRASES = ("Tell whether", "but for ", "none of ours")
UNPLAIN = "|".join(
    (
        *(rf"[\"']\s*{opening}" for opening in OPENINGS),
        *(re.sub(" ", r"\\s+", phrase) for phrase in PHRASES),
    )
)
"""Who has none of these words has no docstring with them."""
MISTAKES = {"AssertionError", "NotImplementedError", "TypeError", "StopAsyncIteration", "CancelledError"}
"""What only a mistake in our own code raises, or the protocol of the language; nobody handles it."""

_Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef


def modules(package: str, words: str) -> Iterator[Path]:
    """The modules of a package with certain words, without generated ones."""
    return (path for path in mentioning(words, package) if not is_generated(path))


def documented(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Every docstring with its line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            text = ast.get_docstring(node)
            if text:
                yield getattr(node, "lineno", 1), text


def unplain(source: str) -> list[int]:
    """The lines of docstrings that are not in plain technical English, as far as their words show it."""
    return [
        line
        for line, text in documented(ast.parse(source))
        if text.startswith(OPENINGS) or any(phrase in " ".join(text.split()) for phrase in PHRASES)
    ]


class Raising:
    """Which public functions of a module raise something, themselves or through its private functions."""

    def __init__(self, tree: ast.Module) -> None:
        self._public: list[tuple[str, _Function]] = []
        self._by_name: dict[tuple[str, str], _Function] = {}  # (class or "", name)
        for owner, function in self._functions(tree):
            self._by_name[owner, function.name] = function
            if not function.name.startswith("_") and not owner.startswith("_"):
                self._public.append((owner, function))
        self._say_so = {  # classes of which every method raises the same
            node.name
            for node in tree.body
            if isinstance(node, ast.ClassDef) and "Raises:" in (ast.get_docstring(node) or "")
        }
        self._of = cache(self._raises)

    def undocumented(self) -> Iterator[_Function]:
        """Public functions without a `Raises:` that they need, their own or one of their class for all its methods."""
        for owner, function in self._public:
            text = ast.get_docstring(function) or ""
            says_so = "Raises:" in text or text.startswith("Raise ") or "never raises" in text
            if not (says_so or owner in self._say_so) and self._of(owner, function.name):
                yield function

    @staticmethod
    def _functions(tree: ast.Module) -> Iterator[tuple[str, _Function]]:
        for node in tree.body:
            if isinstance(node, _Function):
                yield "", node
            elif isinstance(node, ast.ClassDef):
                yield from ((node.name, each) for each in node.body if isinstance(each, _Function))

    def _raises(self, owner: str, name: str, seen: frozenset[tuple[str, str]] = frozenset()) -> bool:
        if (owner, name) not in self._by_name or (owner, name) in seen:
            return False
        return any(
            self._comes_out(owner, each, seen | {(owner, name)}) for each in self._by_name[owner, name].body
        )

    def _comes_out(self, owner: str, node: ast.AST, seen: frozenset[tuple[str, str]]) -> bool:
        """Whether an exception leaves a statement; one inside a `try` that has handlers may be handled there."""
        match node:
            case (
                ast.FunctionDef()
                | ast.AsyncFunctionDef()
                | ast.Lambda()
                | ast.ClassDef()
                | ast.Raise(exc=None)
            ):
                return False
            case ast.Raise(exc=error):
                return _named(error) not in MISTAKES
            case ast.Try(handlers=handlers) if handlers:
                rest = [
                    *node.orelse,
                    *node.finalbody,
                    *(each for handler in handlers for each in handler.body),
                ]
                return any(self._comes_out(owner, each, seen) for each in rest)
            case ast.Call(func=ast.Name(id=name)) if name.startswith("_"):
                called = self._raises("", name, seen)
            case ast.Call(func=ast.Attribute(value=ast.Name(id="self"), attr=name)) if name.startswith("_"):
                called = self._raises(owner, name, seen)
            case _:
                called = False
        return called or any(self._comes_out(owner, each, seen) for each in ast.iter_child_nodes(node))


def _named(error: ast.expr) -> str:
    target = error.func if isinstance(error, ast.Call) else error
    return getattr(target, "attr", None) or getattr(target, "id", "")


@pytest.mark.parametrize("package", [*PRODUCT, "tests", "examples"])
def test_docstrings_are_in_plain_english(package: str):
    """Return, Whether, Raise: what a function does, not what it is asked to give or tell."""
    found = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in modules(package, UNPLAIN)
        for line in unplain(text_of(path))
    ]
    assert found == []


@pytest.mark.parametrize("package", PRODUCT)
def test_who_raises_says_so(package: str):
    """Itself or through a private function of its module; what a function calls elsewhere is documented there."""
    found = [
        f"{path.relative_to(ROOT)}:{each.lineno} {each.name}"
        for path in modules(package, r"\braise\b")
        for each in Raising(tree_of(path)).undocumented()
    ]
    assert found == []


CASES = """
def direct():
    raise ValueError("no")

def through():
    return _private()

def handled():
    try:
        _private()
    except ValueError:
        return None

def told():
    \"\"\"Raises: ValueError: no.\"\"\"
    _private()

def again():
    try:
        _private()
    except ValueError as error:
        raise KeyError from error

def mistake():
    raise TypeError

def _private():
    raise ValueError

class Some:
    def method(self):
        self._own()

    def _own(self):
        _private()
"""


def test_the_rules_find_what_they_are_there_for():
    """A rule that finds nothing in a bad example would pass over a bad tree."""
    assert [each.name for each in Raising(ast.parse(CASES)).undocumented()] == [
        "direct",
        "through",
        "again",
        "method",
    ]
    first, second = 'def f():\n    """Give it."""\n', 'def g():\n    """All\n    but\n    for one."""\n'
    assert re.search(UNPLAIN, first)
    assert re.search(UNPLAIN, second)
    assert unplain(first + second) == [1, 3]
