"""What holds in every suite: how properties are tried, and that suites without I/O do none."""

from __future__ import annotations

import gc
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.io_guard import Allowed, Watch, watching

_GUARDED = {
    "unit": Allowed.NOTHING,
    "property": Allowed.NOTHING,
    "scenarios": Allowed.OWN_FILES,
    "hollow": Allowed.OWN_FILES,
}
_GARBAGE = 50_000  # objects; after Python's own 700, a fifth of the time of `make quick` is the collector's


def pytest_configure(config: pytest.Config) -> None:
    """Have the profiles there before Hypothesis looks for the one that is asked for; let SIGTERM end a run as Ctrl-C does.

    Ctrl-C, too, ends one that a shell has started in the background: there SIGINT is ignored at first.
    What is collected stays to the end: the garbage collector is not to look at it again and again.
    """
    gc.disable()
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _end_run)
        if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
            signal.signal(signal.SIGINT, signal.default_int_handler)
    if config.getoption("--hypothesis-profile", ""):
        from tests.support.examples import register_profiles

        register_profiles()


def pytest_collection_finish() -> None:
    """Have garbage collected from now on, of what tests make; seldom, since most of it goes by itself."""
    gc.freeze()
    gc.set_threshold(_GARBAGE)
    gc.enable()


def _end_run(*_: object) -> None:
    """End the run with its fixtures torn down: clusters, containers, namespaces and servers go with it."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # once is enough; what is torn down may take its time
    os.kill(os.getpid(), signal.SIGINT)


@pytest.fixture(autouse=True)
def io_guard(request: pytest.FixtureRequest) -> Iterator[Watch | None]:
    """Fail a test that does I/O which its suite does not do."""
    suite = request.path.relative_to(Path(__file__).parent).parts[0]
    if suite not in _GUARDED:
        yield None
        return
    with watching(_GUARDED[suite]) as watch:
        yield watch
