"""The connectivity check as values: which connections are tried, and what has to come of each.

What is expected follows from Kubernetes' documentation alone, never from the rules on a node.

https://kubernetes.io/docs/reference/networking/virtual-ips/, …/docs/concepts/services-networking/network-policies/
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple

from kubarium.core.addresses import CLUSTER_DOMAIN
from kubarium.core.net.check_ground import CLIENTS, PORT, PROTOCOLS, Ground
from kubarium.core.net.scene import MACHINE

NO_PORT: Final = 8081  # of nobody
REFUSED: Final = "refused"
SILENCE: Final = "nothing comes back"
NO_NAME: Final = "no such name"
_EMPTY: Final[frozenset[str]] = frozenset()


@dataclass(frozen=True, slots=True)
class Probe:
    """One connection that is tried, and what has to come of it."""

    row: str  # of the table: what is tried
    source: str  # a pod, a node, or the machine
    target: str  # in words
    protocol: str
    address: str  # "" where only a name is asked for
    port: int
    answers: frozenset[str] = _EMPTY  # the servers of which one has to answer; none: `end` has to be
    end: str = ""
    seen_as: str = ""  # the address that the server has to see; "" for any
    name: str = ""  # to be looked up before, as a pod does
    resolved: frozenset[str] = _EMPTY  # the addresses that it has to have
    times: int = 1  # asked one after the other; the same server has to answer each time

    @property
    def is_ipv6(self) -> bool:
        """Whether it goes by IPv6."""
        return ":" in self.address

    @property
    def expected(self) -> str:
        """What has to come of it, in words."""
        return self.end or f"{' or '.join(sorted(self.answers))} answers"


def probes(ground: Ground) -> list[Probe]:
    """Return everything that is tried; by IPv6 in rows of its own."""
    found = [
        each
        for protocol in PROTOCOLS
        for part in (_pod_addresses, _services_by_address, _without_endpoints, _local_policies, _narrow, _names, _guarded)
        for each in part(ground, protocol)
    ]  # fmt: skip
    if not ground.is_ipv6:
        return found
    return [replace(each, row=f"{each.row}, IPv6") for each in found if each.address]


def _pod_addresses(ground: Ground, protocol: str) -> Iterator[Probe]:
    for source in ground.inside:
        for server in ("server-a", "server-b"):
            seen = ground.pod_ips.get(source, "")
            yield _at(ground.pod_ips[server], "pod address", source, server, protocol, {server}, seen_as=seen)


def _services_by_address(ground: Ground, protocol: str) -> Iterator[Probe]:
    for service, servers in (
        ("near", {"server-a"}),
        ("far", {"server-b"}),
        ("both", {"server-a", "server-b"}),
    ):
        where = ground.services[service]
        for source in ground.inside:
            seen = ground.pod_ips.get(source, "")
            yield _at(where.cluster_ip, "ClusterIP", source, service, protocol, servers, seen_as=seen)
            yield _at(where.cluster_ip, "no such port", source, service, protocol, end=REFUSED, port=NO_PORT)
        for source in ground.everybody:
            for node in ground.hosts:
                yield _at_node(ground, node, "NodePort", source, service, protocol, servers)
            if where.balancer:
                yield _at(where.balancer, "LoadBalancer", source, service, protocol, servers)
    for server in ("server-a", "server-b"):  # each through its own Service
        own = ground.services["near" if server == "server-a" else "far"].cluster_ip
        yield _at(own, "itself", server, "its own Service", protocol, {server})
    sticky = ground.services["sticky"].cluster_ip
    for source in ground.inside:
        yield _at(sticky, "affinity", source, "sticky", protocol, {"server-a", "server-b"}, times=5)


def _without_endpoints(ground: Ground, protocol: str) -> Iterator[Probe]:
    where = ground.services["nobody"]
    for source in ground.everybody:
        for node in ground.hosts:
            yield _at_node(ground, node, "no endpoints", source, "nobody", protocol, end=REFUSED)
        yield _at(where.balancer, "no endpoints", source, "nobody's balancer", protocol, end=REFUSED)
        if source != MACHINE:
            yield _at(where.cluster_ip, "no endpoints", source, "nobody", protocol, end=REFUSED)


def _local_policies(ground: Ground, protocol: str) -> Iterator[Probe]:
    """What Local traffic policies keep to one node; `outer` and `inner` have their endpoint on the first."""
    first, inner, outer = ground.nodes[0], ground.services["inner"], ground.services["outer"]
    for source in ground.inside:
        is_near = ground.node_of(source) == first
        yield _either(is_near, inner.cluster_ip, "internal Local", source, "inner", protocol)
    for source in ground.everybody:
        for node in ground.hosts:
            # pods, and a node that asks itself, are served as under Cluster
            is_served = node == first or source in CLIENTS or source == node
            seen = ground.machine if source == MACHINE else ""
            number = outer.node_ports[protocol]
            where = f"outer at {node}"
            yield _either(
                is_served,
                ground.node_ips[node],
                "external Local",
                source,
                where,
                protocol,
                port=number,
                seen_as=seen,
            )
        seen = ground.machine if source == MACHINE else ""
        yield _at(
            outer.balancer, "external Local", source, "outer's balancer", protocol, {"server-a"}, seen_as=seen
        )


def _narrow(ground: Ground, protocol: str) -> Iterator[Probe]:
    where = ground.services["narrow"]
    for source in ground.everybody:
        yield _either(
            source == MACHINE, where.balancer, "source ranges", source, "narrow's balancer", protocol
        )


def _names(ground: Ground, protocol: str) -> Iterator[Probe]:
    near, space = ground.services["near"].cluster_ip, ground.namespace
    servers = frozenset(ground.pod_ips[each] for each in ("server-a", "server-b"))
    for source in CLIENTS:
        for name in ("near", f"near.{space}", f"near.{space}.svc", f"near.{space}.svc.{CLUSTER_DOMAIN}."):
            yield _at(
                near, "DNS", source, name, protocol, {"server-a"}, name=name, resolved=frozenset({near})
            )
        yield _at(
            near,
            "ExternalName",
            source,
            "alias",
            protocol,
            {"server-a"},
            name="alias",
            resolved=frozenset({near}),
        )
        for server in ("server-a", "server-b"):
            ip = ground.pod_ips[server]
            yield _at(ip, "headless", source, server, protocol, {server}, name="headless", resolved=servers)
        yield _at("", "DNS", source, "absent", protocol, end=NO_NAME, name="absent")


def _guarded(ground: Ground, protocol: str) -> Iterator[Probe]:
    """What NetworkPolicies let through: `client-a` by TCP, and the pod's own node."""
    for server in ("guarded-a", "guarded-b"):
        own, where = ground.node_of(server), ground.services[server]
        for source in ground.inside:
            is_open = source == own or (source == "client-a" and protocol == "tcp")
            for address in (ground.pod_ips[server], where.cluster_ip):
                yield _either(is_open, address, "policy, ingress", source, server, protocol, {server})
        for source in ("client-b", MACHINE):  # whoever they are behind a masquerade, none of them is a friend
            for node in ground.hosts:
                yield _at_node(ground, node, "policy, ingress", source, server, protocol, end=SILENCE)
            yield _at(
                where.balancer, "policy, ingress", source, f"{server}'s balancer", protocol, end=SILENCE
            )
    for service, server in (("near", "server-a"), ("far", "server-b")):
        for address in (ground.pod_ips[server], ground.services[service].cluster_ip):
            is_open = server == "server-a" and protocol == "tcp"
            yield _either(is_open, address, "policy, egress", "confined-b", server, protocol, {server})


