"""What is to be said of a request in the audit log, beside what the log sees by itself: annotations.

    annotate("pod-security.kubernetes.io/enforce-policy", "baseline:latest")

Whoever decides something about a request may annotate it. Where no audit log is written that costs next to nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar, Token
from typing import Final, TypeAlias

PATCHES: Final = "patch.webhook.admission.k8s.io/"
"""Begins the annotations that are written only where the level asks for what was sent."""

_Notes: TypeAlias = dict[str, str]
_NONE: Final[Mapping[str, str]] = {}
_current: ContextVar[_Notes | None] = ContextVar("audit_notes", default=None)


def annotate(key: str, value: str) -> None:
    """Annotate the request that is being served. The first value of a key stays, as in Kubernetes."""
    notes = _current.get()
    if notes is not None:
        notes.setdefault(key, value)


def is_noted() -> bool:
    """Whether annotations of this request are written anywhere."""
    return _current.get() is not None


def current() -> dict[str, str] | None:
    """Return where annotations of this request are collected, for who works in a thread; None where they are not."""
    return _current.get()


def begin() -> Token[_Notes | None]:
    """Collect annotations from here on, in this task and those that it begins."""
    return _current.set({})


def end(token: Token[_Notes | None]) -> None:
    """Collect no more."""
    _current.reset(token)


def noted() -> Mapping[str, str]:
    """Return the annotations of this request."""
    return _current.get() or _NONE
