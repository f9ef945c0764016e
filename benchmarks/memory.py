"""What an idle cluster of three nodes costs: memory as PSS (shared pages divided among their sharers), and CPU."""

from __future__ import annotations

import time
from typing import Any

import psutil

from benchmarks.clusters import cluster
from kubarium.usage import usage

SETTLE_S = 20.0
WATCH_S = 30.0


def measure() -> dict[str, Any]:
    """Report MiB and CPU share of every process, the supervisor's too, and of all together while idle."""
    with cluster(nodes=3, runtime="docker") as handle:
        time.sleep(SETTLE_S)
        pids = {process.name: process.pid for process in handle.ps()}
        pids["supervisor"] = psutil.Process(pids["etcd"]).ppid()
        before, began = usage(pids.values()), time.monotonic()
        time.sleep(WATCH_S)
        elapsed = time.monotonic() - began
        after = usage(pids.values())
    sizes = {name: round(after[pid].pss_bytes / 2**20, 1) for name, pid in pids.items()}
    shares = {
        name: round(100 * (after[pid].cpu_s - before[pid].cpu_s) / elapsed, 2) for name, pid in pids.items()
    }
    return {
        "pss_mib": sizes,
        "total_mib": round(sum(sizes.values()), 1),
        "idle_cpu_percent_of_a_core": shares,
        "total_idle_cpu_percent_of_a_core": round(sum(shares.values()), 2),
    }
