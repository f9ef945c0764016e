"""What could be changed so that nodes do not reject a pod any more, by the plugin that rejects them.

    NodeResourcesFit      smaller requests: so that one node has room, half of them, all of them
    TaintToleration       tolerations of a node's taints
    NodeUnschedulable     the cordon is lifted
    NodeAffinity          labels for nodes; the pod without its selector or terms
    NodePorts             without a host port
    PodTopologySpread     a larger maxSkew; or the constraint is only a wish
    InterPodAffinity      a required term of the pod is left out
    volumes, devices      without a volume, without a claim

These are guesses: `hints` tries each of them, and tells only what has helped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from msgspec.structs import replace

from machinery.model.k8s.core_v1 import (
    Container,
    Node,
    NodeSelectorTerm,
    Pod,
    ResourceRequirements,
    Taint,
    Toleration,
)
from machinery.model.placement import CPU, EPHEMERAL_STORAGE, MEMORY, host_ports
from machinery.model.pods import PodRequests, container_requests, requests
from machinery.model.taints import untolerated
from scheduler.core.node import NodeInfo
from scheduler.core.plugins import (
    inter_pod_affinity,
    node_affinity,
    node_ports,
    node_resources_fit,
    node_unschedulable,
    node_volume_limits,
    taint_toleration,
    topology_spread,
    volume_binding,
    volume_restrictions,
    volume_zone,
)
from scheduler.core.plugins.dynamic_resources import DynamicResources
from scheduler.core.rejection import Rejection

_BARRING: Final = ("NoSchedule", "NoExecute")
_BYTES: Final = frozenset({MEMORY, EPHEMERAL_STORAGE})
_MI: Final = 2**20


@dataclass(frozen=True, slots=True)
class Change:
    """A change of the pod, or of nodes."""

    text: str  # what follows an "if": "cpu request ≤ 400m"
    pod: Pod
    nodes: Mapping[str, Node] = field(default_factory=dict)  # those that are changed, as they would be
    topology_key: str = ""  # of the domains that are opened by it


@dataclass(frozen=True, slots=True)
class Rejected:
    """The nodes that one plugin rejects; it is the first of each of them that does."""

    pod: Pod
    nodes: Sequence[tuple[Node, NodeInfo, Rejection]]


Propose: TypeAlias = Callable[[Rejected], Iterable[Change]]


def propose(pod: Pod, plugin: str, nodes: Sequence[tuple[Node, NodeInfo, Rejection]]) -> list[Change]:
    """Return changes that may help a pod with nodes that a plugin rejects; none where nothing is known."""
    known = _PROPOSALS.get(plugin)
    return list(known(Rejected(pod, nodes))) if known else []


# -- resources --


def _resources(found: Rejected) -> Iterator[Change]:
    wanted = amounts_of(requests(found.pod))
    groups: dict[tuple[str, ...], list[Mapping[str, int]]] = {}
    for _, node, _ in found.nodes:
        free = _free(node, wanted)
        short = tuple(name for name, amount in free.items() if amount < wanted[name])
        if short and all(free[name] > 0 for name in short):
            groups.setdefault(short, []).append(free)
    for short, frees in groups.items():
        ranked = sorted(frees, key=lambda free: min(free[name] / wanted[name] for name in short))
        least = {name: min(free[name] for free in ranked) for name in short}
        for room in (ranked[-1], ranked[len(ranked) // 2], least):
            smaller = found.pod
            for name in short:
                smaller = lowered(smaller, name, _rounded(name, room[name]))
            now = amounts_of(requests(smaller))
            text = " and ".join(f"{name} request ≤ {quantity(name, now.get(name, 0))}" for name in short)
            if all(now.get(name, 0) > 0 for name in short):
                yield Change(text, smaller)


def amounts_of(asked: PodRequests) -> dict[str, int]:
    """Return what a pod requests, by resource, without what is 0."""
    native = {CPU: asked.cpu_millicores, MEMORY: asked.memory_bytes, EPHEMERAL_STORAGE: asked.ephemeral_bytes}
    return {name: amount for name, amount in {**native, **asked.extended}.items() if amount}


def lowered(pod: Pod, resource: str, most: int) -> Pod:
    """Return a pod that requests at most so much of a resource in all: each container at most the same."""
    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2
        if amounts_of(requests(_capped(pod, resource, middle))).get(resource, 0) <= most:
            low = middle
        else:
            high = middle - 1
    return _capped(pod, resource, low)


def _capped(pod: Pod, resource: str, most: int) -> Pod:
    def within(container: Container) -> Container:
        if amounts_of(container_requests(container)).get(resource, 0) <= most:
            return container
        own = container.resources or ResourceRequirements()
        return replace(container, resources=_requesting(own, resource, most))

    spec = replace(
        pod.spec,
        containers=[within(each) for each in pod.spec.containers],
        initContainers=[within(each) for each in pod.spec.initContainers],
    )
    if pod.spec.resources and resource in pod.spec.resources.requests:
        of_all = min(most, amounts_of(requests(pod)).get(resource, 0))
        spec = replace(spec, resources=_requesting(pod.spec.resources, resource, of_all))
    return replace(pod, spec=spec)


def _requesting(own: ResourceRequirements, resource: str, amount: int) -> ResourceRequirements:
    return replace(own, requests={**own.requests, resource: quantity(resource, amount)})


def _free(node: NodeInfo, wanted: Mapping[str, int]) -> dict[str, int]:
    native = {
        CPU: node.allocatable_cpu - node.cpu,
        MEMORY: node.allocatable_memory - node.memory,
        EPHEMERAL_STORAGE: node.allocatable_ephemeral - node.ephemeral,
    }
    return {
        name: native[name]
        if name in native
        else node.allocatable_extended.get(name, 0) - node.extended.get(name, 0)
        for name in wanted
    }


def _rounded(resource: str, amount: int) -> int:
    return amount // _MI * _MI if resource in _BYTES and amount > _MI else amount


def quantity(resource: str, amount: int) -> str:
    """Write an amount as a quantity: cpu in cores or millicores, bytes in Mi where they are whole."""
    if resource == CPU:
        return f"{amount}m" if amount % 1000 else str(amount // 1000)
    return f"{amount // _MI}Mi" if resource in _BYTES and amount and amount % _MI == 0 else str(amount)


# -- the node itself --


def _taints(found: Rejected) -> Iterator[Change]:
    own = found.pod.spec.tolerations
    wanted = dict.fromkeys(
        tuple((each.key, each.value, each.effect) for each in untolerated(node.taints, own, _BARRING))
        for _, node, _ in found.nodes
    )
    for taints in wanted:
        more = [
            Toleration(key=key, operator="Equal", value=value, effect=effect) for key, value, effect in taints
        ]
        text = " and ".join(
            _taint(Taint(key=key, value=value, effect=effect)) for key, value, effect in taints
        )
        yield Change(f"the pod tolerates {text}", _with(found.pod, tolerations=[*own, *more]))


def _taint(taint: Taint) -> str:
    return f"{taint.key}={taint.value}:{taint.effect}" if taint.value else f"{taint.key}:{taint.effect}"


def _cordons(found: Rejected) -> Iterator[Change]:
    for node, _, _ in found.nodes:
        taints = [each for each in node.spec.taints if each.key != "node.kubernetes.io/unschedulable"]
        free = replace(node, spec=replace(node.spec, unschedulable=None, taints=taints))
        yield Change(f"{node.metadata.name} is uncordoned", found.pod, {node.metadata.name: free})


def _labels(found: Rejected) -> Iterator[Change]:
    groups: dict[tuple[tuple[str, str | None], ...], dict[str, Node]] = {}
    for node, _, _ in found.nodes:
        for labels in _wanted_labels(found.pod, node):
            groups.setdefault(labels, {})[node.metadata.name] = _labeled(node, dict(labels))
    for labels, nodes in groups.items():
        text = ", ".join(
            f"without the label {key}" if value is None else f"labeled {key}={value}" for key, value in labels
        )
        yield Change(f"{_names(nodes)} {'is' if len(nodes) == 1 else 'are'} {text}", found.pod, nodes)
    spec = found.pod.spec
    for key, value in spec.nodeSelector.items():
        rest = {each: wanted for each, wanted in spec.nodeSelector.items() if each != key}
        yield Change(f"nodeSelector is without {key}: {value}", _with(found.pod, nodeSelector=rest))
    affinity = spec.affinity
    if (
        affinity
        and affinity.nodeAffinity
        and affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution
    ):
        free = replace(affinity.nodeAffinity, requiredDuringSchedulingIgnoredDuringExecution=None)
        changed = _with(found.pod, affinity=replace(affinity, nodeAffinity=free))
        yield Change("the pod is without required node affinity", changed)


def _wanted_labels(pod: Pod, node: Node) -> Iterator[tuple[tuple[str, str | None], ...]]:
    """Yield what labels would have to be for the pod's selector and one of its terms; None: that it has not."""
    has = node.metadata.labels
    wanted = {key: value for key, value in pod.spec.nodeSelector.items() if has.get(key) != value}
    affinity = pod.spec.affinity.nodeAffinity if pod.spec.affinity else None
    required = affinity.requiredDuringSchedulingIgnoredDuringExecution if affinity else None
    for term in required.nodeSelectorTerms if required else [None]:
        more = _for_term(term, has) if term else {}
        if more is not None and (labels := {**more, **wanted}):
            yield tuple(sorted(labels.items()))


