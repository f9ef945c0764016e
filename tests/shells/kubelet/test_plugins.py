"""Plugins that register at the kubelet, by sockets in its folder."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from kubelet.plugins import Plugin, PluginRefused, PluginRegistry
from machinery.process.clock import WALL
from tests.support.plugins import Registrar, serving
from tests.support.waiting import until


@pytest.fixture
def root() -> Iterator[Path]:
    """Return a folder whose sockets have short paths: the kernel takes 107 characters."""
    with tempfile.TemporaryDirectory(prefix="kb-", dir="/tmp") as folder:
        yield Path(folder)


class Handler:
    """Takes what it is given, except for what it should refuse."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, Plugin]] = []
        self.bad_version = ""
        self.failures = 0

    def check(self, plugin: Plugin) -> None:
        """Refuse one version."""
        if self.bad_version in plugin.versions:
            raise PluginRefused(f"version {self.bad_version} will not do")

    async def registered(self, plugin: Plugin) -> None:
        """Note it, after some failures."""
        if self.failures:
            self.failures -= 1
            raise PluginRefused("not now")
        self.calls.append(("registered", plugin))

    async def deregistered(self, plugin: Plugin) -> None:
        """Note it."""
        self.calls.append(("deregistered", plugin))

    async def until_called(self, *names: str) -> None:
        """Wait for these calls."""
        await until(lambda: len(self.calls) >= len(names), what=f"{names}, not {self.calls}")
        assert [name for name, _ in self.calls] == list(names)


@asynccontextmanager
async def registry(root: Path, handler: Handler) -> AsyncIterator[Path]:
    """Run a registry; return its folder."""
    running = asyncio.ensure_future(PluginRegistry(root, {"CSIPlugin": handler}, WALL).run())
    folder = root / "plugins_registry"
    await until(folder.is_dir)
    try:
        yield folder
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def registrar(**info: object) -> Registrar:
    """Return the registrar of a CSI driver."""
    return Registrar({"type": "CSIPlugin", "name": "x.example.com", "supported_versions": ["1.0.0"], **info})


@pytest.mark.parametrize("place", ["x.sock", "x.example.com/reg.sock"])
async def test_a_plugin_registers_and_goes_with_its_socket(root: Path, place: str):
    """Its handler has what it said of itself; a socket that is made anew is another course, after the first."""
    handler, plugin = Handler(), registrar(endpoint="/var/lib/kubelet/plugins/x/csi.sock")
    async with registry(root, handler) as folder:
        async with serving(folder / place, plugin.handlers()):
            await plugin.until_told((True, ""))
        await handler.until_called("registered", "deregistered")
        async with serving(folder / place, plugin.handlers()):
            await plugin.until_told((True, ""), (True, ""))
            await handler.until_called("registered", "deregistered", "registered")
    socket = str(folder / place)
    assert handler.calls[0][1] == Plugin(
        "CSIPlugin", "x.example.com", "/var/lib/kubelet/plugins/x/csi.sock", ("1.0.0",), socket
    )


async def test_what_was_there_before_the_kubelet_registers_and_names_no_endpoint(root: Path):
    """Its endpoint is then the socket itself; a file, a name with a dot and a dead socket disturb nobody."""
    handler, plugin, folder = Handler(), registrar(), root / "plugins_registry"
    async with AsyncExitStack() as stack:
        hidden = registrar()
        await stack.enter_async_context(serving(folder / "x.sock", plugin.handlers()))
        await stack.enter_async_context(serving(folder / ".x.sock", hidden.handlers()))
        (folder / "file").touch()
        async with registry(root, handler):
            await plugin.until_told((True, ""))
            assert handler.calls[0][1].endpoint == str(folder / "x.sock")
            assert not hidden.told


async def test_a_plugin_that_is_refused_is_told_why_and_asked_again(root: Path):
    """A type that nobody takes, a check that fails, a failure that passes."""
    handler = Handler()
    handler.bad_version, handler.failures = "0.3.0", 1
    strange, old, slow = registrar(type="Strange"), registrar(supported_versions=["0.3.0"]), registrar()
    async with registry(root, handler) as folder, AsyncExitStack() as stack:
        for name, plugin in (("a", strange), ("b", old), ("c", slow)):
            await stack.enter_async_context(serving(folder / name, plugin.handlers()))
        await until(lambda: strange.told and old.told)
        error = "RegisterPlugin error -- "
        assert strange.told[0] == (
            False,
            f"{error}no handler registered for plugin type: Strange at socket {folder}/a",
        )
        assert old.told[0] == (
            False,
            f"{error}plugin validation failed with err: version 0.3.0 will not do",
        )
        await slow.until_told((False, f"{error}plugin registration failed with err: not now"), (True, ""))
