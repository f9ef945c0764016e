"""Ends a plugin that takes too long, so that the process goes on: it keeps its lease, and decides on the next pod.

Decisions are made in the main thread, one at a time, and a plugin is called, not awaited. A timer of the operating system sends a
signal, whose handler raises TooSlow where the plugin is, and nowhere else: what comes between two calls of plugins is never cut off. It
reaches what is written in Python, and waits of the operating system; a library that computes for long without returning to Python
is not reached.
"""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any, Final

from scheduler.core.guarded import Guarded, TooSlow

_NEVER: Final = (0.0, 0.0)
_AGAIN_S: Final = 0.1  # wall seconds, after which one that went on all the same is interrupted again
_CALL: Final = Guarded.ask.__code__


class PluginTime:
    """A block in which plugins are called may take `within_s` wall seconds. A block inside of another one is a part of that."""

    def __init__(self, within_s: float) -> None:
        self._within_s = within_s
        self._depth = 0
        self._before: tuple[Any, tuple[float, float]] = (None, _NEVER)

    def __call__(self) -> PluginTime:
        """Return the block."""
        return self

    def __enter__(self) -> None:
        """Begin to count, once."""
        self._depth += 1
        if self._depth == 1 and threading.current_thread() is threading.main_thread():
            handler = signal.signal(signal.SIGALRM, self._raise)
            self._before = handler, signal.setitimer(signal.ITIMER_REAL, self._within_s, _AGAIN_S)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop counting; who had a timer before has it again."""
        self._depth -= 1
        if self._depth == 0 and (before := self._before)[0] is not None:
            self._before = None, _NEVER
            signal.setitimer(signal.ITIMER_REAL, 0.0)
            handler, timer = before
            signal.signal(signal.SIGALRM, handler)
            signal.setitimer(signal.ITIMER_REAL, *timer)

    def _raise(self, _number: int, frame: FrameType | None) -> None:
        caller = frame.f_back if frame else None
        while caller is not None:
            if caller.f_code is _CALL:
                raise TooSlow(f"it took longer than {self._within_s:g} s")
            caller = caller.f_back
