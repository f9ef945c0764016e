"""The guard of the suites without I/O sees I/O."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis.database import DirectoryBasedExampleDatabase

from tests.support.io_guard import ROOT, Allowed, IoInTestError, watching


def _connect() -> None:
    with socket.socket() as client:
        client.connect(("127.0.0.1", 1))


def _listen() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))


PEERS: dict[str, Callable[[], object]] = {
    "connect": _connect,
    "listen": _listen,
    "resolve": lambda: socket.getaddrinfo("localhost", 1),
    "run": lambda: subprocess.run(["true"], check=True),
    "fork": os.fork,
    "shell": lambda: os.system("true"),
}
FILES: dict[str, Callable[[], object]] = {
    "write": lambda: Path("/nowhere/file").write_text("x"),
    "write here": lambda: Path(f"{__file__}.new").write_text("x"),
    "read": lambda: Path("/etc/hostname").read_text(),
    "folder": lambda: Path("/nowhere").mkdir(),
    "remove": lambda: Path("/nowhere").unlink(),
    "temporary": tempfile.mkdtemp,
}


@pytest.mark.parametrize("does", [*PEERS.values(), *FILES.values()], ids=[*PEERS, *FILES])
def test_a_suite_without_io_does_none(does: Callable[[], object]):
    """It raises where it happens, so that nothing is done; `false alarms` would be errors of another type."""
    with pytest.raises(IoInTestError), watching(Allowed.NOTHING):
        does()


@pytest.mark.parametrize("does", PEERS.values(), ids=PEERS)
def test_components_in_one_process_meet_no_peer(does: Callable[[], object]):
    """Not even where files are allowed."""
    with pytest.raises(IoInTestError), watching(Allowed.OWN_FILES):
        does()


def _listen_on_unix() -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("/nowhere/socket")


def test_a_unix_socket_is_one_of_a_suite_s_own_files():
    """Where files are allowed, and nowhere else; this one cannot be made."""
    with pytest.raises(FileNotFoundError), watching(Allowed.OWN_FILES):
        _listen_on_unix()
    with pytest.raises(IoInTestError), watching(Allowed.NOTHING):
        _listen_on_unix()


def test_what_is_caught_by_the_product_fails_the_test_all_the_same():
    """A refusal that somebody swallows is told at the end."""
    with pytest.raises(IoInTestError, match="connect"), watching(Allowed.NOTHING), suppress(AssertionError):
        _connect()


def test_an_event_loop_and_what_is_installed_are_no_io():
    """A loop has a socket pair of its own; modules are read."""
    with watching(Allowed.NOTHING):
        asyncio.run(asyncio.sleep(0))
        Path(__file__).read_text()


def test_an_example_that_failed_is_kept():
    """Hypothesis writes it to a temporary file of its own; else it would be lost, and the failure with it."""
    kept = DirectoryBasedExampleDatabase(ROOT / ".hypothesis" / "guard")
    with watching(Allowed.NOTHING):
        kept.save(b"property", b"example")
    assert list(kept.fetch(b"property")) == [b"example"]
    kept.delete(b"property", b"example")
