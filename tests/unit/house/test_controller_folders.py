"""Each controller is a folder by itself: only the table knows which there are."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from controllers.table import CONTROLLERS

ROOT = Path(__file__).parents[3] / "controllers"
FOLDERS = sorted(path.parent.name for path in ROOT.glob("*/__init__.py") if path.parent.name != "core")


def imported(path: Path) -> Iterator[str]:
    """Name what a module imports, "package.module" or "package.name"."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def folders_of(paths: Iterator[Path]) -> dict[str, set[str]]:
    """Return which controllers' folders each file imports from."""
    found = {}
    for path in paths:
        parts = (name.split(".") for name in imported(path))
        named = {part[1] for part in parts if part[0] == "controllers" and len(part) > 1}
        found[str(path.relative_to(ROOT))] = named & {*FOLDERS}
    return found


def test_the_table_lists_every_folder() -> None:
    """And nothing else."""
    assert len(FOLDERS) >= 10
    assert sorted(build.__module__.split(".")[1] for build in CONTROLLERS) == FOLDERS


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_controller_imports_no_other(folder: str) -> None:
    """What two need goes down into `controllers.core`."""
    others = {name: used - {folder} for name, used in folders_of((ROOT / folder).rglob("*.py")).items()}
    assert {name: used for name, used in others.items() if used} == {}


def test_only_the_table_imports_controllers() -> None:
    """What is generic does not know them."""
    generic = folders_of(path for path in (*ROOT.glob("*.py"), *(ROOT / "core").rglob("*.py")))
    assert {name for name, used in generic.items() if used} == {"table.py"}
