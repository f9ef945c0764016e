"""Imports what components need before they are forked, so that they start at once and share their memory."""

from __future__ import annotations

import gc
import importlib
from collections.abc import Callable

from kubarium.core.components import Component
from kubarium.supervisor.daemon import Daemon

_SHARED = (
    "machinery",  # before grpc, to which it says how forks are done here
    "grpc.aio",
    "aiohttp.web",
    "uvloop",
    "msgspec",
    "machinery.process.run",
    "machinery.client.grpc_transport",
)
# Who is forked first: what the nodes' readiness waits for, then what the first pod needs.
_ORDER = ("apiserver", "dockershim", "hollow", "kubelet", "controllers", "scheduler", "proxy")


def import_shared(until: Callable[[], bool] = lambda: False) -> None:
    """Import what all components share, or so much of it as there is time for."""
    for module in _SHARED:
        if until():
            return
        importlib.import_module(module)


def load_and_start(daemon: Daemon, parts: list[Component]) -> None:
    """Import the programs one after the other, and start what can be started after each."""
    programs = {part.program for part in parts if not part.external}
    for program in (name for name in _ORDER if name in programs):
        _import_program(program)
        daemon.processes.loaded.add(program)
        daemon.processes.start_due()
        daemon.step(0)
        if daemon.stopping:
            return


def _import_program(program: str) -> None:
    import_shared()
    importlib.import_module(f"{program}.app")
    importlib.import_module(f"{program}.__main__")
    gc.collect()
    gc.freeze()
