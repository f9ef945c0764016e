"""How a decision's cost grows: with the nodes of a cluster, and with the pods that are on them already."""

from __future__ import annotations

import json
import random
import time
from typing import Any, Final

from benchmarks.scheduler_decisions import KINDS, cluster
from scheduler.core.evaluations import Evaluations
from scheduler.core.pod import PodReader
from scheduler.core.registry import DEFAULT
from scheduler.core.schedule import Bind, schedule

NODES: Final = (100, 500, 1_000, 2_000, 5_000)
PODS_A_NODE: Final = (
    2  # of those that are scheduled where nodes grow: as many as keep away from each other by host
)
STEP: Final = 5_000  # pods between two figures, where pods grow
STEPS: Final = 10
FULL: Final = (
    "basic",
    "topology_spread_by_zone",
    "pod_affinity",
)  # of which 5,000 nodes have room for 50,000


def measure() -> dict[str, Any]:
    """Return microseconds of CPU a decision, its bookkeeping counted, by nodes and by pods.

    Raises:
        TypeError: a pod finds no node, so that something else would be measured.
    """
    return {
        "us_by_nodes": {
            name: {nodes: _costs(name, nodes, PODS_A_NODE * nodes)[0] for nodes in NODES} for name in KINDS
        },
        "us_by_pods": {
            name: {
                STEP * (index + 1): cost for index, cost in enumerate(_costs(name, NODES[-1], STEP, STEPS))
            }
            for name in FULL
        },
    }


def _costs(name: str, nodes: int, pods: int, times: int = 1) -> list[float]:
    snapshot, reader = cluster(nodes), PodReader()
    evaluations, randomness = Evaluations(snapshot, DEFAULT), random.Random(1)
    costs: list[float] = []
    for step in range(times):
        made = [KINDS[name](number) for number in range(step * pods, (step + 1) * pods)]
        began = time.process_time()
        for pod in made:
            info = reader.read(pod)
            decision = schedule(info, snapshot, evaluations, tie_break=randomness.random())
            if not isinstance(decision, Bind):
                raise TypeError(f"the benchmark has room for all pods, but: {decision.message}")
            snapshot.assume(info, decision.node)
        costs.append(round((time.process_time() - began) / pods * 1e6, 1))
    return costs


if __name__ == "__main__":
    print(json.dumps(measure(), indent=2))
