"""The packet filter's rules of one node, as text for `nft -f -`.

Everything lives in one table of our own. A packet to a Service takes this way:

    prerouting, output (nat)
      services / nodeports      one verdict map each: address . protocol . port
        external-X              by a node port or an external address: masquerade, traffic policy
        internal-X              by the ClusterIP, under internalTrafficPolicy Local
        service-X / local-X     affinity, then one endpoint at random
          endpoint-X            remember the client, masquerade a hairpin, dnat
        refuse                  no endpoints, or no such port: reset or port-unreachable
    postrouting (nat)           masquerade what is marked, and what leaves the cluster

NAT looks at the first packet of a connection only, so a change of the rules never moves one that is established.
A new ruleset replaces the old one in one transaction, but the sets that remember clients (session affinity) stay.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from proxy.core.endpoints import PortPlan, Target

TABLE: Final = "ip kubarium-proxy"
MARK: Final = 0x4000  # on a packet that is to be masqueraded
_NAME_LIMIT: Final = 120  # the kernel takes 127 characters
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9/._-]")
_SET_MARK: Final = f"meta mark set meta mark or {MARK:#x}"
_KEY: Final = "meta l4proto . th dport"
_SERVICE_TYPE: Final = "type ipv4_addr . inet_proto . inet_service : verdict"
_NODE_PORT_TYPE: Final = "type inet_proto . inet_service : verdict"


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the rules need to know besides Services."""

    cluster_cidr: str  # every pod's address, "10.244.0.0/16"
    node_addresses: tuple[str, ...] = ()
    bridged_pods: str = ""  # own pod range, where the bridge hides replies between its pods from the filter


@dataclass(frozen=True, slots=True)
class Present:
    """The names that are in the kernel's table now."""

    chains: frozenset[str] = frozenset()
    sets: frozenset[str] = frozenset()
    maps: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Ruleset:
    """Rules by chain, and declarations by set and map; all in the order in which they are written."""

    chains: dict[str, Sequence[str]] = field(default_factory=dict)
    sets: dict[str, Sequence[str]] = field(default_factory=dict)
    maps: dict[str, Sequence[str]] = field(default_factory=dict)

    @property
    def names(self) -> Present:
        """What is in the kernel's table once this ruleset is."""
        return Present(frozenset(self.chains), frozenset(self.sets), frozenset(self.maps))

    def text(self) -> str:
        """Write the table."""
        blocks = [
            _block(kind, name, lines)
            for kind, members in (("set", self.sets), ("map", self.maps), ("chain", self.chains))
            for name, lines in members.items()
        ]
        return f"table {TABLE} {{\n{''.join(blocks)}}}\n"

    def transaction(self, present: Present | None) -> str:
        """Write the commands that put this ruleset in the place of what is there.

        With `present` None nothing of the old table is used again, whatever it holds; clients are forgotten.
        """
        if present is None:
            return f"add table {TABLE}\ndelete table {TABLE}\n{self.text()}"
        return "".join((f"add table {TABLE}\n", f"flush table {TABLE}\n", *self._clear(present), self.text()))

    def _clear(self, present: Present) -> list[str]:
        emptied = sorted(name for name in present.sets if not is_affinity(name))
        return [
            *(f"flush map {TABLE} {name}\n" for name in sorted(present.maps)),
            *(f"flush set {TABLE} {name}\n" for name in emptied),
            *(f"delete chain {TABLE} {name}\n" for name in sorted(present.chains - self.chains.keys())),
            *(f"delete map {TABLE} {name}\n" for name in sorted(present.maps - self.maps.keys())),
            *(f"delete set {TABLE} {name}\n" for name in sorted(present.sets - self.sets.keys())),
        ]


def is_affinity(set_name: str) -> bool:
    """Whether a set remembers clients."""
    return set_name.startswith("affinity-")


def plan_ruleset(plans: Sequence[PortPlan], around: Surroundings) -> Ruleset:
    """Write the rules of all Services; the same input makes the same text."""
    rules = Ruleset()
    services: dict[str, str] = {}
    node_ports: dict[str, str] = {}
    for plan in plans:
        port = _PortRules(plan, around, rules)
        services.setdefault(f"{plan.cluster_ip} . {plan.protocol} . {plan.port}", port.internal())
        if plan.has_external:
            external = port.external()
            for address in plan.external_ips:
                services.setdefault(f"{address} . {plan.protocol} . {plan.port}", external)
            if plan.node_port:
                node_ports.setdefault(f"{plan.protocol} . {plan.node_port}", external)
    rules.maps["services"] = _map(_SERVICE_TYPE, services)
    rules.maps["nodeports"] = _map(_NODE_PORT_TYPE, node_ports)
    rules.sets["nodes"] = _addresses(around.node_addresses)
    rules.sets["cluster-ips"] = _addresses({plan.cluster_ip for plan in plans})
    _write_base(rules, around)
    return rules


def _write_base(rules: Ruleset, around: Surroundings) -> None:
    """Add the chains that are there without any Service, after all that they lead to."""
    dispatch = (
        f"ip daddr . {_KEY} vmap @services",
        "ip daddr @cluster-ips goto refuse",  # a port that it does not have
        f"fib daddr type local ip daddr != 127.0.0.0/8 {_KEY} vmap @nodeports",
    )
    rules.chains["refuse"] = (
        "meta l4proto tcp reject with tcp reset",
        "reject with icmp type port-unreachable",
    )
    rules.chains["disguise"] = (
        f"meta mark set meta mark and {0xFFFFFFFF ^ MARK:#x}",
        "masquerade fully-random",
    )
    rules.chains["prerouting"] = ("type nat hook prerouting priority -100; policy accept;", *dispatch)
    rules.chains["output"] = ("type nat hook output priority -100; policy accept;", *dispatch)
    rules.chains["postrouting"] = _postrouting(around)


