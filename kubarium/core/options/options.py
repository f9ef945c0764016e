"""What the user asked of `up`: by flags, a cluster file, keywords, or some of them over others.

What was not said agrees with everything; where there is no cluster yet the spec's defaults hold.
Options of a cluster that exists are never ignored: `differences` names one that cannot be had any more, and more nodes are
added.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Self, TypeVar, Unpack, cast

import msgspec

from kubarium.core.handed_flags import PLANE_FLAGS
from kubarium.core.options.option import check_known
from kubarium.core.options.up_options import OPTIONS, EachNode, UpOptions, flag
from kubarium.core.spec import ClusterSpec, Runtime, checked
from kubarium.core.spec_rules import ZONE, SpecError

DEFAULT_NODES: Final = 3
_UNSAID: Final[tuple[Any, ...]] = (None, "", {}, ())

_OF_CLUSTER: Final = [  # those that a spec has as they were said; the others have rules of their own
    name
    for name in UpOptions.__annotations__
    if name in ClusterSpec.__struct_fields__
    and name not in {"nodes", "runtime", "api_port", *(f"{program}_args" for program in PLANE_FLAGS)}
]

V = TypeVar("V")


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

    @property
    def declares(self) -> EachNode:
        """What it declares, without its name."""
        return EachNode(
            cpu=self.cpu,
            memory=self.memory,
            labels=dict(self.labels),
            taints=self.taints,
            kubelet_args=dict(self.kubelet_args),
        )

    def under(self, options: EachNode) -> DeclaredNode:
        """Return the node with the options for all nodes over what it declares itself."""
        return replace(
            self,
            cpu=options.get("cpu") or self.cpu,
            memory=options.get("memory") or self.memory,
            labels={**self.labels, **(options.get("labels") or {})},
            taints=tuple(options.get("taints") or self.taints),
            kubelet_args={**self.kubelet_args, **(options.get("kubelet_args") or {})},
        )


@dataclass(frozen=True, slots=True)
class Options:
    """The options of one `up`: what was said, and the nodes that a cluster file declares one by one."""

    said: UpOptions  # without those that are None; lists are tuples
    declared: tuple[DeclaredNode, ...] | None = None

    @classmethod
    def of(cls, **said: Unpack[UpOptions]) -> Self:
        """Build options from keywords; one that is None was not said.

        Raises:
            TypeError: there is no such option.
        """
        check_known(said, UpOptions)
        given = {name: _fixed(value) for name, value in said.items() if value is not None}
        return cls(cast("UpOptions", given))

    def over(self, others: Options) -> Options:
        """Return these options, and the others where nothing was said here."""
        said = {name: value for name, value in self.said.items() if value not in _UNSAID}
        return Options(cast("UpOptions", {**others.said, **said}), self.declared or others.declared)

    @property
    def count(self) -> int | None:
        """How many nodes were asked for; None where nothing was said."""
        if self.declared is not None:
            return self.said.get("nodes", len(self.declared))
        return self.said.get("nodes")

    @property
    def for_cluster(self) -> dict[str, Any]:
        """What was said of the cluster itself, as fields of its spec; flags of its programs are handed on by `args_of`."""
        said: Mapping[str, Any] = self.said
        fields = {name: said[name] for name in _OF_CLUSTER if name in said}
        if fields.get("dns") == "auto":  # decided where it is known which images there are
            del fields["dns"]
        return fields

    def args_of(self, program: str) -> dict[str, str]:
        """Return the flags that were said for a program of PLANE_FLAGS."""
        args: Any = self.said.get(f"{program}_args")
        return dict(args or {})

    def new_spec(self, name: str, runtime: Runtime = "hollow", *, origin: str = "") -> ClusterSpec:
        """Return the spec of a new cluster, in slot 0.

        Raises:
            SpecError: it cannot be; the message names the option.
        """
        self._check_choices()
        fields = self.for_cluster | {"name": name, "runtime": runtime, "origin": origin}
        fields |= {"api_port": self.said.get("api_port", 0)}
        fields |= {f"{program}_args": self.args_of(program) for program in PLANE_FLAGS}
        try:
            spec = msgspec.convert(fields, ClusterSpec)
        except msgspec.ValidationError as error:
            raise SpecError(str(error), _flag_in(str(error))) from error
        nodes: object = self.said.get("nodes", 0)
        if not isinstance(nodes, int) or nodes < 0:
            raise SpecError(f"has to be a number, 0 or more, not {nodes!r}", "--nodes")
        wanted = self if self.count is not None else Options.of(nodes=DEFAULT_NODES).over(self)
        return wanted.extended(checked(spec))

    def missing_nodes(self, spec: ClusterSpec) -> Iterator[DeclaredNode]:
        """List the nodes that were asked for and that a cluster does not have, with what each is to declare."""
        missing = self.missing_declared(spec)
        unnamed = max(0, (self.count or 0) - len(spec.nodes) - len(missing))
        for index, node in enumerate([*missing, *[DeclaredNode()] * unnamed], spec.next_index):
            yield self.for_node(node, index)

    def missing_declared(self, spec: ClusterSpec) -> list[DeclaredNode]:
        """List the declared nodes that a cluster does not have, of those first ones that are asked for."""
        known = {node.name for node in spec.nodes}
        return [node for node in (self.declared or ())[: self.count] if node.name not in known]

    def extended(self, spec: ClusterSpec) -> ClusterSpec:
        """Return a spec with the nodes that were asked for and that it does not have yet.

        Raises:
            SpecError: there would be too many, or what one is to declare cannot be.
        """
        for node in self.missing_nodes(spec):
            spec = spec.with_node(node.name, bootstrap=node.bootstrap, **node.declares)
        return spec

    def for_node(self, node: DeclaredNode, index: int) -> DeclaredNode:
        """Return the node of that place in the address plan with the options for all nodes over what it declares itself."""
        zones = self.said.get("zones")
        zone = {ZONE: zones[(index - 1) % len(zones)]} if zones else {}
        said = node.under(self.said)
        return replace(said, labels={**said.labels, **zone})

    def _check_choices(self) -> None:
        """Check the options that have choices: the command line refuses others itself, Python and files do not.

        Raises:
            SpecError: one is none of them.
        """
        for name, value in self.said.items():
            choices = OPTIONS[name].choices if name in OPTIONS else ()
            if choices and value not in choices:
                between = "; " if "," in choices[-1] else ", "
                raise SpecError(f"has to be one of {between.join(choices)}, not {value!r}", flag(name))


def _fixed(value: V) -> V | tuple[Any, ...]:
    return tuple(value) if isinstance(value, Sequence) and not isinstance(value, str) else value


def _flag_in(message: str) -> str:
    """Return the flag of the field that an error of msgspec is about, "" where it names none."""
    return next((flag(each) for each in _OF_CLUSTER if f"$.{each}`" in message), "")
