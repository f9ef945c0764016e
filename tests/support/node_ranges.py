"""Nodes, and the ranges that a plan gives them."""

from __future__ import annotations

from controllers.core.actions import Patch
from controllers.node_ipam.plan import Seen, plan
from tests.support import builders
from tests.support.builders import changed
from tests.support.controllers import moment, of_type

CLUSTER = "10.244.0.0/16"


def node(name, cidr="", created="2026-01-01T00:00:00Z"):
    made = builders.node(name, podCIDR=cidr, podCIDRs=[cidr] if cidr else [])
    return changed(made, metadata__creationTimestamp=created)


def ranges(nodes, cluster=CLUSTER):
    made = plan(Seen(nodes, cluster), moment())
    return {write.name: write.patch["spec"]["podCIDR"] for write in of_type(made, Patch)}
