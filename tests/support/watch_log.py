"""What watchers were told, compared with etcd's log: no gap, no repetition, no other order, no other object."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

State = Mapping[str, int]  # the revision of every object, by its name


class Told(NamedTuple):
    """One write: what etcd has in its log, and what a watcher is told of it."""

    revision: int
    type: str  # ADDED, MODIFIED, DELETED
    name: str
    obj: Any = None  # without its resourceVersion; None where it is deleted


@dataclass
class Segment:
    """What one client was told from a list, or from where its last watch ended, to where this one did."""

    after: int
    listed: State | None = None  # where it began with a list
    told: list[Told] = field(default_factory=list)
    until: int = 0  # the last revision that it knows everything of

    def __post_init__(self) -> None:
        self.until = self.after


def state_at(log: Sequence[Told], revision: int) -> dict[str, int]:
    """Return what was there at a revision, by the log."""
    found: dict[str, int] = {}
    for each in log:
        if each.revision > revision:
            break
        if each.type == "DELETED":
            found.pop(each.name, None)
        else:
            found[each.name] = each.revision
    return found


def differences(log: Sequence[Told], segments: Sequence[Segment]) -> list[str]:
    """Say where what a client was told is not what the log has; nothing where it is."""
    found: list[str] = []
    for before, segment in zip([None, *segments], segments, strict=False):
        if segment.listed is not None and segment.listed != (shown := state_at(log, segment.after)):
            found.append(f"a list at {segment.after} shows {dict(segment.listed)}, the log has {shown}")
        if segment.listed is None and before is not None and segment.after != before.until:
            found.append(f"a watch goes on after {segment.after}, the one before it ended at {before.until}")
        wanted = [each for each in log if segment.after < each.revision <= segment.until]
        found += _differences(wanted, segment.told)
    return found


def _differences(wanted: Sequence[Told], told: Sequence[Told]) -> list[str]:
    if list(told) == list(wanted):
        return []
    revisions = [each.revision for each in told]
    if len(set(revisions)) < len(revisions):
        return [f"told twice: {sorted({each for each in revisions if revisions.count(each) > 1})}"]
    if revisions != sorted(revisions):
        return [f"out of order: {revisions}"]
    expected = {each.revision: each for each in wanted}
    missing, invented = expected.keys() - set(revisions), set(revisions) - expected.keys()
    if missing or invented:
        return [f"not told: {sorted(missing)}; told and never written: {sorted(invented)}"]
    return [
        f"told {each}, written was {expected[each.revision]}"
        for each in told
        if each != expected[each.revision]
    ]
