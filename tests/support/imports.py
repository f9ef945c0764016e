"""Imports every module of the product and of the tests, and prints what I/O they do by that; run as a process.

What foreign libraries do at import is theirs: those that do any are imported before.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

from tests.support.io_guard import Allowed, IoInTestError, watching

ROOT = Path(__file__).parents[2]
NAMESPACES = ("tests", "tools", "examples")
FOREIGN = (
    "aiohttp.web",  # reads which types of files there are
    "docker",  # through urllib3, which tries whether it can bind an IPv6 address
    "psutil",  # looks at /proc
)


def modules(root: Path) -> Iterator[str]:
    """Yield the names of all modules in the repository's packages, except for those that run something.

    Projects with environments of their own (`tests/clients`) are others' users, whose libraries are not here.
    """
    apart = {each.parent for each in root.glob("*/*/*/pyproject.toml")}
    packages = {each.parent for each in root.glob("*/__init__.py")} | {root / each for each in NAMESPACES}
    for package in sorted(packages):
        for path in sorted(package.rglob("*.py")):
            if path.name != "__main__.py" and path.parent not in apart:
                name = ".".join(path.relative_to(root).with_suffix("").parts)
                yield name.removesuffix(".__init__")


def does_at_import(name: str) -> str:
    """Return what I/O the import of a module does; nothing where it does none."""
    try:
        with watching(Allowed.NOTHING):
            import_module(name)
    except IoInTestError as error:
        return f"{name}: {error}"
    return ""


def main() -> None:
    """Print how many modules there are, and a line for each that does something."""
    sys.path[:0] = [str(ROOT), str(ROOT / "tools")]
    for name in FOREIGN:
        import_module(name)
    names = list(modules(ROOT))
    print(len(names))
    for told in filter(None, map(does_at_import, names)):
        print(told)


if __name__ == "__main__":
    main()