def _for_term(term: NodeSelectorTerm, has: Mapping[str, str]) -> dict[str, str | None] | None:
    """Return the labels that a node lacks for a term; None where labels do not help."""
    if term.matchFields:
        return None
    wanted: dict[str, str | None] = {}
    for each in term.matchExpressions:
        value = has.get(each.key)
        match each.operator:
            case "In" if each.values and value not in each.values:
                wanted[each.key] = each.values[0]
            case "NotIn" if value is not None and value in each.values:
                wanted[each.key] = None
            case "Exists" if value is None:
                wanted[each.key] = ""
            case "DoesNotExist" if value is not None:
                wanted[each.key] = None
            case "Gt" | "Lt":
                return None
    return wanted


def _labeled(node: Node, labels: Mapping[str, str | None]) -> Node:
    merged = {**node.metadata.labels, **labels}
    kept = {key: value for key, value in merged.items() if value is not None}
    return replace(node, metadata=replace(node.metadata, labels=kept))


# -- what is on nodes --


def _ports(found: Rejected) -> Iterator[Change]:
    for port in dict.fromkeys(host_ports(found.pod.spec)):
        containers = [
            replace(
                each, ports=[own for own in each.ports if (own.hostPort or own.containerPort) != port.port]
            )
            for each in found.pod.spec.containers
        ]
        text = f"the pod is without host port {port.port}/{port.protocol}"
        yield Change(text, _with(found.pod, containers=containers))


