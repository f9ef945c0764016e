"""How much work something is: the instructions that the product executes, and the objects that its stores hand out.

Both are the same in every run, on every machine: a walk over a collection shows in them, however fast it is.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from machinery.model.store import Store

ROOT = str(Path(__file__).parents[2])
_NOT_COUNTED = (f"{ROOT}/tests/", f"{ROOT}/.venv/")
_HANDING_OUT = ("list", "by_index", "index_keys")


class Work:
    """What was counted."""

    def __init__(self) -> None:
        self.instructions = 0
        self.objects = 0

    @property
    def total(self) -> int:
        """All of it."""
        return self.instructions + self.objects


@contextmanager
def counted() -> Iterator[Work]:
    """Count inside the context."""
    work = Work()

    def instruction(_frame: FrameType, event: str, _argument: Any) -> Any:
        work.instructions += event == "opcode"
        return instruction

    def call(frame: FrameType, _event: str, _argument: Any) -> Any:
        name = frame.f_code.co_filename
        if not name.startswith(ROOT) or name.startswith(_NOT_COUNTED):
            return None
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        return instruction

    before = sys.gettrace()
    originals = {name: getattr(Store, name) for name in _HANDING_OUT}
    for name, method in originals.items():
        setattr(Store, name, _counting(method, work))
    sys.settrace(call)
    try:
        yield work
    finally:
        sys.settrace(before)
        for name, method in originals.items():
            setattr(Store, name, method)


def _counting(method: Callable[..., list[Any]], work: Work) -> Callable[..., list[Any]]:
    def handing_out(*arguments: Any) -> list[Any]:
        found = method(*arguments)
        work.objects += len(found)
        return found

    return handing_out
