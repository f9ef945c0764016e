"""Where Python finds this project's programs, whatever else is installed.

Programs are packages with short names (`proxy`, `scheduler`…), which others have, too. In a checkout their folders
stand beside this one. An installation has them inside it, in `_components`, where they meet nobody. A process that
runs programs puts that folder first; a process of the user's does not, since `import scheduler` may mean another one
there. The handle itself needs `kubarium` and `machinery` alone.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

from kubarium.errors import KubariumError

_HERE = Path(__file__).parent
PROGRAMS = (
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
)


def programs_folder() -> Path:
    """Return the folder that has the programs' packages."""
    installed = _HERE / "_components"
    return installed if installed.is_dir() else _HERE.parent


def put_programs_first() -> None:
    """Put the programs before all others of their names, for this process and those that are forked from it."""
    sys.path.insert(0, str(programs_folder()))


def check(*, names: Iterable[str] = (*PROGRAMS, "machinery")) -> None:
    """Check that packages of these names are ours.

    Raises:
        KubariumError: one is not, or is missing; the message names the file.
    """
    for name in names:
        ours = (_HERE.parent if name == "machinery" else programs_folder()) / name / "__init__.py"
        found = _file_of(name)
        if found is None or found.resolve() != ours.resolve():
            raise KubariumError(
                f"`import {name}` means {found or 'nothing'} here, not {ours}: take what brings it out of this "
                f"environment, or off PYTHONPATH, or install kubarium into an environment of its own"
            )


def _file_of(name: str) -> Path | None:
    """Return the file that an import of a package reads, or has read."""
    try:
        spec = find_spec(name)
    except ValueError:  # a module that somebody made by hand
        return None
    return Path(spec.origin) if spec is not None and spec.origin else None
