"""What a cluster is asked about, and the ways into it: recommendations, explanations, tunnels."""

from __future__ import annotations

import argparse
import json
from typing import Final

from kubarium.cli.words import say
from kubarium.cluster import Cluster
from kubarium.errors import KubariumError

_NETPOL: Final = {"--from": "source", "--to": "target", "--port": "port"}


def recommend(options: argparse.Namespace) -> int:
    """Say what containers should request, by what they were seen to use.

    Raises:
        KubariumError: there is no such cluster, it does not answer, or the file of before makes no sense.
    """
    from kubarium import recommendations  # seldom needed
    from kubarium.cli import recommended

    notes = recommendations.read_state(options.state)
    if options.for_s or not options.state:
        cluster = Cluster(options.name)
        namespace = "" if options.all_namespaces else options.namespace
        recommendations.observe(cluster.spec, cluster.layout, notes, namespace=namespace, for_s=options.for_s)
    if options.state:
        recommendations.write_state(options.state, notes)
    print(recommended.written(notes.recommendations(), options.output), end="")
    return 0


def explain(options: argparse.Namespace) -> int:
    """Say why a pod is where it is, or whether NetworkPolicies let a connection through; 1 where not.

    Raises:
        KubariumError: what is asked about makes no sense, is not there, or the cluster does not answer.
    """
    if options.what != "netpol":
        from kubarium.cli.commands.simulate import explain_pod  # seldom needed, as what follows

        return explain_pod(options)
    missing = [flag for flag, given in _NETPOL.items() if not getattr(options, given)]
    if missing:
        raise KubariumError(f"netpol needs {', '.join(missing)}")
    from kubarium import explanations
    from kubarium.core.connections import read_door, read_end

    try:
        source = read_end(options.source, options.namespace)
        target = read_end(options.target, options.namespace)
        door = read_door(options.port)
    except ValueError as error:
        raise KubariumError(str(error)) from error
    cluster = Cluster(options.name)
    found = explanations.explain_policies(cluster.spec, cluster.layout, source, target, door)
    print(json.dumps(found.document(), indent=2) if options.output == "json" else "\n".join(found.lines()))
    return 0 if found.is_allowed else 1


def tunnel(options: argparse.Namespace) -> int:
    """Forward ports of this machine to Services until it is ended.

    Raises:
        KubariumError: a Service makes no sense or is not there, or the cluster does not answer.
    """
    from kubarium.core.tunnels import read_wanted  # seldom needed
    from kubarium.tunnels import tunnel as forward

    try:
        wanted = [read_wanted(each, options.namespace) for each in options.service]
    except ValueError as error:
        raise KubariumError(str(error)) from error
    cluster = Cluster(options.name)
    forward(cluster.spec, cluster.layout, wanted, say)
    return 0
