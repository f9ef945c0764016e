"""`kubarium net`: what it was asked for, looked up and printed."""

from __future__ import annotations

import argparse
import json

from kubarium.cluster import Cluster
from kubarium.errors import KubariumError


def net(options: argparse.Namespace) -> int:
    """Follow a packet, and print its way; 1 where it is lost.

    Raises:
        KubariumError: what is asked for makes no sense or is not there, or the nodes cannot be looked at.
    """
    from kubarium.core.connections import read_door  # seldom needed
    from kubarium.core.net.asked import read_source, read_target
    from kubarium.net.following import Question, follow, require_network

    cluster = Cluster(options.name)
    spec = cluster.spec
    require_network(spec)
    try:
        question = Question(
            read_target(options.what, options.namespace),
            read_source(options.source, options.namespace, [node.name for node in spec.nodes]),
            read_door(options.port) if options.port else None,
            options.at,
        )
    except ValueError as error:
        raise KubariumError(str(error)) from error
    found = follow(spec, cluster.layout, question)
    print(json.dumps(found.document(), indent=2) if options.output == "json" else "\n".join(found.lines()))
    return 0 if found.arrives else 1
