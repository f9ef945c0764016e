"""What a shell asks at each TAB."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from kubarium import homes
from kubarium.cli.completion import SCRIPTS, candidates
from kubarium.core.components import components
from kubarium.core.places import LocalPlaces
from kubarium.errors import KubariumError


def completion(options: argparse.Namespace) -> int:
    """Print a shell's script."""
    print(SCRIPTS[options.shell], end="")
    return 0


def complete(parser: argparse.ArgumentParser, words: Sequence[str]) -> int:
    """Print what the last word can become, as the shells' scripts ask."""
    for word, text in candidates(parser, words, _names):
        print(f"{word}\t{text}")
    return 0


def _names(what: str, cluster: str) -> list[str]:
    """List the names of clusters, or of a cluster's components and nodes, as their folders have them."""
    try:
        if what == "CLUSTER":
            return homes.cluster_names()
        layout = homes.layout_of(cluster or homes.current_name())
        spec = homes.read_spec(layout) if what in {"COMPONENT", "NODE"} else None
    except KubariumError:
        return []
    if spec is None:
        return []
    nodes = [node.name for node in spec.nodes]
    if what == "NODE":
        return nodes
    parts = [part.name for part in components(LocalPlaces(spec, layout))]
    return [*parts, *nodes, *spec.hollow_names]
