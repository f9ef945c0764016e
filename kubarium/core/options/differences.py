"""What a cluster that exists does not have of what was asked for: each as the option, with what the cluster has."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kubarium.core.handed_flags import PLANE_FLAGS
from kubarium.core.options.options import DeclaredNode, Options
from kubarium.core.options.up_options import flag
from kubarium.core.spec import ClusterSpec, NodeSpec


def differences(options: Options, spec: ClusterSpec) -> list[str]:
    """List the options that a cluster does not have, and cannot get while it exists, with what it has."""
    return [
        *_of_cluster(options, spec),
        *_of_capacity(options, spec),
        *_of_flags(options, spec),
        *_of_nodes(options, spec),
        *_of_count(options, spec),
    ]


def _of_cluster(options: Options, spec: ClusterSpec) -> Iterator[str]:
    for name, wanted in options.for_cluster.items():
        if wanted != (had := getattr(spec, name)):
            yield _difference(name, wanted, had)
    runtime, port = options.said.get("runtime"), options.said.get("api_port")
    if runtime not in {None, "auto", spec.runtime}:
        yield _difference("runtime", runtime, spec.runtime)
    if port not in {None, 0, spec.base_port}:
        yield _difference("api_port", port, spec.base_port)


def _of_capacity(options: Options, spec: ClusterSpec) -> Iterator[str]:
    """List the capacities for all nodes that some do not have."""
    for name, wanted in (("cpu", options.said.get("cpu")), ("memory", options.said.get("memory"))):
        others = {getattr(node, name) for node in spec.nodes} - {wanted}
        if wanted and others:
            yield _difference(name, wanted, ", ".join(sorted(others - {""})) or "the machine's")


def _of_flags(options: Options, spec: ClusterSpec) -> Iterator[str]:
    for program in PLANE_FLAGS:
        had = spec.args_of(program)
        for name, value in options.args_of(program).items():
            if had.get(name) != value:
                yield f"--{program}-arg {name}={value} (it has {had.get(name, 'none')})"


def _of_nodes(options: Options, spec: ClusterSpec) -> Iterator[str]:
    """List what nodes of a cluster do not have and should, each with the first such node."""
    found: dict[str, str] = {}
    declared = {node.name: node for node in (options.declared or ())[: options.count]}
    for node in spec.nodes:
        wanted = options.for_node(declared.get(node.name, DeclaredNode()), node.index)
        for option in _lacking_in(node, wanted, is_declared=node.name in declared):
            found.setdefault(option, node.name)
    for option, name in found.items():
        yield f"{option} ({name} does not have it)"


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
    for option, value, had in (("--cpu", wanted.cpu, node.cpu), ("--memory", wanted.memory, node.memory)):
        if is_declared and value and value != had:
            yield f"{option} {value}"


def _of_count(options: Options, spec: ClusterSpec) -> Iterator[str]:
    """Say where there are more nodes than were asked for."""
    if options.count is None or options.count >= len(spec.nodes) + len(options.missing_declared(spec)):
        return
    declared = {node.name for node in (options.declared or ())[: options.count]}
    others = ", ".join(node.name for node in spec.nodes if node.name not in declared)
    has = f"{others} besides" if declared else str(len(spec.nodes))
    yield f"{_difference('nodes', options.count, has)}; `kubarium node rm` removes one"


def _difference(name: str, wanted: Any, had: Any) -> str:
    return f"{flag(name)} {_text(wanted)} (it has {_text(had)})"


def _text(value: Any) -> str:
    if isinstance(value, tuple):
        return " ".join(value) or "none"
    return f"{value:g}" if isinstance(value, float) else str(value) or "none"
