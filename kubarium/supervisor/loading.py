"""Imports and makes what components need before they are forked: they start at once and share their memory."""

from __future__ import annotations

import gc
import importlib
from collections.abc import Callable

from kubarium.core.components import Component
from kubarium.supervisor.allocator import fill_holes
from kubarium.supervisor.daemon import Daemon

_SHARED = (
    "aiohttp.web",
    "uvloop",
    "msgspec",
    "machinery.process.run",
    "machinery.client.grpc_transport",
)
# Who is forked first: what everything waits for; all others from one image of their own, which they share.
_GROUPS = (("apiserver",), ("dockershim", "hollow", "kubelet", "controllers", "scheduler", "proxy", "dns"))


def import_shared(until: Callable[[], bool] = lambda: False) -> None:
    """Import what all components share, or so much of it as there is time for."""
    for module in _SHARED:
        if until():
            return
        importlib.import_module(module)


def make_shared() -> None:
    """Make what each process would else make for itself: how it reads objects, and its command line."""
    from machinery.model import resources
    from machinery.process.config import ComponentConfig, parser_of
    from machinery.wire.objects import decoder_for

    for value in vars(resources).values():
        if isinstance(value, resources.Resource):
            decoder_for(value.type)
    for config_class in ComponentConfig.__subclasses__():
        parser_of(config_class)


def load_and_start(daemon: Daemon, parts: list[Component]) -> None:
    """Import the programs, one group after the other, and start what can be started after each."""
    programs = {part.program for part in parts if not part.external}
    for group in (programs.intersection(names) for names in _GROUPS):
        if not group:
            continue
        for program in sorted(group):
            _import_program(program)
        _leave_as_it_is()
        daemon.processes.loaded |= group
        daemon.processes.start_due()
        daemon.step(0)
        if daemon.stopping:
            return


def ensure_loaded(daemon: Daemon, parts: list[Component]) -> None:
    """Import the programs of parts that come while the cluster runs, where no others like them did before."""
    missing = {part.program for part in parts if not part.external} - daemon.processes.loaded
    if missing:
        for program in sorted(missing):
            _import_program(program)
        _leave_as_it_is()
        daemon.processes.loaded |= missing


def _import_program(program: str) -> None:
    import_shared()
    importlib.import_module(f"{program}.app")
    importlib.import_module(f"{program}.__main__")
    make_shared()


def _leave_as_it_is() -> None:
    """See to it that neither the collector nor the allocator writes to the pages of what is imported."""
    gc.collect()
    gc.freeze()
    fill_holes()
