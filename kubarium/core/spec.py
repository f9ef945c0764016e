"""A cluster as the user asked for it: what spec.json holds and all else derives from."""

from __future__ import annotations

import re
from typing import Literal

import msgspec

Runtime = Literal["docker", "hollow"]
Profile = Literal["default", "fast"]

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_CAPACITY = re.compile(r"[0-9]+(\.[0-9]+)?(m|[kKMGTPE]i?)?")
SLOT_PORTS = 10  # ports that a slot has for itself
FIRST_PORT = 6443
MAX_SLOTS = 250  # the third octet of the backbone
MAX_NODES = 200


class SpecError(ValueError):
    """The cluster that was asked for cannot be; the message names the field."""


class NodeSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One node: its name, its place in the address plan, and the capacity that it declares."""

    name: str
    index: int  # 1-based, never used twice in a cluster's life
    cpu: str = ""  # a Kubernetes quantity; "" for what the machine has
    memory: str = ""
    labels: dict[str, str] = {}


class ClusterSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A cluster: its name, its slot among the clusters of this machine, its nodes and its pace."""

    name: str = "kubarium"
    slot: int = 0  # decides ports and the backbone's subnet, so that clusters live side by side
    runtime: Runtime = "docker"
    profile: Profile = "default"
    time_scale: float = 1.0
    api_port: int = 0  # 0: the slot's
    nodes: tuple[NodeSpec, ...] = ()
    next_index: int = 1

    @property
    def base_port(self) -> int:
        """The first of the slot's ports: REST, then gRPC, etcd's clients, etcd's peers."""
        return self.api_port or FIRST_PORT + SLOT_PORTS * self.slot

    @property
    def isolated(self) -> bool:
        """Whether each node is a network namespace of its own (needs root); else all share the machine's."""
        return self.runtime == "docker"

    def node(self, name: str) -> NodeSpec:
        """Find a node.

        Raises:
            SpecError: there is none of that name.
        """
        for node in self.nodes:
            if node.name == name:
                return node
        known = ", ".join(node.name for node in self.nodes) or "none"
        raise SpecError(f'cluster "{self.name}" has no node "{name}" (it has: {known})')

    def with_node(self, name: str = "", *, cpu: str = "", memory: str = "") -> ClusterSpec:
        """Add a node; without a name it is called node-N."""
        index = self.next_index
        node = NodeSpec(name=name or f"node-{index}", index=index, cpu=cpu, memory=memory)
        if any(node.name == other.name for other in self.nodes):
            raise SpecError(f'cluster "{self.name}" already has a node "{node.name}"')
        return checked(msgspec.structs.replace(self, nodes=(*self.nodes, node), next_index=index + 1))

    def without_node(self, name: str) -> ClusterSpec:
        """Take a node out."""
        gone = self.node(name)
        return msgspec.structs.replace(self, nodes=tuple(node for node in self.nodes if node is not gone))


def checked(spec: ClusterSpec) -> ClusterSpec:
    """Return the spec where it can be built.

    Raises:
        SpecError: it cannot; the message names the field.
    """
    _check_label("--name", spec.name, longest=24)
    if not spec.time_scale > 0 or spec.time_scale > 1000:
        raise SpecError(f"--time-scale: has to be above 0 and at most 1000, not {spec.time_scale}")
    if not 0 <= spec.api_port <= 65535 - SLOT_PORTS:
        raise SpecError(f"--api-port: has to be a port below {65535 - SLOT_PORTS}, not {spec.api_port}")
    if len(spec.nodes) > MAX_NODES or spec.next_index > MAX_NODES + 1:
        raise SpecError(f"--nodes: a cluster has at most {MAX_NODES} nodes in its life")
    for node in spec.nodes:
        _check_node(node)
    return spec


def _check_node(node: NodeSpec) -> None:
    _check_label("node name", node.name, longest=63)
    for flag, value in (("--cpu", node.cpu), ("--memory", node.memory)):
        if value and not _CAPACITY.fullmatch(value):
            raise SpecError(f'{flag}: "{value}" is no quantity; write it as 2, 500m, 512Mi or 4Gi')
        if value and not re.search("[1-9]", value):
            raise SpecError(f"{flag}: has to be above 0, not {value}")


def _check_label(what: str, value: str, *, longest: int) -> None:
    if len(value) > longest or not _LABEL.fullmatch(value):
        raise SpecError(
            f'{what}: "{value}" has to be lower-case letters, digits and "-", '
            f"starting and ending with a letter or digit, at most {longest} long"
        )
