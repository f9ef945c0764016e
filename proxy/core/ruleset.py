"""What the packet filter's table holds for Services, nodes and the node's surroundings.

A packet to a Service takes this way:

    prerouting, output (nat)
      guards                    addresses of load balancers that not everybody may ask for
        sources-X               who may: back to what follows; all others are dropped
      services / nodeports      one verdict map each: address . protocol . port
        external-P-N            by a node port or an external address: masquerade, traffic policy
        internal-P-N            by the ClusterIP, under internalTrafficPolicy Local
        service-P-N, local-P-N  protocol P, N endpoints: dnat to one of them by a random number, in one map for all
          endpoint-X            only under session affinity: remember the client, dnat
        refuse                  no endpoints, or no such port: reset or port-unreachable
    postrouting (nat)           masquerade what is marked, who meets itself, and what leaves the cluster

NAT looks at the first packet of a connection only, so a change of the rules never moves one that is established.

Chains belong to numbers of endpoints, and all Services with as many share them; what is a Service's own are elements
of maps. So the kernel and nft, which look at all chains for every change, see few of them, and an endpoint that comes or
goes is two or three elements. Session affinity alone has chains and sets of its own, for each endpoint a set of clients.
"""

from __future__ import annotations

import hashlib
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Final, NamedTuple

from proxy.core.endpoints import PROTOCOLS, PortPlan, Target
from proxy.core.families import V4, V6, Family
from proxy.core.table import CHAIN, MAP, SET, Item

MARK: Final = 0x4000  # on a packet that is to be masqueraded
_NAME_LIMIT: Final = 120  # the kernel takes 127 characters
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9/._-]")
_SET_MARK: Final = f"meta mark set meta mark or {MARK:#x}"
_REFUSE: Final = "goto refuse"
_OWN_PODS: Final = "own-pods"  # set of the node's pod range


class _Door(NamedTuple):
    """One way to ask for a Service, by an address and a port or by a node port."""

    holder: str  # the map from what is asked for to chains
    prefix: str  # of other maps, and of chains
    address: str  # what of a packet is looked up, besides protocol and port
    address_type: str

    def places(self, protocol: str, kind: str) -> str:
        """Name the map from what is asked for, and a number, to endpoints of a kind."""
        return f"{self.prefix}{protocol}-{kind}"


