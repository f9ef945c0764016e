"""Nobody reads a clock but `machinery.process.clock`: what ruff's banned names cannot see, since it is a method."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.sources import ROOT, mentioning, text_of

PACKAGES = (
    "machinery",
    "apiserver",
    "scheduler",
    "controllers",
    "kubelet",
    "dockershim",
    "hollow",
    "proxy",
    "dns",
    "ingress",
    "kubarium",
)
_WORDS = r"\btime\s*\(|\bcall_later\b|\bcall_at\b|\bwait\s*\("  # without one of them nobody asks
_CLOCKS = ("clock", "_clock", "WALL")


def _receiver(call: ast.Call) -> str:
    """The name of what a method is called on: "loop" of `loop.time()` and `self.loop.time()`."""
    assert isinstance(call.func, ast.Attribute)
    value = call.func.value
    if isinstance(value, ast.Call):
        value = value.func
    return getattr(value, "attr", None) or getattr(value, "id", "")


def reads(source: str) -> Iterator[int]:
    """The lines that ask an event loop, or the event loop's waiting, for time."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        name, of = node.func.attr, _receiver(node)
        is_loop = (
            name == "time" and not node.args and of in {"loop", "_loop", "get_running_loop", "get_event_loop"}
        )
        is_timer = name in {"call_later", "call_at"} and of not in _CLOCKS
        is_wait = name == "wait" and of == "asyncio" and any(each.arg == "timeout" for each in node.keywords)
        if is_loop or is_timer or is_wait:
            yield node.lineno


@pytest.mark.parametrize("package", PACKAGES)
def test_no_module_asks_the_event_loop_for_time(package: str) -> None:
    """Every wait and every look goes through a Clock, which a test can replace."""
    found = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in mentioning(_WORDS, package)
        if path.name != "clock.py"
        for line in reads(text_of(path))
    ]
    assert found == []


@pytest.mark.parametrize(
    "line",
    [
        "asyncio.get_running_loop().time()",
        "self._loop.time()",
        "loop.call_later(1, f)",
        "self._loop.call_at(1, f)",
        "asyncio.wait([t], timeout=3)",
    ],
)
def test_the_law_sees_what_it_forbids(line: str) -> None:
    """And leaves the clock itself, and waits without a limit, alone."""
    assert re.search(_WORDS, line)
    assert list(reads(line)) == [1]
    assert list(reads("self._clock.call_later(1, f); WALL.call_later_wall(1, f); asyncio.wait([t])")) == []


MACHINE_TIME = {
    "apiserver/rest/": "clients' sockets",
    "apiserver/services/frames.py": "turns of this process between the parts of a large list",
    "apiserver/storage/": "etcd's socket",
    "apiserver/watch_cache_audience.py": "rests between rounds, which spare sockets",
    "apiserver/watch_cache_watcher.py": "the time that a client gave its watch",
    "kubarium/": "processes, ports and files of this machine; no cluster's time",
    "kubelet/exec_streams.py": "the runtime's socket",
    "kubelet/http_probe.py": "a container's socket",
    "kubelet/log_news.py": "files of this machine",
    "kubelet/logs.py": "files of this machine",
    "kubelet/probes.py": "a container's socket",
    "kubelet/tunnels.py": "the sockets of the runtime and of a container",
    "machinery/process/": "this process and its own socket; the clock itself",
    "proxy/health.py": "clients' sockets",
}
"""Who may ask `WALL` instead of a clock that is handed in, and what it waits for (ADR 0026)."""


def uses_wall(path: Path) -> bool:
    """Whether a module imports the clock of this machine."""
    nodes = (each for each in ast.walk(ast.parse(text_of(path))) if isinstance(each, ast.ImportFrom))
    return any(alias.name == "WALL" for node in nodes for alias in node.names)


def wall_users() -> set[str]:
    """The modules that do, each by its entry in the list, or by its own path."""
    modules = (path for path in mentioning(r"\bWALL\b", *PACKAGES) if uses_wall(path))
    names = [str(path.relative_to(ROOT)) for path in modules]
    return {next((each for each in MACHINE_TIME if name.startswith(each)), name) for name in names}


def test_only_what_waits_for_this_machine_asks_its_clock() -> None:
    """Everything else is handed a clock; the list names nobody who does not need to be on it."""
    assert wall_users() | {"machinery/process/"} == set(MACHINE_TIME)
