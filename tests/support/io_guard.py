"""What keeps suites without I/O without it: the interpreter's audit events, watched while such a test runs.

Two strengths: `NOTHING` for unit and property tests, which may read what is installed and no other file, and
`OWN_FILES` for whole components in one process (scenarios, hollow), which may use files but no peer: no socket
that goes anywhere (a unix socket among the files is the test's own), no other process. What is seen raises where it happens, and fails the test even where it is
caught there. The socket pair and the selector of an event loop make no such event.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from types import FrameType
from typing import Any

ROOT = Path(__file__).parents[2]
_READABLE = tuple(
    f"{folder}/" for folder in {str(ROOT), sys.prefix, sys.base_prefix, os.path.realpath(sys.base_prefix)}
)
_OWN = ("/proc/self/", "/dev/null", "/dev/urandom")
_KEEPER = "/hypothesis/database.py"
_PEERS = frozenset({
    "socket.connect", "socket.bind", "socket.sendto", "socket.sendmsg", "socket.getaddrinfo", "socket.gethostbyname",
    "subprocess.Popen", "os.posix_spawn", "os.fork", "os.forkpty", "os.exec", "os.system", "pty.spawn",
})  # fmt: skip
_CHANGES = frozenset({
    "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.link", "os.symlink", "os.truncate", "os.chmod", "os.chown",
    "tempfile.mkstemp", "tempfile.mkdtemp", "shutil.rmtree", "shutil.copyfile", "shutil.move",
})  # fmt: skip
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_TRUNC


class Allowed(Enum):
    """How much a suite may do."""

    NOTHING = "no file but what is installed, no peer"
    OWN_FILES = "files, but no peer"


class IoInTestError(AssertionError):
    """A test did what its suite does not do."""


@dataclass
class Watch:
    """One test under watch, and what it did that it may not."""

    allowed: Allowed
    caught: list[str] = field(default_factory=list)

    def see(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Look at an audit event.

        Raises:
            IoInTestError: it is I/O that is not allowed.
        """
        if not self._is_forbidden(event, arguments):
            return
        what = f"{event}{arguments[:1]}"
        self.caught.append(what)
        raise IoInTestError(f"this suite allows {self.allowed.value}: {what}")

    def _is_forbidden(self, event: str, arguments: tuple[Any, ...]) -> bool:
        if event in _PEERS:
            return self.allowed is Allowed.NOTHING or not _is_unix_socket(arguments)
        if self.allowed is Allowed.OWN_FILES:
            return False
        is_foreign = (
            not _is_own(arguments) if event in _CHANGES else event == "open" and _is_foreign(*arguments)
        )
        return is_foreign and not _is_kept_by_hypothesis()


def _is_unix_socket(arguments: tuple[Any, ...]) -> bool:
    return any(getattr(each, "family", None) == socket.AF_UNIX for each in arguments[:1])


def _is_foreign(path: object, mode: object, flags: int) -> bool:
    if not isinstance(path, str | bytes | os.PathLike):
        return False  # a descriptor that is open already
    name = os.path.abspath(os.fsdecode(path))  # noqa: PTH100 - a hook of every open
    if name.startswith(_OWN):
        return False
    if flags & _WRITES:
        return ".hypothesis" not in name and "__pycache__" not in name
    return not name.startswith(_READABLE)


def _is_own(arguments: tuple[Any, ...]) -> bool:
    """Whether it is Hypothesis' own folder, or the interpreter that keeps byte code."""
    name = str(arguments[0])
    return ".hypothesis" in name or "__pycache__" in name


def _is_kept_by_hypothesis() -> bool:
    """Whether an example that failed is being kept: it is written elsewhere first. If that failed, the example would be lost."""
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        if frame.f_code.co_filename.endswith(_KEEPER):
            return True
        frame = frame.f_back
    return False


_watching: list[Watch] = []
_hooked: list[bool] = []


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if _watching:
        _watching[-1].see(event, arguments)


@contextmanager
def watching(allowed: Allowed) -> Iterator[Watch]:
    """Watch until the end of the context.

    Raises:
        IoInTestError: at the end, if anything was caught and not taken out of `caught`.
    """
    if not _hooked:  # an audit hook stays for the life of the interpreter
        sys.addaudithook(_hook)
        _hooked.append(True)
    watch = Watch(allowed)
    _watching.append(watch)
    try:
        yield watch
    finally:
        _watching.remove(watch)
    if watch.caught:
        raise IoInTestError(f"this suite allows {allowed.value}: {'; '.join(watch.caught)}")
