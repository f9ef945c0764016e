"""Which files a container's log has, and which of them go when it is rotated.

    0.log                         the runtime writes to it
    0.log.20260501-120000         it was full then; whoever reads it may still be at it
    0.log.20260501-110000.gz      older ones

As the kubelet of Kubernetes has them (containerLogMaxSize, containerLogMaxFiles).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

COMPRESSED: Final = ".gz"
DRAFT: Final = ".tmp"  # of a file that was being compressed
MOST_FILES_LEFT_ALONE: Final = 2  # the one that is written to, and the one before it


@dataclass(frozen=True, slots=True)
class LogLimits:
    """How much of a container's log is kept."""

    max_bytes: int = 10 * 2**20  # of one file; below 0: none is rotated
    max_files: int = 5  # with the one that is written to; at least 2


@dataclass(frozen=True, slots=True)
class Tidying:
    """What is done with a log's rotated files before the next one joins them."""

    remove: tuple[str, ...]
    compress: tuple[str, ...]


def plan_tidying(rotated: Iterable[str], limits: LogLimits) -> Tidying:
    """Decide what becomes of the rotated files of one log; their names sort by age."""
    names = set(rotated)
    unused = {name for name in names if name.endswith(DRAFT) or name + COMPRESSED in names}
    used = sorted(names - unused)
    surplus = used[: max(0, len(used) - (limits.max_files - MOST_FILES_LEFT_ALONE))]
    return Tidying(
        remove=(*sorted(unused), *surplus),
        compress=tuple(name for name in used[len(surplus) :] if not name.endswith(COMPRESSED)),
    )


def rotated_name(log: str, moment: str) -> str:
    """Return the name that a full log gets. `moment`: as metav1.Time."""
    date, _, time = moment.removesuffix("Z").partition("T")
    return f"{log}.{date.replace('-', '')}-{time.replace(':', '')}"
