"""`python -m scheduler.simulation`: a Question on standard input, an Answer on standard output, both JSON."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from machinery.model.simulation import Question
from machinery.process.asked import answer_once
from scheduler.simulation.answering import answer


def main(argv: Sequence[str] | None = None) -> int:
    """Answer one question; return 0, or 2 where it is none."""
    del argv
    return answer_once("scheduler.simulation", Question, answer)


if __name__ == "__main__":
    sys.exit(main())
