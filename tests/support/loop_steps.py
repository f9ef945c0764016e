"""How long the event loop is kept by one step, in CPU of its own thread: a busy machine makes no step longer.

A machine that is slower makes its bound longer (`yardstick`).

A step is one callback of the loop, or one turn of a task: nothing else runs on the loop meanwhile, neither a lease nor a
health check. What a test does on the loop itself may be left out.
"""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.support.yardstick import times_slower

BOUND_S = 0.1


class Steps:
    """The longest step so far."""

    def __init__(self) -> None:
        self.longest_s = 0.0
        self.where = ""
        self._apart_s = 0.0

    def forget(self) -> None:
        """Begin again."""
        self.longest_s, self.where = 0.0, ""

    @contextmanager
    def apart(self) -> Iterator[None]:
        """Leave a block out: it is the test's own. What is measured within it (`step`) is not left out."""
        began, before_s = time.thread_time(), self._apart_s
        try:
            yield
        finally:
            self._apart_s = before_s + time.thread_time() - began

    @contextmanager
    def step(self, what: Any) -> Iterator[None]:
        """Count a block as a step of the loop."""
        began, before_s = time.thread_time(), self._apart_s
        try:
            yield
        finally:
            used_s = time.thread_time() - began - (self._apart_s - before_s)
            if used_s > self.longest_s:
                self.longest_s, self.where = used_s, repr(what)[:500]

    def check(self, what: object) -> None:
        """Check that no step since the last look was long.

        Raises:
            AssertionError: one was.
        """
        longest_s, where = self.longest_s, self.where
        self.forget()
        if longest_s >= BOUND_S:  # perhaps of a slower machine
            slower = times_slower()
            text = f"{what!r:.300} kept the loop for {longest_s:.3f} s of CPU in {where}; {slower:.1f} times slower"
            assert longest_s < BOUND_S * slower, text


@contextmanager
def measured_steps(monkeypatch: pytest.MonkeyPatch) -> Iterator[Steps]:
    """Measure every step of asyncio's own event loop; what is there already is no matter of the garbage collector."""
    steps, run = Steps(), asyncio.Handle._run

    def running(handle: asyncio.Handle) -> None:
        with steps.step(handle):
            run(handle)

    gc.collect()
    gc.freeze()  # as in a component's process, which is forked from one that has imported all; it stays so, see conftest
    with monkeypatch.context() as patches:
        patches.setattr(asyncio.Handle, "_run", running)
        yield steps