def _postrouting(around: Surroundings) -> tuple[str, ...]:
    lines = ["type nat hook postrouting priority 100; policy accept;"]
    lines.append(f"meta mark and {MARK:#x} == {MARK:#x} goto disguise")
    if pods := around.bridged_pods:
        lines.append(f"ct status dnat ip saddr {pods} ip daddr {pods} goto disguise")
    pods = around.cluster_cidr
    lines.append(f"ip saddr {pods} ip daddr != {pods} ip daddr != @nodes goto disguise")
    return tuple(lines)


@dataclass(frozen=True, slots=True)
class _PortRules:
    """Writes the chains of one Service's port; each method returns the verdict that leads there."""

    plan: PortPlan
    around: Surroundings
    rules: Ruleset

    def internal(self) -> str:
        """What happens to a packet for the ClusterIP."""
        if not self.plan.cluster:
            return "goto refuse"
        if not self.plan.internal_local:
            return self._cluster()
        if not self.plan.local:
            return "drop"  # KEP-2086: there are endpoints, but not for this node's pods
        chain = self._name("internal")
        self.rules.chains[chain] = (self._mark_strangers(), self._local())
        return f"goto {chain}"

    def external(self) -> str:
        """What happens to a packet for a node port or an external address."""
        if not self.plan.cluster:
            return "goto refuse"
        chain = self._name("external")
        self.rules.chains[chain] = self._external_rules()
        return f"goto {chain}"

    def _external_rules(self) -> tuple[str, ...]:
        """Under Local the client's address is kept; who is inside the cluster is served as by the ClusterIP."""
        if not self.plan.external_local:
            return (_SET_MARK, self._cluster())
        cluster = self._cluster()
        return (
            f"ip saddr {self.around.cluster_cidr} {cluster}",
            f"fib saddr type local {_SET_MARK} {cluster}",
            self._local() if self.plan.local else "drop",
        )

    def _mark_strangers(self) -> str:
        """Return the rules by which replies to clients outside of the pod network come back through this node."""
        return f"ip saddr != {self.around.cluster_cidr} {_SET_MARK}"

    def _cluster(self) -> str:
        chain = self._name("service")
        self.rules.chains[chain] = (self._mark_strangers(), *self._balance(self.plan.cluster))
        return f"goto {chain}"

    def _local(self) -> str:
        chain = self._name("local")
        self.rules.chains[chain] = self._balance(self.plan.local)
        return f"goto {chain}"

    def _balance(self, targets: Sequence[Target]) -> tuple[str, ...]:
        """Send a client that is remembered where it was, any other to one of the endpoints at random."""
        chains = [self._endpoint(target) for target in targets]
        sticky = (
            [
                f"ip saddr @{self._affinity(target)} goto {chain}"
                for target, chain in zip(targets, chains, strict=True)
            ]
            if self.plan.affinity_s
            else []
        )
        choice = ", ".join(f"{number} : goto {chain}" for number, chain in enumerate(chains))
        return (*sticky, f"numgen random mod {len(chains)} vmap {{ {choice} }}")

    def _endpoint(self, target: Target) -> str:
        chain = self._name("endpoint", f"/{target.ip}/{target.port}")
        lines = [f"ip saddr {target.ip} {_SET_MARK}"]  # a pod that reaches itself
        if self.plan.affinity_s:
            known = self._affinity(target)
            self.rules.sets[known] = ("type ipv4_addr; size 65535; flags dynamic,timeout;",)
            lines.append(f"update @{known} {{ ip saddr timeout {self.plan.affinity_s}s }}")
        lines.append(f"meta l4proto {self.plan.protocol} dnat to {target.ip}:{target.port}")
        self.rules.chains[chain] = lines
        return chain

    def _affinity(self, target: Target) -> str:
        return self._name("affinity", f"/{target.ip}/{target.port}")

    def _name(self, kind: str, tail: str = "") -> str:
        """Name a chain or set so that people can read it, and no two are the same however long their names are."""
        plan = self.plan
        full = f"{plan.namespace}/{plan.service}/{plan.protocol}/{plan.port}{tail}"
        digest = hashlib.sha256(full.encode()).hexdigest()[:8]
        return _UNSAFE.sub("_", f"{kind}-{digest}-{full}")[:_NAME_LIMIT]


def _block(kind: str, name: str, lines: Sequence[str]) -> str:
    body = "".join(f"    {line}\n" for line in lines)
    return f"  {kind} {name} {{\n{body}  }}\n"


def _map(kind: str, elements: dict[str, str]) -> tuple[str, ...]:
    if not elements:
        return (f"{kind};",)
    pairs = ",\n      ".join(f"{key} : {verdict}" for key, verdict in elements.items())
    return (f"{kind};", f"elements = {{\n      {pairs}\n    }}")


def _addresses(addresses: Iterable[str]) -> tuple[str, ...]:
    known = sorted({ipaddress.IPv4Address(address) for address in addresses})
    declaration = "type ipv4_addr;"
    return (declaration, f"elements = {{ {', '.join(map(str, known))} }}") if known else (declaration,)
