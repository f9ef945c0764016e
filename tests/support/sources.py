"""The repository's Python files, for the rules that read them: each is read once in a process.

A rule that can only be broken by somebody who uses certain words looks at the files with these words (`mentioning`), and
parses nothing else.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]


@cache
def python_files(folder: str) -> tuple[Path, ...]:
    """Return the modules below a folder of the repository, sorted."""
    return tuple(sorted((ROOT / folder).rglob("*.py")))


@cache
def text_of(path: Path) -> str:
    """Return what a module says."""
    return path.read_text(encoding="utf-8")


def tree_of(path: Path) -> ast.Module:
    """Return a module's syntax tree; it is not kept, since tests that look at all objects would look at it."""
    return ast.parse(text_of(path))


def mentioning(words: str, *folders: str) -> Iterator[Path]:
    """Yield the modules below folders whose text a regular expression finds something in."""
    pattern = re.compile(words)
    for folder in folders:
        yield from (path for path in python_files(folder) if pattern.search(text_of(path)))


def is_generated(path: Path) -> bool:
    """Whether a module says at its top that a program wrote it."""
    return "Written by" in text_of(path)[:400]
