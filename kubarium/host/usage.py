"""What processes use, as the kernel tells."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Usage:
    """One process: its CPU time so far, and its share of memory (PSS: shared pages count by the share)."""

    cpu_s: float
    pss_bytes: int


def usage(pids: Iterable[int]) -> dict[int, Usage]:
    """Measure processes; one that is gone, or another user's, is left out."""
    import psutil

    found: dict[int, Usage] = {}
    for pid in pids:
        try:
            process = psutil.Process(pid)
            times = process.cpu_times()
            found[pid] = Usage(times.user + times.system, process.memory_full_info().pss)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found
