"""Asks a part of a program, in a process of its own: the handle does not import its programs."""

from __future__ import annotations

import subprocess
from typing import Any, Final, TypeVar

import msgspec

from kubarium.errors import KubariumError
from kubarium.program import command_of
from machinery.model import checking
from machinery.model.simulation import Answer, Question

T = TypeVar("T")

_SCHEDULER: Final = "scheduler.simulation"
_APISERVER: Final = "apiserver.checking"


def ask(question: Question) -> Answer:
    """Return what the scheduler answers; `refused` and `problem` are the caller's to tell.

    Raises:
        KubariumError: the process failed.
    """
    return _ask(_SCHEDULER, question, Answer)


def check(objects: list[Any]) -> list[checking.Checked]:
    """Return what the apiserver says of new objects, one for each; what it refuses is the caller's to tell.

    Raises:
        KubariumError: the process failed.
    """
    return _ask(_APISERVER, checking.Question(objects), checking.Answer).checked if objects else []


def _ask(program: str, question: Any, answer: type[T]) -> T:
    done = subprocess.run(
        command_of(program), input=msgspec.json.encode(question), capture_output=True, check=False
    )
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines() or ["it said nothing"]
        raise KubariumError(f"{program} ended with code {done.returncode}: {said[-1]}")
    return msgspec.json.decode(done.stdout, type=answer)
