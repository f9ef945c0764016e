"""Imports and makes what components need before they are forked: they start at once and share their memory.

A cluster's start waits for its apiserver, so that one goes first: forked when what all share is imported, it imports the rest
of its own program by itself, while all others are imported here. Of several apiservers, which share that, too, this one imports
it for all.
"""

from __future__ import annotations

import gc
import importlib
from collections.abc import Callable

from kubarium.core.components import Component
from kubarium.core.spec import APISERVER
from kubarium.supervisor.allocator import fill_holes
from kubarium.supervisor.daemon import Daemon

_SHARED = (
    "aiohttp.web",
    "uvloop",
    "msgspec",
    "machinery.process.run",
    "machinery.client.grpc_transport",
)


def import_shared(until: Callable[[], bool] = lambda: False) -> None:
    """Import what all components share, or so much of it as there is time for.

    The collector looks at nothing until all is imported, since what is imported stays.
    """
    gc.disable()
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


def load_and_start(daemon: Daemon, parts: list[Component], meanwhile: Callable[[], None]) -> None:
    """Import the programs and start what can be started: the apiserver, then, after `meanwhile`, all others together.

    The supervisor answers between two imports and between two starts.
    """
    programs = {part.program for part in parts if not part.external}
    first = programs & {APISERVER}
    for group in (first, programs - first):
        import_shared()
        if group is not first or sum(part.program in first for part in parts) > 1:
            for program in sorted(group):
                _import_program(program)
                daemon.attend()
        _leave_as_it_is()
        daemon.processes.loaded |= group
        daemon.start_all_due()
        if daemon.stopping:
            return
        if group is first:
            meanwhile()


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
    app = importlib.import_module(f"{program}.app")
    importlib.import_module(f"{program}.__main__")
    make_shared()
    prepare: Callable[[], None] | None = getattr(
        app, "prepare", None
    )  # where a program makes more than others
    if prepare is not None:
        prepare()


def _leave_as_it_is() -> None:
    """See to it that neither the collector nor the allocator writes to the pages of what is imported."""
    gc.enable()
    gc.collect()
    gc.freeze()
    fill_holes()
