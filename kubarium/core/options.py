"""What the user asked of `up`, compared with the cluster that there is.

What was not said is None (or "") and agrees with everything; where there is no cluster yet the spec's defaults hold.
Options of a cluster that exists are never ignored: one that cannot be had any more is named, and more nodes are added.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from kubarium.core.spec import ZONE, ClusterSpec, Runtime, SpecError, checked

DEFAULT_NODES = 3
RUNTIMES = ("auto", "docker", "hollow")
_COUNTS = ("etcd", "apiservers", "schedulers", "controllers")
_FIELDS = ("profile", "time_scale", *_COUNTS, "check_invariants")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The options of `up`, each None or "" where nothing was said."""

    nodes: int | None = None
    runtime: str | None = None  # "auto": the best that works here
    profile: str | None = None
    time_scale: float | None = None
    api_port: int | None = None
    etcd: int | None = None
    apiservers: int | None = None
    schedulers: int | None = None
    controllers: int | None = None
    cpu: str = ""  # of each node
    memory: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    taints: tuple[str, ...] = ()
    zones: tuple[str, ...] = ()  # given to the nodes in turn
    check_invariants: bool | None = None

    def new_spec(self, name: str, runtime: Runtime = "hollow", *, origin: str = "") -> ClusterSpec:
        """Return the spec of a new cluster, in slot 0.

        Raises:
            SpecError: it cannot be; the message names the option.
        """
        fields = {each: value for each in _FIELDS if (value := getattr(self, each)) is not None}
        if self.runtime not in {None, *RUNTIMES}:
            raise SpecError(f"--runtime: has to be one of {', '.join(RUNTIMES)}, not {self.runtime!r}")
        try:
            spec = msgspec.convert(
                fields | {"name": name, "runtime": runtime, "api_port": self.api_port or 0, "origin": origin},
                ClusterSpec,
            )
        except msgspec.ValidationError as error:
            raise SpecError(f"{_flag_in(str(error))}{error}") from error
        nodes = DEFAULT_NODES if self.nodes is None else self.nodes
        if not isinstance(nodes, int) or nodes < 0:
            raise SpecError(f"--nodes: has to be a number, 0 or more, not {nodes!r}")
        return self._with_nodes(checked(spec), nodes)

    def differences(self, spec: ClusterSpec) -> list[str]:
        """List the options that a cluster does not have, and cannot get while it exists, with what it has."""
        found = [
            _difference(each, wanted, getattr(spec, each))
            for each in _FIELDS
            if (wanted := getattr(self, each)) is not None and wanted != getattr(spec, each)
        ]
        if self.runtime not in {None, "auto", spec.runtime}:
            found.append(_difference("runtime", self.runtime, spec.runtime))
        if self.api_port not in {None, 0, spec.base_port}:
            found.append(_difference("api_port", self.api_port, spec.base_port))
        for each in ("cpu", "memory"):
            wanted, had = getattr(self, each), {getattr(node, each) for node in spec.nodes}
            if wanted and had - {wanted}:
                found.append(
                    _difference(each, wanted, ", ".join(sorted(had - {wanted, ""})) or "the machine's")
                )
        found += self._lacking(spec)
        if self.nodes is not None and self.nodes < len(spec.nodes):
            found.append(
                f"{_difference('nodes', self.nodes, len(spec.nodes))}; `kubarium node rm` removes one"
            )
        return found

    def missing_nodes(self, spec: ClusterSpec) -> int:
        """Return how many nodes are to be added to a cluster."""
        return max(0, (self.nodes or 0) - len(spec.nodes))

    def extended(self, spec: ClusterSpec) -> ClusterSpec:
        """Return a spec with the nodes that were asked for and that it does not have yet.

        Raises:
            SpecError: there would be too many.
        """
        return self._with_nodes(spec, self.missing_nodes(spec))

    def _with_nodes(self, spec: ClusterSpec, count: int) -> ClusterSpec:
        for _ in range(count):
            spec = spec.with_node(
                cpu=self.cpu,
                memory=self.memory,
                labels=self.labels_of(spec.next_index),
                taints=self.taints,
            )
        return spec

    def labels_of(self, index: int) -> dict[str, str]:
        """Return the labels of the node with that place in the address plan, its zone among them."""
        zone = {ZONE: self.zones[(index - 1) % len(self.zones)]} if self.zones else {}
        return {**self.labels, **zone}

    def _lacking(self, spec: ClusterSpec) -> list[str]:
        """List the labels and taints that a node of a cluster does not have, each with the first such node."""
        found: dict[str, str] = {}
        for node in spec.nodes:
            for key, value in self.labels_of(node.index).items():
                if node.labels.get(key) != value:
                    found.setdefault(f"--label {key}={value}", node.name)
            for taint in self.taints:
                if taint not in node.taints:
                    found.setdefault(f"--taint {taint}", node.name)
        return [f"{option} ({name} does not have it)" for option, name in found.items()]


def _difference(field: str, wanted: Any, had: Any) -> str:
    return f"{_flag(field)} {_text(wanted)} (it has {_text(had)})"


def _text(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _flag(field: str) -> str:
    return f"--{field.replace('_', '-')}"


def _flag_in(message: str) -> str:
    """Return the flag of the field that an error of msgspec is about, "" where it names none."""
    return next((f"{_flag(each)}: " for each in _FIELDS if f"$.{each}`" in message), "")
