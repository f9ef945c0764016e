"""From `kubarium up` to an answering API, to three Ready nodes, to the first running container."""

from __future__ import annotations

import statistics
import time
from typing import Any

from benchmarks.clusters import cluster, run_pods, with_api

ROUNDS = 5


def measure() -> dict[str, Any]:
    """Start five clusters from nothing; report medians in wall seconds."""
    rounds = [_round() for _ in range(ROUNDS)]
    return {
        name: {
            "median_s": round(statistics.median(one[name] for one in rounds), 2),
            "all_s": [one[name] for one in rounds],
        }
        for name in rounds[0]
    }


def _round() -> dict[str, float]:
    began = time.monotonic()
    marks: dict[str, float] = {}

    def note(text: str) -> None:
        if "answers" in text:
            marks["api_answering"] = round(time.monotonic() - began, 2)

    with cluster(nodes=3, runtime="docker", progress=note) as handle:
        marks["nodes_ready"] = round(time.monotonic() - began, 2)
        with_api(handle, lambda api: _first(api, marks))
    return marks


async def _first(api: Any, marks: dict[str, float]) -> None:
    ready = await run_pods(api, ["first"])
    marks["first_container_after_nodes"] = round(ready, 2)
    marks["first_container"] = round(marks["nodes_ready"] + ready, 2)
