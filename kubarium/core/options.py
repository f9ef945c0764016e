"""What the user asked of `up`, compared with the cluster that there is.

What was not said is None (or "") and agrees with everything; where there is no cluster yet the spec's defaults hold.
Options of a cluster that exists are never ignored: one that cannot be had any more is named, and more nodes are added.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, get_args

import msgspec

from kubarium.core.spec import (
    PLANE_FLAGS,
    ZONE,
    ClusterSpec,
    Dns,
    IpFamilies,
    NodeSpec,
    Profile,
    Runtime,
    SpecError,
    checked,
)

DEFAULT_NODES = 3
_UNSAID: tuple[Any, ...] = (None, "", {}, ())
RUNTIMES = ("auto", "docker", "hollow")
DNS_WAYS = ("auto", *get_args(Dns))
_COUNTS = ("etcd", "apiservers", "schedulers", "controllers")
_FIELDS = (
    "profile",
    "time_scale",
    *_COUNTS,
    "process_memory",
    "registry_port",
    "mtu",
    "listen",
    "ip_families",
    "cni_conf",
    "dns",
    "publish",
    "load_balancer_pool",
    "access_log",
    "check_invariants",
    "hollow_nodes",
    "hollow_cpu",
    "hollow_memory",
    "hollow_pods",
    "hollow_taints",
)


PROFILES = get_args(Profile)
_CHOICES: Mapping[str, tuple[str, ...]] = {
    "runtime": RUNTIMES,
    "profile": PROFILES,
    "dns": DNS_WAYS,
    "ip_families": get_args(IpFamilies),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredNode:
    """A node as it was asked for; "" and nothing where nothing was said."""

    name: str = ""  # "": as it comes, node-N
    cpu: str = ""
    memory: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    taints: tuple[str, ...] = ()
    kubelet_args: Mapping[str, str] = field(default_factory=dict)
    bootstrap: bool = False


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
    process_memory: str | None = None
    registry_port: int | None = None
    mtu: int | None = None
    listen: str | None = None  # the machine's IPv4 address for further machines
    ip_families: str | None = None  # "ipv4" or "ipv4,ipv6"
    cni_conf: str | None = None  # the path of a file
    dns: str | None = None  # "auto": a workload where the image for it is there
    publish: tuple[str, ...] | None = None  # as `kubarium.core.publications` reads them
    load_balancer_pool: str | None = None
    access_log: bool | None = None
    hollow_nodes: int | None = None
    hollow_cpu: str | None = None
    hollow_memory: str | None = None
    hollow_pods: int | None = None
    hollow_taints: tuple[str, ...] | None = None  # key=value:Effect, or "none"
    apiserver_args: Mapping[str, str] = field(default_factory=dict)  # flags of each apiserver, without "--"
    controllers_args: Mapping[str, str] = field(default_factory=dict)  # likewise
    scheduler_args: Mapping[str, str] = field(default_factory=dict)
    cpu: str = ""  # of each node
    memory: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    taints: tuple[str, ...] = ()
    kubelet_args: Mapping[str, str] = field(default_factory=dict)  # flags of each kubelet, without "--"
    zones: tuple[str, ...] = ()  # given to the nodes in turn
    declared: tuple[DeclaredNode, ...] | None = None  # each by its name, as a cluster file has them
    check_invariants: bool | None = None

    def over(self, others: Options) -> Options:
        """Return these options, and the others where nothing was said here."""
        said = {
            each.name: value for each in fields(self) if (value := getattr(self, each.name)) not in _UNSAID
        }
        return replace(others, **said)

    def new_spec(self, name: str, runtime: Runtime = "hollow", *, origin: str = "") -> ClusterSpec:
        """Return the spec of a new cluster, in slot 0.

        Raises:
            SpecError: it cannot be; the message names the option.
        """
        fields = {each: value for each in _FIELDS if (value := getattr(self, each)) is not None}
        if self.dns == "auto":  # decided where it is known which images there are
            del fields["dns"]
        for option, allowed in _CHOICES.items():
            if (value := getattr(self, option)) not in {None, *allowed}:
                between = "; " if "," in allowed[-1] else ", "
                raise SpecError(f"has to be one of {between.join(allowed)}, not {value!r}", _flag(option))
        try:
            spec = msgspec.convert(
                fields
                | {"name": name, "runtime": runtime, "api_port": self.api_port or 0, "origin": origin}
                | {f"{program}_args": dict(self._args_of(program)) for program in PLANE_FLAGS},
                ClusterSpec,
            )
        except msgspec.ValidationError as error:
            raise SpecError(str(error), _flag_in(str(error))) from error
        if self.nodes is not None and (not isinstance(self.nodes, int) or self.nodes < 0):
            raise SpecError(f"has to be a number, 0 or more, not {self.nodes!r}", "--nodes")
        if self.count is None:
            return replace(self, nodes=DEFAULT_NODES).extended(checked(spec))
        return self.extended(checked(spec))

    def _args_of(self, program: str) -> Mapping[str, str]:
        args: Mapping[str, str] = getattr(self, f"{program}_args")
        return args

    @property
    def count(self) -> int | None:
        """How many nodes were asked for; None where nothing was said."""
        if self.nodes is None and self.declared is not None:
            return len(self.declared)
        return self.nodes

    def differences(self, spec: ClusterSpec) -> list[str]:
        """List the options that a cluster does not have, and cannot get while it exists, with what it has."""
        found = [
            _difference(each, wanted, getattr(spec, each))
            for each in _FIELDS
            if (wanted := getattr(self, each)) is not None and wanted != getattr(spec, each)
            if not (each == "dns" and wanted == "auto")
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
        found += [
            f"--{program}-arg {name}={value} (it has {spec.args_of(program).get(name, 'none')})"
            for program in PLANE_FLAGS
            for name, value in self._args_of(program).items()
            if spec.args_of(program).get(name) != value
        ]
        found += self._lacking(spec)
        if self.count is not None and self.count < len(spec.nodes) + len(self._missing_declared(spec)):
            declared = {node.name for node in (self.declared or ())[: self.count]}
            others = ", ".join(node.name for node in spec.nodes if node.name not in declared)
            has = f"{others} besides" if declared else str(len(spec.nodes))
            found.append(f"{_difference('nodes', self.count, has)}; `kubarium node rm` removes one")
        return found

    def missing_nodes(self, spec: ClusterSpec) -> Iterator[DeclaredNode]:
        """List the nodes that were asked for and that a cluster does not have, with what each is to declare."""
        missing = self._missing_declared(spec)
        unnamed = max(0, (self.count or 0) - len(spec.nodes) - len(missing))
        for index, node in enumerate([*missing, *[DeclaredNode()] * unnamed], spec.next_index):
            yield self._as_wanted(node, index)

    def extended(self, spec: ClusterSpec) -> ClusterSpec:
        """Return a spec with the nodes that were asked for and that it does not have yet.

        Raises:
            SpecError: there would be too many, or what one is to declare cannot be.
        """
        for node in self.missing_nodes(spec):
            spec = spec.with_node(
                node.name,
                cpu=node.cpu,
                memory=node.memory,
                labels=node.labels,
                taints=node.taints,
                kubelet_args=node.kubelet_args,
                bootstrap=node.bootstrap,
            )
        return spec

    def _missing_declared(self, spec: ClusterSpec) -> list[DeclaredNode]:
        """List the declared nodes that a cluster does not have, of those first ones that are asked for."""
        known = {node.name for node in spec.nodes}
        return [node for node in (self.declared or ())[: self.count] if node.name not in known]

    def _as_wanted(self, node: DeclaredNode, index: int) -> DeclaredNode:
        """Return a node with the options for all nodes over what it declares itself."""
        zone = {ZONE: self.zones[(index - 1) % len(self.zones)]} if self.zones else {}
        return replace(
            node,
            cpu=self.cpu or node.cpu,
            memory=self.memory or node.memory,
            labels={**node.labels, **self.labels, **zone},
            taints=self.taints or node.taints,
            kubelet_args={**node.kubelet_args, **self.kubelet_args},
        )

    def _lacking(self, spec: ClusterSpec) -> list[str]:
        """List what nodes of a cluster do not have and should, each with the first such node."""
        found: dict[str, str] = {}
        declared = {node.name: node for node in (self.declared or ())[: self.count]}
        for node in spec.nodes:
            wanted = self._as_wanted(declared.get(node.name, DeclaredNode()), node.index)
            for option in _lacking_in(node, wanted, is_declared=node.name in declared):
                found.setdefault(option, node.name)
        return [f"{option} ({name} does not have it)" for option, name in found.items()]


def _lacking_in(node: NodeSpec, wanted: DeclaredNode, *, is_declared: bool) -> Iterator[str]:
    """List what a node lacks, as options; the capacity of one that is declared for itself as well."""
    for key, value in wanted.labels.items():
        if node.labels.get(key) != value:
            yield f"--label {key}={value}"
    for taint in wanted.taints:
        if taint not in node.taints:
            yield f"--taint {taint}"
    for name, value in wanted.kubelet_args.items():
        if node.kubelet_args.get(name) != value:
            yield f"--kubelet-arg {name}={value}"
    if is_declared and wanted.bootstrap and not node.bootstrap:
        yield "bootstrap: true"
    for flag, value, had in (("--cpu", wanted.cpu, node.cpu), ("--memory", wanted.memory, node.memory)):
        if is_declared and value and value != had:
            yield f"{flag} {value}"


def _difference(field: str, wanted: Any, had: Any) -> str:
    return f"{_flag(field)} {_text(wanted)} (it has {_text(had)})"


def _text(value: Any) -> str:
    if isinstance(value, tuple):
        return " ".join(value) or "none"
    return f"{value:g}" if isinstance(value, float) else str(value) or "none"


def _flag(field: str) -> str:
    return "--registry" if field == "registry_port" else f"--{field.replace('_', '-')}"


def _flag_in(message: str) -> str:
    """Return the flag of the field that an error of msgspec is about, "" where it names none."""
    return next((_flag(each) for each in _FIELDS if f"$.{each}`" in message), "")