def _spread(found: Rejected) -> Iterator[Change]:
    constraints = found.pod.spec.topologySpreadConstraints
    for at, each in enumerate(constraints):
        if each.whenUnsatisfiable != "DoNotSchedule":
            continue
        for skew in (each.maxSkew + 1, each.maxSkew + 2, each.maxSkew + 4):
            wider = [*constraints[:at], replace(each, maxSkew=skew), *constraints[at + 1 :]]
            text = f"maxSkew by {each.topologyKey} ≥ {skew}"
            changed = _with(found.pod, topologySpreadConstraints=wider)
            yield Change(text, changed, topology_key=each.topologyKey)
        wish = [*constraints[:at], replace(each, whenUnsatisfiable="ScheduleAnyway"), *constraints[at + 1 :]]
        text = f"spreading by {each.topologyKey} is whenUnsatisfiable: ScheduleAnyway"
        yield Change(text, _with(found.pod, topologySpreadConstraints=wish))


def _affinity(found: Rejected) -> Iterator[Change]:
    affinity = found.pod.spec.affinity
    if affinity is None:
        return
    for name, words in (("podAffinity", "affinity"), ("podAntiAffinity", "anti-affinity")):
        own = getattr(affinity, name)
        terms = own.requiredDuringSchedulingIgnoredDuringExecution if own else []
        for at, term in enumerate(terms):
            rest = replace(
                own, requiredDuringSchedulingIgnoredDuringExecution=[*terms[:at], *terms[at + 1 :]]
            )
            text = f"the pod is without required {words} by {term.topologyKey}{_about(term.labelSelector)}"
            changed = _with(found.pod, affinity=replace(affinity, **{name: rest}))
            yield Change(text, changed, topology_key=term.topologyKey)


def _about(selector: Any) -> str:
    labels = selector.matchLabels if selector else {}
    return f" to {','.join(f'{key}={value}' for key, value in sorted(labels.items()))}" if labels else ""


def _volumes(found: Rejected) -> Iterator[Change]:
    volumes = found.pod.spec.volumes
    for at, each in enumerate(volumes):
        claim = each.persistentVolumeClaim
        if claim is not None or each.ephemeral is not None:
            name = f" (claim {claim.claimName})" if claim else ""
            rest = [*volumes[:at], *volumes[at + 1 :]]
            yield Change(f"the pod is without volume {each.name}{name}", _with(found.pod, volumes=rest))


def _devices(found: Rejected) -> Iterator[Change]:
    claims = found.pod.spec.resourceClaims
    for at, each in enumerate(claims):
        rest = [*claims[:at], *claims[at + 1 :]]
        yield Change(
            f"the pod is without the claim of devices {each.name}", _with(found.pod, resourceClaims=rest)
        )


_PROPOSALS: Final[Mapping[str, Propose]] = {
    node_resources_fit.NAME: _resources,
    taint_toleration.NAME: _taints,
    node_unschedulable.NAME: _cordons,
    node_affinity.NAME: _labels,
    node_ports.NAME: _ports,
    topology_spread.NAME: _spread,
    inter_pod_affinity.NAME: _affinity,
    volume_binding.NAME: _volumes,
    volume_restrictions.NAME: _volumes,
    volume_zone.NAME: _volumes,
    node_volume_limits.NAME: _volumes,
    DynamicResources.name: _devices,
}


def _with(pod: Pod, **fields: Any) -> Pod:
    return replace(pod, spec=replace(pod.spec, **fields))


def _names(names: Iterable[str]) -> str:
    known = list(names)
    return ", ".join(known[:3]) + (f" and {len(known) - 3} more" if len(known) > 3 else "")
