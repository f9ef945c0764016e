"""`python -m scheduler.simulation`: a Question on standard input, an Answer on standard output, both JSON."""

from __future__ import annotations

import gc
import sys
from collections.abc import Sequence

import msgspec

from machinery.model.simulation import Question
from scheduler.simulation.answering import answer


def main(argv: Sequence[str] | None = None) -> int:
    """Answer one question; return 0, or 2 where it is none."""
    del argv
    gc.disable()  # it answers once and ends
    try:
        question = msgspec.json.decode(sys.stdin.buffer.read(), type=Question)
    except msgspec.DecodeError as error:
        sys.stderr.write(f"scheduler.simulation: this is no question: {error}\n")
        return 2
    sys.stdout.buffer.write(msgspec.json.encode(answer(question)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
