"""Which machines a cluster's tunnel leads to: those whose nodes bear a label with the machine's address."""

from __future__ import annotations

from collections.abc import Iterable

from machinery.model.k8s.core_v1 import Node
from machinery.model.machines import MACHINE_ADDRESS
from proxy.core.routes import possible

EVERYBODY = "00:00:00:00:00:00"  # the entry of the forwarding database for what has no entry of its own


def wanted_peers(nodes: Iterable[Node], own: str, always: Iterable[str]) -> frozenset[str]:
    """Return the addresses (IPv4) of the other machines; `always` are some, whether they have nodes or not."""
    named = (node.metadata.labels.get(MACHINE_ADDRESS, "") for node in nodes)
    return frozenset(each for each in (*named, *always) if each != own and possible(each))


def diff_peers(wanted: Iterable[str], present: Iterable[str], link: str) -> list[str]:
    """Return the lines for `bridge -batch` that make the present peers the wanted ones."""
    new, old = set(wanted), set(present)
    return [
        *(f"fdb append {EVERYBODY} dev {link} dst {each}" for each in sorted(new - old)),
        *(f"fdb del {EVERYBODY} dev {link} dst {each}" for each in sorted(old - new)),
    ]