def _at(
    address: str,
    row: str,
    source: str,
    target: str,
    protocol: str,
    answers: set[str] | frozenset[str] = _EMPTY,
    *,
    end: str = "",
    port: int = PORT,
    **fields: Any,
) -> Probe:
    return Probe(row, source, target, protocol, address, port, frozenset(answers), end, **fields)


def _at_node(
    ground: Ground,
    node: str,
    row: str,
    source: str,
    service: str,
    protocol: str,
    answers: set[str] | frozenset[str] = _EMPTY,
    *,
    end: str = "",
) -> Probe:
    port = ground.services[service].node_ports[protocol]
    return _at(
        ground.node_ips[node], row, source, f"{service} at {node}", protocol, answers, end=end, port=port
    )


def _either(
    is_open: bool,  # noqa: FBT001 - the first thing that one wants to read
    address: str,
    row: str,
    source: str,
    target: str,
    protocol: str,
    answers: set[str] | frozenset[str] = frozenset({"server-a"}),
    **fields: Any,
) -> Probe:
    if is_open:
        return _at(address, row, source, target, protocol, answers, **fields)
    fields.pop("seen_as", None)
    return _at(address, row, source, target, protocol, end=SILENCE, **fields)


class Result(NamedTuple):
    """A probe, and what came of it, in words."""

    probe: Probe
    found: str
    passed: bool


def table_rows(results: Sequence[Result], ground: Ground) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Return the head and rows of a table: what was tried, and from where how many of how many passed."""
    columns = {
        "POD": (*CLIENTS, "server-a", "server-b", "confined-b"),
        "NODE": ground.hosts,
        "MACHINE": (MACHINE,),
    }
    counts: dict[tuple[str, str, str], list[bool]] = {}
    for probe, _, passed in results:
        column = next(name for name, who in columns.items() if probe.source in who)
        counts.setdefault((probe.row, probe.protocol, column), []).append(passed)
    kinds = dict.fromkeys((probe.row, probe.protocol) for probe, _, _ in results)
    rows = [
        (row, protocol.upper(), *(_count(counts.get((row, protocol, column), [])) for column in columns))
        for row, protocol in sorted(kinds, key=lambda kind: list(kinds).index((kind[0], "tcp")))
    ]
    return (
        "WHAT",
        "BY",
        *(f"FROM A {column}" if column != "MACHINE" else "FROM THE MACHINE" for column in columns),
    ), rows


def _count(passed: Sequence[bool]) -> str:
    return f"{sum(passed)} of {len(passed)}" if passed else "-"
