"""Nodes, and the ranges that a plan gives them."""

from __future__ import annotations

from controllers.core.actions import Patch
from controllers.core.pod_ranges import read_ranges
from controllers.node_ipam.plan import Seen, plan
from controllers.node_ipam.ranges import Ranges
from tests.support import builders
from tests.support.builders import changed
from tests.support.controllers import moment, of_type

CLUSTER = "10.244.0.0/16"


def node(name, cidr="", created="2026-01-01T00:00:00Z"):
    made = builders.node(name, podCIDR=cidr, podCIDRs=[cidr] if cidr else [])
    return changed(made, metadata__creationTimestamp=created)


def seen(nodes, cluster=CLUSTER):
    families = [Ranges(each) for each in read_ranges(cluster)]
    for known in families:
        for each in nodes:
            known.put(each)
    waiting = [each for each in nodes if not each.spec.podCIDR]
    return Seen(waiting, [*zip(*(known.lowest(len(waiting)) for known in families), strict=False)])


def ranges(nodes, cluster=CLUSTER):
    made = plan(seen(nodes, cluster), moment())
    return {write.name: ",".join(write.patch["spec"]["podCIDRs"]) for write in of_type(made, Patch)}
