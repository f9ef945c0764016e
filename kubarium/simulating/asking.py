"""Asks a process of the scheduler's program, which has the decisions: the handle does not import its programs."""

from __future__ import annotations

import subprocess
from typing import Final

import msgspec

from kubarium.core.simulating.findings import Answer, Question
from kubarium.errors import KubariumError
from kubarium.program import command_of

_PROGRAM: Final = "scheduler.simulation"
_decoder: Final = msgspec.json.Decoder(Answer)


def ask(question: Question) -> Answer:
    """Return what the scheduler answers; `refused` and `problem` are the caller's to tell.

    Raises:
        KubariumError: the process failed.
    """
    done = subprocess.run(
        command_of(_PROGRAM), input=msgspec.json.encode(question), capture_output=True, check=False
    )
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines() or ["it said nothing"]
        raise KubariumError(f"the scheduler's program ended with code {done.returncode}: {said[-1]}")
    return _decoder.decode(done.stdout)
