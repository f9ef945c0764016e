"""What an idle cluster of three nodes holds in memory, as PSS (shared pages divided among their sharers)."""

from __future__ import annotations

import time
from typing import Any

from benchmarks.clusters import cluster
from kubarium.usage import usage

SETTLE_S = 20.0


def measure() -> dict[str, Any]:
    """Report MiB of every process, and of all together, and the CPU share of all together while idle."""
    with cluster(nodes=3, runtime="docker") as handle:
        time.sleep(SETTLE_S)
        pids = {process.name: process.pid for process in handle.ps()}
        before, began = usage(pids.values()), time.monotonic()
        time.sleep(SETTLE_S)
        after = usage(pids.values())
        elapsed = time.monotonic() - began
    sizes = {name: round(after[pid].pss_bytes / 2**20, 1) for name, pid in pids.items()}
    cpu = sum(after[pid].cpu_s - before[pid].cpu_s for pid in pids.values()) / elapsed
    return {"pss_mib": sizes, "total_mib": round(sum(sizes.values()), 1), "idle_cpu_cores": round(cpu, 3)}
