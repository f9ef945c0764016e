"""`kubarium simulate` and `kubarium explain pod`: files or a cluster in, placements and reasons out."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING

from kubarium.cli.tables import table
from kubarium.errors import KubariumError

if TYPE_CHECKING:  # seldom needed, as what the functions import
    from kubarium.core.simulating.manifests import Item
    from kubarium.core.simulating.report import Simulation
    from machinery.model.simulation import Explanation


def simulate(options: argparse.Namespace) -> int:
    """Decide without a cluster, and print what came of it; 1 where a pod is left without a node.

    Raises:
        KubariumError: a file cannot be read or makes no sense, or the cluster does not answer.
    """
    from kubarium.simulating import files, state
    from kubarium.simulating.simulation import simulate_items

    known, config = _state(options)
    pods = [item for path in options.pods for item in files.read_file(path, options.namespace)]
    if options.save:
        state.save(known, options.save)
        print(f"{options.save}: {len(known)} objects")
        if not pods:
            return 0
    if options.how_many or options.which_can_go:
        return _capacities(options, known, pods, config)
    found = simulate_items(known, pods, config=config, seed=options.seed)
    if options.html:
        from kubarium.core.simulating.picture import picture

        files.write(options.html, picture(found, options.title))
    print(json.dumps(found.document(), indent=2) if options.output == "json" else _text(found))
    return 1 if found.left else 0


def _capacities(options: argparse.Namespace, known: list[Item], pods: list[Item], config: str) -> int:
    """Print how many more fit, and which nodes could go."""
    from kubarium.core.simulating.capacities import LEAVING_HEAD, ROOM_HEAD
    from kubarium.simulating.simulation import capacities_of

    if options.how_many and not pods:
        raise KubariumError("--how-many: --pods names the file with what is counted")
    asked = pods if options.how_many else ()
    found = capacities_of(known, asked, leaving=options.which_can_go, config=config, seed=options.seed)
    if options.output == "json":
        print(json.dumps(found.document(), indent=2))
        return 0
    parts = [f"note: {each}" for each in found.remarks]
    parts += [table(ROOM_HEAD, found.room_rows())] if found.room else []
    parts += [table(LEAVING_HEAD, found.leaving_rows()), "", *found.summary()] if found.leaving else []
    print("\n".join(parts))
    return 0


def explain_pod(options: argparse.Namespace) -> int:
    """Say what each plugin says of each node for a pod, and what would help; 1 where it fits nowhere.

    Raises:
        KubariumError: there is no such pod, or the cluster does not answer.
    """
    from kubarium.core.simulating.explained import document
    from kubarium.simulating.simulation import explain_items

    namespace, _, name = options.what.removeprefix("pod/").rpartition("/")
    known, config = _state(options)
    found = explain_items(known, namespace or options.namespace, name, config=config)
    print(json.dumps(document(found), indent=2) if options.output == "json" else _explained(found))
    return 1 if found.message or found.gate else 0


def _state(options: argparse.Namespace) -> tuple[list[Item], str]:
    """Return the state that is meant, and the configuration of its scheduler."""
    from kubarium.cluster import Cluster
    from kubarium.simulating import files, state

    if options.cluster and options.kubeconfig:
        raise KubariumError("--cluster and --kubeconfig both name a state: take one of them")
    if options.cluster:
        return [item for path in options.cluster for item in files.read_file(path)], options.config
    if options.kubeconfig:
        return state.of_kubeconfig(options.kubeconfig), options.config
    cluster = Cluster(options.name)
    config = options.config or cluster.spec.args_of("scheduler").get("config", "")
    return state.of_cluster(cluster.spec, cluster.layout), config


def _text(found: Simulation) -> str:
    from kubarium.core.simulating.report import NODE_HEAD, POD_HEAD

    parts = [f"note: {each}" for each in found.remarks]
    if found.placed:
        parts += [table(POD_HEAD, found.pod_rows()), ""]
    if found.evicted:
        parts += ["Taken away:", *(f"  {each}" for each in found.evictions()), ""]
    if found.left:
        parts += ["Without a node:", *(f"  {each}" for each in found.reasons()), ""]
    parts += [table(NODE_HEAD, found.node_rows()), "", *found.summary()]
    return "\n".join(parts)


def _explained(found: Explanation) -> str:
    from kubarium.core.simulating import explained

    parts = [*explained.head_lines(found), ""]
    if found.nodes:
        parts += [table(*explained.verdict_rows(found))]
        parts += [line] if (line := explained.more_line(found)) else []
    if any(each.fits for each in found.nodes):
        parts += ["", "Points, by plugin and weight:", table(*explained.score_rows(found))]
    if found.hints:
        parts += ["", "It would fit on", *(f"  {each}" for each in explained.hint_lines(found.hints))]
    return "\n".join(parts)
