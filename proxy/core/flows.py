"""Which flows the kernel has to forget.

A flow's first packet decides where all others go, and UDP has no end: a client that keeps its source port would
talk to an endpoint that has gone for as long as it keeps talking. Connections of TCP are left alone, for those to a pod
that terminates have to come to their own end; attempts at one are not. An attempt that a dead node never answered stands in
the kernel's table for two minutes, and whatever connection gets the same source port meanwhile is sent to the dead node,
too. Forgotten, it goes to a living endpoint the next time that its client tries.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, TypeAlias

from proxy.core.endpoints import PortPlan, Target
from proxy.core.merged import Difference

Address: TypeAlias = tuple[str, int]  # where a client sends to, and the port; "" for any address of this node
Allowed: TypeAlias = Callable[[Address], frozenset[Target] | None]
"""Returns the endpoints that may have flows to an address, None where it is no Service's."""

_FIELD: Final = re.compile(r"(src|dst|sport|dport)=(\S+)")  # of a packet first, then of its answer


@dataclass(frozen=True, slots=True, order=True)
class Flow:
    """A UDP flow by where its client sent it and who answers."""

    destination: str
    port: int
    answered_by: Target


def plan_udp(plans: Iterable[PortPlan]) -> dict[Address, frozenset[Target]]:
    """Return where UDP to one Service may go: endpoints with their ports, by all that its clients may ask for."""
    allowed: dict[Address, frozenset[Target]] = {}
    for plan in plans:
        if plan.protocol != "udp":
            continue
        endpoints = frozenset(plan.serving)
        for address in (plan.cluster_ip, *plan.external_ips, *plan.balancer_ips):
            allowed.setdefault((address, plan.port), endpoints)
        if plan.node_port:
            allowed.setdefault(("", plan.node_port), endpoints)
    return allowed


def parse_flows(listing: str) -> tuple[Flow, ...]:
    """Read what `conntrack -L -p udp` prints; lines that are no flows are left out."""
    flows: set[Flow] = set()
    for values in map(_fields, listing.splitlines()):
        if len(values["src"]) == len(values["sport"]) == 2 and values["dport"]:
            answered_by = Target(values["src"][1], int(values["sport"][1]))
            flows.add(Flow(values["dst"][0], int(values["dport"][0]), answered_by))
    return tuple(sorted(flows))


def parse_attempts(listing: str) -> frozenset[Target]:
    """Read from what `conntrack -L -p tcp --state SYN_SENT` prints who has not answered yet."""
    fields = map(_fields, listing.splitlines())
    return frozenset(
        Target(each["src"][1], int(each["sport"][1]))
        for each in fields
        if len(each["src"]) == len(each["sport"]) == 2
    )


def _fields(line: str) -> dict[str, list[str]]:
    values: dict[str, list[str]] = defaultdict(list)
    for key, value in _FIELD.findall(line):
        values[key].append(value)
    return values


def plan_abandoning(before: Iterable[PortPlan], now: Iterable[PortPlan]) -> frozenset[Target]:
    """Return the endpoints of TCP that one Service had and has no more: what is tried at them will not be answered."""
    return _tcp(before) - _tcp(now)


def _tcp(plans: Iterable[PortPlan]) -> frozenset[Target]:
    return frozenset(target for plan in plans if plan.protocol == "tcp" for target in plan.serving)


def may_be_stale(differences: Iterable[Difference[Address, frozenset[Target]]]) -> bool:
    """Whether flows can have become stale: not where an address only got endpoints in addition to those it had."""
    return any(not each.old or not each.new or not each.old <= each.new for each in differences)


def plan_forgetting(
    flows: Iterable[Flow], allowed: Allowed, before: Allowed, own_addresses: Iterable[str]
) -> tuple[Flow, ...]:
    """Return the flows to a Service's address, now or before, whose other end is no endpoint of it (any more).

    Addresses are looked up in `before` only where they are not in `allowed`.
    """
    own = frozenset(own_addresses)
    return tuple(flow for flow in flows if _is_stale(flow, allowed, before, own))


def _is_stale(flow: Flow, allowed: Allowed, before: Allowed, own: frozenset[str]) -> bool:
    keys = [(flow.destination, flow.port)]
    if flow.destination in own:
        keys.append(("", flow.port))
    for key in keys:
        if (endpoints := allowed(key)) is not None:
            return flow.answered_by not in endpoints
    return any(flow.answered_by in (before(key) or ()) for key in keys)