_BY_ADDRESS: Final = {
    family: _Door("services", "", f"{family.word} daddr . ", f"{family.type} . ") for family in (V4, V6)
}
_BY_NODE_PORT: Final = _Door("nodeports", "nodeport-", "", "")
_ENDPOINTS: Final = "endpoints"  # those under the Cluster traffic policy
_LOCALS: Final = "local-endpoints"
_ANY_PORT: Final = "meta l4proto . th dport"


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the rules of a family need to know besides Services and nodes."""

    cluster_cidr: str  # every pod's address, "10.244.0.0/16"
    own_pods: str = ""  # the node's pod range, "" while it has none
    bridged_pods: str = ""  # own pod range, where the bridge hides replies between its pods from the filter
    node_ports: tuple[str, ...] | None = (
        None  # networks of the own addresses that node ports are served at; None: any
    )
    family: Family = V4


def plan_base(around: Surroundings) -> dict[Item, str]:
    """Return what is there without any Service or node."""
    family = around.family
    by_address = _BY_ADDRESS[family]
    dispatch = _lines(
        f"{by_address.address}{_ANY_PORT} vmap @guards",
        f"{by_address.address}{_ANY_PORT} vmap @services",
        f"{family.word} daddr @cluster-ips {_REFUSE}",  # a port that it does not have
        *_to_node_ports(around),
    )
    unmark = f"meta mark set meta mark and {0xFFFFFFFF ^ MARK:#x}"
    tcp, others = "meta l4proto tcp reject with tcp reset", f"reject with {family.icmp} type port-unreachable"
    return {
        **_plan_maps(by_address, family),
        **_plan_maps(_BY_NODE_PORT, family),
        Item(MAP, "guards"): f"type {by_address.address_type}inet_proto . inet_service : verdict;",
        Item(SET, "nodes"): f"type {family.type};",
        Item(SET, "cluster-ips"): f"type {family.type};",
        Item(SET, _OWN_PODS): f"type {family.type}; flags interval;",
        **({Item(_OWN_PODS, around.own_pods): ""} if around.own_pods else {}),
        Item(SET, "hairpins"): f"type {family.type} . {family.type};",
        Item(CHAIN, "refuse"): _lines(tcp, others),
        Item(CHAIN, "disguise"): _lines(unmark, "masquerade fully-random"),
        Item(CHAIN, "prerouting"): dispatch,
        Item(CHAIN, "output"): dispatch,
        Item(CHAIN, "postrouting"): _lines(*_postrouting(around)),
    }


def plan_node(addresses: Iterable[str]) -> dict[Item, str]:
    """Return what a node with these addresses adds."""
    return {Item("nodes", address): "" for address in addresses}


def plan_service(
    plans: Iterable[PortPlan], cluster_cidr: str, own_addresses: Sequence[str] = (), family: Family = V4
) -> dict[Item, str]:
    """Return what the ports of one Service add to the table of a family."""
    items: dict[Item, str] = {}
    for plan in plans:
        _PortRules(plan, cluster_cidr, items, family, _BY_ADDRESS[family]).write()
        if plan.sources and plan.balancer_ips:
            items |= _plan_guard(plan, own_addresses, family)
    return items


def _plan_guard(plan: PortPlan, own_addresses: Sequence[str], family: Family) -> dict[Item, str]:
    """Return what keeps others than the sources of a load balancer's clients from it.

    All with the same sources share a chain and a set. An own address of the node may be the load balancer's: then that is
    what the node asks from.
    """
    is_own = any(ip_address(own) in ip_network(each) for own in own_addresses for each in plan.sources)
    content = ",".join((*plan.sources, "own" if is_own else ""))
    name = f"sources-{hashlib.sha256(content.encode()).hexdigest()[:16]}"
    own = ("fib saddr type local return",) if is_own else ()
    doors = (f"{address} . {plan.protocol} . {plan.port}" for address in plan.balancer_ips)
    return {
        Item(SET, name): f"type {family.type}; flags interval;",
        **{Item(name, source): "" for source in plan.sources},
        Item(CHAIN, name): _lines(f"{family.word} saddr @{name} return", *own, "drop"),
        **{Item("guards", door): f"jump {name}" for door in doors},
    }


def _to_node_ports(around: Surroundings) -> Iterator[str]:
    own = "fib daddr type local"
    ports = f"{_BY_NODE_PORT.address}{_ANY_PORT} vmap @nodeports"
    target = f"{around.family.word} daddr"
    if around.node_ports is None:
        yield f"{own} {target} != {around.family.loopback} {ports}"
    elif around.node_ports:
        yield f"{own} {target} {{ {', '.join(around.node_ports)} }} {ports}"


def _plan_maps(door: _Door, family: Family) -> dict[Item, str]:
    """Return the maps of a door. nft knows what a port is only where it knows of which protocol: one map each."""
    number = "numgen random mod 65536"  # says nothing but that the last part of a key is a number
    places = {
        Item(MAP, door.places(protocol, kind)): (
            f"typeof {door.address}{protocol} dport . {number} : {family.word} daddr . {protocol} dport;"
        )
        for protocol in sorted(map(str.lower, PROTOCOLS))
        for kind in (_ENDPOINTS, _LOCALS)
    }
    return {
        Item(MAP, door.holder): f"type {door.address_type}inet_proto . inet_service : verdict;",
        **places,
    }


def _postrouting(around: Surroundings) -> Iterator[str]:
    yield f"meta mark and {MARK:#x} == {MARK:#x} goto disguise"
    source, target = f"{around.family.word} saddr", f"{around.family.word} daddr"
    yield f"ct status dnat {source} . {target} @hairpins goto disguise"
    if pods := around.bridged_pods:
        yield f"ct status dnat {source} {pods} {target} {pods} goto disguise"
    pods = around.cluster_cidr
    yield f"{source} {pods} {target} != {pods} {target} != @nodes goto disguise"


@dataclass(frozen=True, slots=True)
class _PortRules:
    """Writes what one Service's port needs. What is a verdict leads there; what it leads to is written with it."""

    plan: PortPlan
    cluster_cidr: str
    items: dict[Item, str]
    family: Family
    by_address: _Door

    def write(self) -> None:
        """Write all."""
        plan = self.plan
        self._add("cluster-ips", plan.cluster_ip, "")
        for address in plan.hairpins:
            self._add("hairpins", f"{address} . {address}", "")
        self._enter(self.by_address, plan.cluster_ip, self._internal(f"{plan.cluster_ip} . {plan.port}"))
        for address in (*plan.external_ips, *plan.balancer_ips):
            verdict = self._external(self.by_address, f"{address} . {plan.port}")
            self._enter(self.by_address, address, verdict)
        if plan.node_port:
            verdict = self._external(_BY_NODE_PORT, str(plan.node_port))
            self._add(_BY_NODE_PORT.holder, f"{plan.protocol} . {plan.node_port}", verdict)

    def _enter(self, door: _Door, address: str, verdict: str) -> None:
        self._add(door.holder, f"{address} . {self.plan.protocol} . {self.plan.port}", verdict)

    def _internal(self, asked: str) -> str:
        """Return what happens to a packet for the ClusterIP."""
        if not self.plan.cluster:
            return _REFUSE
        if not self.plan.internal_local:
            return self._cluster(self.by_address, asked)
        if not self.plan.local:
            return "drop"  # KEP-2086: there are endpoints, but not for this node's pods
        name = self._name(self.by_address, "internal", str(len(self.plan.local)))
        return self._chain(name, self._mark_strangers(), self._local(self.by_address, asked))

    def _external(self, door: _Door, asked: str) -> str:
        """Return what happens to a packet for a node port or an external address.

        Under Local the client's address is kept; who is inside the cluster is served as by the ClusterIP. A pod of another
        node that asks here is masqueraded: replies that do not come back through this node are nobody's.
        """
        if not self.plan.cluster:
            return _REFUSE
        cluster, count = self._cluster(door, asked), str(len(self.plan.cluster))
        if not self.plan.external_local:
            return self._chain(self._name(door, "external", count), _SET_MARK, cluster)
        return self._chain(
            self._name(door, "external", f"{count}-local-{len(self.plan.local)}"),
            f"{self.family.word} saddr @{_OWN_PODS} {cluster}",
            f"{self.family.word} saddr {self.cluster_cidr} {_SET_MARK} {cluster}",
            f"fib saddr type local {_SET_MARK} {cluster}",
            self._local(door, asked) if self.plan.local else "drop",
        )

    def _mark_strangers(self) -> str:
        """Return the rule by which replies to clients outside of the pod network come back through this node."""
        return f"{self.family.word} saddr != {self.cluster_cidr} {_SET_MARK}"

    def _cluster(self, door: _Door, asked: str) -> str:
        targets = self.plan.cluster
        choice = self._choose(targets, door, _ENDPOINTS, asked)
        return self._chain(self._name(door, "service", str(len(targets))), self._mark_strangers(), *choice)

    def _local(self, door: _Door, asked: str) -> str:
        targets = self.plan.local
        return self._chain(
            self._name(door, "local", str(len(targets))), *self._choose(targets, door, _LOCALS, asked)
        )

    def _choose(self, targets: Sequence[Target], door: _Door, kind: str, asked: str) -> tuple[str, ...]:
        """Return the rules that send a client to one of the endpoints."""
        if self.plan.affinity_s:
            ways = [(self._affinity(target), self._endpoint(target)) for target in sorted(targets)]
            return self._remember(ways)
        places, protocol = door.places(self.plan.protocol, kind), self.plan.protocol
        for number, target in enumerate(targets):
            self._add(places, f"{asked} . {number}", f"{target.ip} . {target.port}")
        place = f"numgen random mod {len(targets)}"
        # A table that is changed between a packet's two look-ups may not have the number any more: it is sent again.
        return f"dnat to {door.address}{protocol} dport . {place} map @{places}", "drop"

    def _remember(self, endpoints: Sequence[tuple[str, str]]) -> tuple[str, ...]:
        """Send a client that is remembered where it was, any other to one of the endpoints at random."""
        count = len(endpoints)
        return (
            *(f"{self.family.word} saddr @{known} {verdict}" for known, verdict in endpoints),
            *(
                f"numgen random mod {count - index} 0 {verdict}"
                for index, (_, verdict) in enumerate(endpoints[:-1])
            ),
            endpoints[-1][1],
        )

    def _endpoint(self, target: Target) -> str:
        """Return the way to an endpoint that remembers its clients."""
        known = self._affinity(target)
        place = f"[{target.ip}]:{target.port}" if self.family is V6 else f"{target.ip}:{target.port}"
        self.items[Item(SET, known)] = f"type {self.family.type}; size 65535; flags dynamic,timeout;"
        return self._chain(
            self._own_name("endpoint", f"/{target.ip}/{target.port}"),
            f"update @{known} {{ {self.family.word} saddr timeout {self.plan.affinity_s}s }}",
            f"meta l4proto {self.plan.protocol} dnat to {place}",
        )

    def _affinity(self, target: Target) -> str:
        return self._own_name("affinity", f"/{target.ip}/{target.port}")

    def _add(self, holder: str, key: str, value: str) -> None:
        self.items.setdefault(Item(holder, key), value)

    def _chain(self, name: str, *rules: str) -> str:
        self.items[Item(CHAIN, name)] = _lines(*rules)
        return sys.intern(f"goto {name}")  # there may be many

    def _name(self, door: _Door, kind: str, counts: str) -> str:
        """Name a chain: all ports with as many endpoints share it, except for those that remember their clients."""
        if self.plan.affinity_s:
            return self._own_name(kind)
        return f"{door.prefix}{kind}-{self.plan.protocol}-{counts}"

    def _own_name(self, kind: str, tail: str = "") -> str:
        """Name a chain or set so that people can read it, and no two are the same however long their names are."""
        plan = self.plan
        full = f"{plan.namespace}/{plan.service}/{plan.protocol}/{plan.port}{tail}"
        digest = hashlib.sha256(full.encode()).hexdigest()[:8]
        return _UNSAFE.sub("_", f"{kind}-{digest}-{full}")[:_NAME_LIMIT]


def _lines(*rules: str) -> str:
    return "\n".join(rules)
