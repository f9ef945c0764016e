"""`python -m apiserver.checking`: a Question on standard input, an Answer on standard output, both JSON."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import partial

from apiserver.checking.answering import answer
from apiserver.core.kinds import ALL
from machinery.model.checking import Question
from machinery.process.asked import answer_once


def main(argv: Sequence[str] | None = None) -> int:
    """Answer one question; return 0, or 2 where it is none."""
    del argv
    return answer_once("apiserver.checking", Question, partial(answer, kinds=ALL))


if __name__ == "__main__":
    sys.exit(main())
