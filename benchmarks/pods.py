"""Pod create → Ready, one and twenty at once, against two raw `docker run` for each pod.

Two, since a pod with one container is two containers: the sandbox, and then the container in it. So the two raw
runs of a pod follow each other, too, and those of several pods go side by side. What the same number of raw runs
takes when all begin at once stands beside it. The three alternate.
"""

from __future__ import annotations

import asyncio
import statistics
import subprocess
import time
from functools import partial
from typing import Any

from benchmarks.clusters import IMAGE, cluster, run_pods, with_api

ROUNDS = 5


def measure() -> dict[str, Any]:
    """Report medians in wall seconds and their ratio.

    Raises:
        RuntimeError: `docker run` fails.
    """
    with cluster(nodes=3, runtime="docker") as handle:
        with_api(handle, lambda api: run_pods(api, ["warm"]))
        return {f"{count}_at_once": _compare(handle, count) for count in (1, 20)}


def _compare(handle: Any, count: int) -> dict[str, Any]:
    pods, raw, flat = [], [], []
    for turn in range(ROUNDS):
        names = [f"pod-{turn}-{index}" for index in range(count)]
        pods.append(with_api(handle, partial(run_pods, names=names)))
        raw.append(asyncio.run(_docker_runs(count, in_sequence=2)))
        flat.append(asyncio.run(_docker_runs(2 * count)))
    ours, theirs, at_once = (statistics.median(times) for times in (pods, raw, flat))
    return {
        "pods_s": round(ours, 3),
        "docker_run_twice_s": round(theirs, 3),
        "ratio": round(ours / theirs, 2),
        "docker_run_all_at_once_s": round(at_once, 3),
        "ratio_to_all_at_once": round(ours / at_once, 2),
    }


async def _docker_runs(lanes: int, *, in_sequence: int = 1) -> float:
    """Run containers, so many lanes side by side; return the wall seconds. They are removed again."""
    names = [[f"kubarium-bench-{lane}-{step}" for step in range(in_sequence)] for lane in range(lanes)]
    began = time.monotonic()
    await asyncio.gather(*(_lane(lane) for lane in names))
    took = time.monotonic() - began
    every = [name for lane in names for name in lane]
    remove = await asyncio.create_subprocess_exec("docker", "rm", "-f", *every, stdout=subprocess.DEVNULL)
    await remove.wait()
    return took


async def _lane(names: list[str]) -> None:
    command = ("docker", "run", "-d", "--network", "none", "--name")
    for name in names:
        process = await asyncio.create_subprocess_exec(
            *command, name, IMAGE, "sleep", "3600", stdout=subprocess.DEVNULL
        )
        if code := await process.wait():
            raise RuntimeError(f"docker run {name} failed with exit code {code}")
