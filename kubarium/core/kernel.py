"""What the network of nodes takes of the machine's kernel, as a script that finds out, and what to say of what is not there.

Everything is tried in a network namespace that goes with the script.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Final

_TABLES: Final = count()


@dataclass(frozen=True, slots=True)
class Need:
    """Something of the kernel."""

    name: str  # one word
    commands: str  # lines for a shell that fail where it is not there
    what_for: str  # what does not work without it
    is_needed: bool = True  # whether no node comes up without


def _rules(*lines: str) -> str:
    """Return the command that makes a table of its own with these maps, sets and chains."""
    text = " ".join(f"{line};" for line in lines)
    return f"nft 'table ip probe{next(_TABLES)} {{ {text} }}'"


_NAT: Final = "chain c { type nat hook prerouting priority -100;"
_FILTER: Final = "chain c { type filter hook forward priority 0;"
NEEDS: Final = (
    Need("veth", "ip link add p0 type veth peer name p1", "nodes and pods hang on cables"),
    Need("bridge", "ip link add p2 type bridge", "nodes and pods hang on bridges"),
    Need(
        "nf_tables",
        _rules(
            "map services { type ipv4_addr . inet_proto . inet_service : verdict; }",
            "set blocks { type ipv4_addr . inet_service; flags interval; }",
            f"{_NAT} ip daddr . meta l4proto . th dport vmap @services; }}",
        ),
        "each node's rules for Services and NetworkPolicies are maps of nftables",
    ),
    Need(
        "nft_nat",
        _rules(
            f"{_NAT} dnat ip to numgen random mod 2 map {{ 0 : 10.0.0.1, 1 : 10.0.0.2 }}; }}",
            "chain d { type nat hook postrouting priority 100; masquerade; }",
        ),
        "Services lead to their pods by it (dnat, masquerade, numgen)",
    ),
    Need(
        "nf_conntrack",
        _rules(f"{_FILTER} ct state established accept; fib daddr type local accept; reject; }}"),
        "answers come back by it, and NetworkPolicies know by it what is connected",
    ),
)
OPTIONAL: Final = (
    Need(
        "nft_dynset",
        _rules(
            "set s { type ipv4_addr; flags dynamic,timeout; timeout 1m; size 9; }",
            f"{_FILTER} update @s {{ ip saddr }}; }}",
        ),
        "Services with sessionAffinity do not work without it",
        is_needed=False,
    ),
    Need(
        "br_netfilter",
        "test -e /proc/sys/net/bridge/bridge-nf-call-iptables",
        "NetworkPolicies between two pods of one node do not work without it",
        is_needed=False,
    ),
    Need(
        "sch_tbf",
        "ip link add p4 type veth peer name p5 && tc qdisc add dev p4 root tbf rate 1mbit burst 32kbit latency 25ms",
        "pods with the annotation kubernetes.io/ingress-bandwidth do not start without it",
        is_needed=False,
    ),
    Need(
        "ifb",
        "ip link add p6 type veth peer name p7 && ip link add p8 type ifb && tc qdisc add dev p6 handle ffff: ingress && tc filter add dev p6"
        " parent ffff: protocol all u32 match u32 0 0 action mirred egress redirect dev p8",
        "pods with the annotation kubernetes.io/egress-bandwidth do not start without it",
        is_needed=False,
    ),
)
VXLAN: Final = Need(
    "vxlan",
    "ip link add p9 type vxlan id 1 dstport 4789 local 127.0.0.1",
    "the networks of machines that join (--listen, `kubarium join`) are one by it",
)


def needs(*, machines: bool) -> tuple[Need, ...]:
    """List what a cluster takes; `machines` is whether others join it."""
    return (*NEEDS, *OPTIONAL, *((VXLAN,) if machines else ()))


def script(wanted: Iterable[Need]) -> str:
    """Return a shell's script that prints the names of what is not there, a line each."""
    return "".join(f"{{ {each.commands}; }} >/dev/null 2>&1 || echo {each.name}\n" for each in wanted)


def lacks(wanted: Sequence[Need], printed: str) -> tuple[list[Need], list[Need]]:
    """Return of what is not there what no node comes up without, and the rest."""
    missing = [each for each in wanted if each.name in printed.split()]
    return [each for each in missing if each.is_needed], [each for each in missing if not each.is_needed]


def described(lack: Need) -> str:
    """Return a sentence for the user."""
    return f"this machine's kernel has no {lack.name}: {lack.what_for} (`modprobe {lack.name}` may bring it)"
