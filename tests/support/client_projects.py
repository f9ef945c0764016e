"""Projects of users: their own dependencies, in an environment of their own, made once and kept beside the checkout's tools.

A folder of `tests/clients` with a `pyproject.toml` and a `uv.lock` is one for Python, one with a `package.json` and a
`package-lock.json` one for Node.js.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.requirements import find_uv

ROOT = Path(__file__).resolve().parents[2]
PROJECTS = ROOT / "tests" / "clients"
_KEPT = ROOT / ".tools" / "clients"


@dataclass(frozen=True, slots=True)
class Project:
    """A project that is ready: how its programs are started, and where they are."""

    interpreter: Path
    programs: Path

    def command(self, program: str, *arguments: str) -> list[str]:
        """Return the command line of one of its programs."""
        return [str(self.interpreter), str(self.programs / program), *arguments]

    def tool(self, name: str) -> str:
        """Return the path of a command that its dependencies bring."""
        return str(self.interpreter.parent / name)


def python_project(name: str) -> Project:
    """Return the Python project of that name, its dependencies installed as its lock says.

    Raises:
        AssertionError: they cannot be installed; what uv said is in the error.
    """
    programs = PROJECTS / name
    folder = _folder(name, programs / "uv.lock")
    with _being_made(folder) as missing:
        if missing:
            _install(
                [find_uv() or "uv", "sync", "--frozen", "--quiet", "--no-install-project"],
                programs,
                {"UV_PROJECT_ENVIRONMENT": str(folder), "UV_PYTHON": "3.11"},
            )
    return Project(folder / "bin" / "python", programs)


def node_project(name: str) -> Project:
    """Return the Node.js project of that name, its dependencies installed as its lock says.

    Raises:
        AssertionError: they cannot be installed; what npm said is in the error.
    """
    programs = PROJECTS / name
    folder = _folder(name, programs / "package-lock.json")
    with _being_made(folder) as missing:
        if missing:
            folder.mkdir(parents=True, exist_ok=True)
            for each in ("package.json", "package-lock.json"):
                shutil.copy(programs / each, folder)
            _install(["npm", "ci", "--silent", "--no-audit", "--no-fund"], folder, {})
        for program in programs.glob("*.mjs"):  # a program finds its modules in the folders above it
            shutil.copy(program, folder)
    brought = next(folder.glob("node_modules/node-linux-*/bin/node"), None)  # the machine's may be too old
    return Project(brought or Path(shutil.which("node") or "node"), folder)


def _folder(name: str, lock: Path) -> Path:
    return _KEPT / f"{name}-{hashlib.sha256(lock.read_bytes()).hexdigest()[:12]}"


@contextmanager
def _being_made(folder: Path) -> Iterator[bool]:
    """Hold others off while an environment is made. Yields whether it is missing; notes at the end that it is there."""
    _KEPT.mkdir(parents=True, exist_ok=True)
    done = folder.with_suffix(".done")
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield not done.exists()
        done.touch()


def _install(command: list[str], folder: Path, environment: dict[str, str]) -> None:
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )
    assert done.returncode == 0, f"{' '.join(command)}: {done.stdout}{done.stderr}"
