"""A program that is asked once: a question on standard input, its answer on standard output, both JSON."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from typing import TypeVar

import msgspec

Q = TypeVar("Q", bound=msgspec.Struct)


def answer_once(program: str, question: type[Q], answer: Callable[[Q], msgspec.Struct]) -> int:
    """Answer one question; return 0, or 2 where it is none: standard error says why."""
    gc.disable()  # it answers once and ends
    try:
        asked = msgspec.json.decode(sys.stdin.buffer.read(), type=question)
    except msgspec.DecodeError as error:
        sys.stderr.write(f"{program}: this is no question: {error}\n")
        return 2
    sys.stdout.buffer.write(msgspec.json.encode(answer(asked)))
    return 0
