"""`kubarium simulate`: files or a cluster in, placements and reasons out."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING

from kubarium.cli.tables import table
from kubarium.errors import KubariumError

if TYPE_CHECKING:  # seldom needed
    from kubarium.core.simulating.report import Simulation


def simulate(options: argparse.Namespace) -> int:
    """Decide without a cluster, and print what came of it; 1 where a pod is left without a node.

    Raises:
        KubariumError: a file cannot be read or makes no sense, or the cluster does not answer.
    """
    from kubarium.simulating import files  # seldom needed, as what follows
    from kubarium.simulating.simulation import simulate_items

    if not options.cluster:
        raise KubariumError("--cluster: names the file with the cluster's state")
    state = [item for path in options.cluster for item in files.read_file(path)]
    pods = [item for path in options.pods for item in files.read_file(path, options.namespace)]
    found = simulate_items(state, pods, config=options.config, seed=options.seed)
    print(json.dumps(found.document(), indent=2) if options.output == "json" else _text(found))
    return 1 if found.left else 0


def _text(found: Simulation) -> str:
    from kubarium.core.simulating.report import NODE_HEAD, POD_HEAD

    parts = [f"note: {each}" for each in found.remarks]
    if found.placed:
        parts += [table(POD_HEAD, found.pod_rows()), ""]
    if found.left:
        parts += ["Without a node:", *(f"  {each}" for each in found.reasons()), ""]
    parts += [table(NODE_HEAD, found.node_rows()), "", *found.summary()]
    return "\n".join(parts)
