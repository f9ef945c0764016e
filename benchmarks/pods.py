"""Pod create → Ready, one and twenty at once, against two raw `docker run` for each pod.

Two, since a pod with one container is two containers: the sandbox and the container. A and B alternate.
"""

from __future__ import annotations

import asyncio
import statistics
import subprocess
import time
from typing import Any

from benchmarks.clusters import IMAGE, cluster, run_pods, with_api

ROUNDS = 5


def measure() -> dict[str, Any]:
    """Report medians in wall seconds and their ratio."""
    with cluster(nodes=3, runtime="docker") as handle:
        with_api(handle, lambda api: run_pods(api, ["warm"]))
        return {f"{count}_at_once": _compare(handle, count) for count in (1, 20)}


def _compare(handle: Any, count: int) -> dict[str, Any]:
    pods, raw = [], []
    for turn in range(ROUNDS):
        names = [f"pod-{turn}-{index}" for index in range(count)]
        pods.append(with_api(handle, lambda api, names=names: run_pods(api, names)))
        raw.append(asyncio.run(_docker_runs(2 * count)))
    ours, theirs = statistics.median(pods), statistics.median(raw)
    return {"pods_s": round(ours, 3), "docker_run_s": round(theirs, 3), "ratio": round(ours / theirs, 2)}


async def _docker_runs(count: int) -> float:
    began = time.monotonic()
    names = [f"kubarium-bench-{index}" for index in range(count)]
    command = ("docker", "run", "-d", "--network", "none", "--name")
    running = [
        await asyncio.create_subprocess_exec(
            *command, name, IMAGE, "sleep", "3600", stdout=subprocess.DEVNULL
        )
        for name in names
    ]
    codes = await asyncio.gather(*(process.wait() for process in running))
    took = time.monotonic() - began
    remove = await asyncio.create_subprocess_exec("docker", "rm", "-f", *names, stdout=subprocess.DEVNULL)
    await remove.wait()
    if any(codes):
        raise RuntimeError(f"docker run failed: exit codes {codes}")
    return took
