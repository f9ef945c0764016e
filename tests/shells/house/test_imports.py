"""Nothing runs at import: no module of the product or of the tests opens, connects or starts anything by it."""

from __future__ import annotations

import subprocess
import sys
from importlib.abc import InspectLoader
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_loader
from types import ModuleType
from typing import Any

import pytest

from tests.support.imports import does_at_import

MODULES = 800  # about as many as there are; fewer would mean that they are not found
BUSY = {
    "reads": ("open('/etc/hostname').read()", "open"),
    "starts": ("import subprocess\nsubprocess.run(['true'])", "subprocess.Popen"),
    "listens": (
        "import socket\nwith socket.socket() as server:\n server.bind(('127.0.0.1', 0))",
        "socket.bind",
    ),
}


class _Loader(InspectLoader):
    """Finds one module, whose text is in memory."""

    def __init__(self, name: str, text: str) -> None:
        self.name, self.text = name, text

    def find_spec(self, fullname: str, *_: Any) -> ModuleSpec | None:
        return spec_from_loader(fullname, self) if fullname == self.name else None

    def get_source(self, fullname: str) -> str:
        return self.text

    def exec_module(self, module: ModuleType) -> None:
        exec(self.text, vars(module))


def test_no_module_does_io_when_it_is_imported():
    """A module that did would do it in every process, and in every run of a test that does not need it."""
    command = [sys.executable, "-m", "tests.support.imports"]
    number, *found = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert int(number) >= MODULES
    assert found == []


@pytest.mark.parametrize("way", BUSY)
def test_a_module_that_does_io_is_found(monkeypatch: pytest.MonkeyPatch, way: str):
    """A file that is read, a process that is started, a port that is bound."""
    text, event = BUSY[way]
    monkeypatch.setattr(sys, "meta_path", [_Loader(f"busy_{way}", text), *sys.meta_path])
    assert event in does_at_import(f"busy_{way}")


def test_a_module_that_does_nothing_is_let_be(monkeypatch: pytest.MonkeyPatch):
    """It may calculate."""
    monkeypatch.setattr(sys, "meta_path", [_Loader("idle_module", "TABLE = [1] * 3"), *sys.meta_path])
    assert does_at_import("idle_module") == ""
