"""`kubarium net`: what it was asked for, looked up and printed."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any

from kubarium.cluster import Cluster
from kubarium.errors import KubariumError

if TYPE_CHECKING:  # seldom needed
    from kubarium.net.checking import Checked


def net(options: argparse.Namespace) -> int:
    """Follow a packet, and print its way, or check all ways; 1 where one is lost.

    Raises:
        KubariumError: what is asked for makes no sense or is not there, or the nodes cannot be looked at.
    """
    from kubarium.core.connections import read_door  # seldom needed
    from kubarium.core.net.asked import read_target
    from kubarium.net.following import Question, follow, require_network

    cluster = Cluster(options.name)
    if options.what == "check":
        return _check(options, cluster)
    spec = cluster.spec
    require_network(spec)
    try:
        question = Question(
            read_target(options.what, options.namespace),
            options.source,
            options.namespace,
            read_door(options.port) if options.port else None,
            options.at,
            options.ipv6,
        )
    except ValueError as error:
        raise KubariumError(str(error)) from error
    found = follow(spec, cluster.layout, question)
    print(json.dumps(found.document(), indent=2) if options.output == "json" else "\n".join(found.lines()))
    return 0 if found.arrives else 1


def _check(options: argparse.Namespace, cluster: Cluster) -> int:
    """Try every way there is, and print what came of it; 1 where something did not come out as it has to."""
    from kubarium.cli.tables import table
    from kubarium.core.net.matrix import table_rows
    from kubarium.net.checking import check

    def told(text: str) -> None:
        if options.output == "text":
            print(f"  {text}", flush=True)

    found = check(cluster.spec, cluster.layout, image=options.image, timeout_s=options.timeout, told=told)
    if options.output == "json":
        print(json.dumps(_document(found), indent=2))
        return 1 if found.failed else 0
    print(table(*table_rows(found.results, found.ground)))
    for probe, came, _ in found.failed:
        where = f"{probe.address}:{probe.port}" if probe.address else probe.name
        print(
            f"FAILED: {probe.row}, {probe.source} to {probe.target} ({probe.protocol} {where}): "
            f"{probe.expected} was expected; found: {came}"
        )
    print(f"{len(found.results)} probes in {found.took_s:.1f} s, {len(found.failed)} failed")
    return 1 if found.failed else 0


def _document(found: Checked) -> dict[str, Any]:
    return {
        "namespace": found.ground.namespace,
        "nodes": list(found.ground.hosts),
        "tookSeconds": round(found.took_s, 1),
        "failed": len(found.failed),
        "probes": [
            {
                "what": probe.row,
                "from": probe.source,
                "to": probe.target,
                "name": probe.name,
                "address": probe.address,
                "protocol": probe.protocol,
                "port": probe.port,
                "expected": probe.expected,
                "found": came,
                "passed": passed,
            }
            for probe, came, passed in found.results
        ],
    }
