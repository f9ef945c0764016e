"""What /proc/<pid>/stat says of a process."""

from __future__ import annotations

from typing import Final, NamedTuple

ENDED: Final = "ZX"  # states of a process that runs no more: its parent has not asked for it yet


class ProcessStat(NamedTuple):
    """What is needed of it."""

    state: str
    session: int


def read_stat(text: str) -> ProcessStat:
    """Read the file. A process chooses its own name, with any spaces and brackets in it."""
    state, _parent, _group, session = text[text.rindex(")") + 1 :].split()[:4]
    return ProcessStat(state, int(session))
