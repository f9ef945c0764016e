"""Conflicts of an apply, in Kubernetes' words."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import NamedTuple

from apiserver.core.apply.elements import describe
from apiserver.core.apply.field_set import Path
from apiserver.core.apply.managers import UPDATE, Manager
from machinery.model.errors import Cause, Conflict


class FieldConflict(NamedTuple):
    """A field that an apply would change, and who owns it."""

    manager: Manager
    path: Path


class ConflictsFound(Exception):  # noqa: N818 - it names what happened
    """An apply without force would change what others own."""

    def __init__(self, conflicts: Sequence[FieldConflict]) -> None:
        super().__init__("an apply has conflicts")
        self.conflicts = conflicts

    def to_error(self) -> Conflict:
        """Return the answer to the client: a 409 that names every field."""
        causes = tuple(
            Cause(describe(path), f"conflict with {_named(manager)}", "FieldManagerConflict")
            for manager, path in self.conflicts
        )
        return Conflict(_message(self.conflicts), causes=causes)


def _message(conflicts: Sequence[FieldConflict]) -> str:
    if len(conflicts) == 1:
        [(manager, path)] = conflicts
        return f"Apply failed with 1 conflict: conflict with {_named(manager)}: {describe(path)}"
    lines = []
    for manager in dict.fromkeys(each.manager for each in conflicts):
        lines.append(f"conflicts with {_named(manager)}:")
        lines += [f"- {describe(path)}" for owner, path in conflicts if owner == manager]
    return f"Apply failed with {len(conflicts)} conflicts: " + "\n".join(lines)


def _named(manager: Manager) -> str:
    text = json.dumps(manager.name, ensure_ascii=False)
    if manager.subresource:
        text += f' with subresource "{manager.subresource}"'
    return f"{text} using {manager.api_version}" if manager.operation == UPDATE else text
