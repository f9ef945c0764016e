"""The arguments of plugins, with Kubernetes' defaults; a plugin without a row here takes none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Literal

from machinery.model.go_numbers import parse_duration
from machinery.model.k8s.core_v1 import NodeAffinity as AddedAffinity
from machinery.model.k8s.core_v1 import TopologySpreadConstraint
from scheduler.core.configured.documents import BadConfiguration, Document, read
from scheduler.core.devices.allocator import MOST_STEPS, STEPS_IN_A_SECOND
from scheduler.core.framework import Plugin
from scheduler.core.plugins.balanced_allocation import NodeResourcesBalancedAllocation
from scheduler.core.plugins.default_preemption import DefaultPreemption
from scheduler.core.plugins.dynamic_resources import DynamicResources
from scheduler.core.plugins.inter_pod_affinity import InterPodAffinity
from scheduler.core.plugins.node_affinity import NodeAffinity
from scheduler.core.plugins.node_resources_fit import NodeResourcesFit
from scheduler.core.plugins.topology_spread import PodTopologySpread
from scheduler.core.plugins.volume_binding import VolumeBinding
from scheduler.core.requested import ResourceWeight, Strategy

_BOTH: Final = (ResourceWeight("cpu", 1), ResourceWeight("memory", 1))
_MOST_UTILIZATION: Final = 100
_MOST_SHAPE_SCORE: Final = 10


class _Args(Document, kw_only=True, frozen=True):
    apiVersion: str = "kubescheduler.config.k8s.io/v1"
    kind: str = ""


class _NodeAffinityArgs(_Args, kw_only=True, frozen=True):
    addedAffinity: AddedAffinity | None = None


class _InterPodAffinityArgs(_Args, kw_only=True, frozen=True):
    hardPodAffinityWeight: int = 1
    ignorePreferredTermsOfExistingPods: bool = False


class _VolumeBindingArgs(_Args, kw_only=True, frozen=True):
    bindTimeoutSeconds: int = 600
    shape: tuple[Any, ...] = ()


class _DefaultPreemptionArgs(_Args, kw_only=True, frozen=True):
    minCandidateNodesPercentage: int = 10
    minCandidateNodesAbsolute: int = 100


class _PodTopologySpreadArgs(_Args, kw_only=True, frozen=True):
    defaultConstraints: tuple[TopologySpreadConstraint, ...] = ()
    defaultingType: Literal["System", "List"] = "System"


class _Resource(Document, frozen=True):
    name: str
    weight: int = 1


class _ShapePoint(Document, frozen=True):
    utilization: int
    score: int


class _Ratio(Document, frozen=True):
    shape: tuple[_ShapePoint, ...] = ()


class _Strategy(Document, frozen=True):
    type: Literal["LeastAllocated", "MostAllocated", "RequestedToCapacityRatio"] = "LeastAllocated"
    resources: tuple[_Resource, ...] = ()
    requestedToCapacityRatio: _Ratio | None = None


class _BalancedArgs(_Args, kw_only=True, frozen=True):
    resources: tuple[_Resource, ...] = ()


class _DynamicResourcesArgs(_Args, kw_only=True, frozen=True):
    filterTimeout: str = ""


class _NodeResourcesFitArgs(_Args, kw_only=True, frozen=True):
    ignoredResources: tuple[str, ...] = ()
    ignoredResourceGroups: tuple[str, ...] = ()
    scoringStrategy: _Strategy = _Strategy()


def _node_affinity(args: _NodeAffinityArgs, where: str) -> Plugin:
    del where
    return NodeAffinity(args.addedAffinity)


def _inter_pod_affinity(args: _InterPodAffinityArgs, where: str) -> Plugin:
    weight = args.hardPodAffinityWeight
    _check(0 <= weight <= 100, f"{where}.hardPodAffinityWeight", weight, "not in valid range [0-100]")
    return InterPodAffinity(weight, ignores_others=args.ignorePreferredTermsOfExistingPods)


def _volume_binding(args: _VolumeBindingArgs, where: str) -> Plugin:
    within_s = args.bindTimeoutSeconds
    _check(within_s >= 0, f"{where}.bindTimeoutSeconds", within_s, "should be greater than or equal to 0")
    _check(
        not args.shape,
        f"{where}.shape",
        args.shape,
        "StorageCapacityScoring is alpha in v1.36, off by default, and not built in Kubarium",
    )
    return VolumeBinding(within_s)


def _default_preemption(args: _DefaultPreemptionArgs, where: str) -> Plugin:
    percent, number = args.minCandidateNodesPercentage, args.minCandidateNodesAbsolute
    _check(
        0 <= percent <= 100, f"{where}.minCandidateNodesPercentage", percent, "not in valid range [0, 100]"
    )
    _check(number >= 0, f"{where}.minCandidateNodesAbsolute", number, "not in valid range [0, inf)")
    _check(
        percent or number, where, 0, "minCandidateNodesPercentage and minCandidateNodesAbsolute are both 0"
    )
    return DefaultPreemption()


def _pod_topology_spread(args: _PodTopologySpreadArgs, where: str) -> Plugin:
    at = f"{where}.defaultConstraints"
    if args.defaultingType == "System":
        _check(
            not args.defaultConstraints, at, "", "when .defaultingType is System, no constraints are given"
        )
        return PodTopologySpread()
    for number, each in enumerate(args.defaultConstraints):
        here = f"{at}[{number}]"
        _check(each.maxSkew > 0, f"{here}.maxSkew", each.maxSkew, "not in valid range (0, inf)")
        _check(bool(each.topologyKey), f"{here}.topologyKey", "", "can not be empty")
        kinds = {"DoNotSchedule", "ScheduleAnyway"}
        given = each.whenUnsatisfiable
        _check(given in kinds, f"{here}.whenUnsatisfiable", given, "is DoNotSchedule or ScheduleAnyway")
        _check(
            each.labelSelector is None, f"{here}.labelSelector", "", "constraint must not define a selector"
        )
    return PodTopologySpread(args.defaultConstraints)


def _node_resources_fit(args: _NodeResourcesFitArgs, where: str) -> Plugin:
    strategy, at = args.scoringStrategy, f"{where}.scoringStrategy"
    resources = _resources(strategy.resources, f"{at}.resources") or _BOTH
    shape = _shape(strategy, f"{at}.requestedToCapacityRatio.shape")
    return NodeResourcesFit(
        Strategy(strategy.type, resources, shape),
        frozenset(args.ignoredResources),
        frozenset(args.ignoredResourceGroups),
    )


def _resources(given: tuple[_Resource, ...], where: str) -> tuple[ResourceWeight, ...]:
    resources = tuple(ResourceWeight(each.name, each.weight or 1) for each in given)
    for number, each in enumerate(resources):
        at = f"{where}[{number}].weight"
        _check(1 <= each.weight <= 100, at, each.weight, "not in valid range [1, 100]")
    return resources


def _balanced(args: _BalancedArgs, where: str) -> Plugin:
    """Return the plugin; weights are checked, and have no effect, as upstream has it."""
    return NodeResourcesBalancedAllocation(
        tuple(each.name for each in _resources(args.resources, f"{where}.resources"))
    )


def _dynamic_resources(args: _DynamicResourcesArgs, where: str) -> Plugin:
    if not args.filterTimeout:
        return DynamicResources()
    at = f"{where}.filterTimeout"
    try:
        within_s = parse_duration(args.filterTimeout)
    except ValueError as error:
        raise BadConfiguration(f"{at}: Invalid value: {args.filterTimeout}: {error}") from error
    _check(within_s >= 0, at, args.filterTimeout, "must be greater than or equal to zero")
    steps = round(within_s * STEPS_IN_A_SECOND)
    return DynamicResources(max(1, min(steps, MOST_STEPS)) if within_s else MOST_STEPS)


def _shape(strategy: _Strategy, where: str) -> tuple[tuple[int, int], ...]:
    """Return the points of a shape: utilization in percent, scores from 0 to 100."""
    if strategy.type != "RequestedToCapacityRatio":
        return ()
    points = strategy.requestedToCapacityRatio.shape if strategy.requestedToCapacityRatio else ()
    _check(bool(points), where, "[]", "at least one point must be specified")
    last = -1
    for number, each in enumerate(points):
        used, score = each.utilization, each.score
        _check(
            0 <= used <= _MOST_UTILIZATION,
            f"{where}[{number}].utilization",
            used,
            "not in valid range [0, 100]",
        )
        _check(
            0 <= score <= _MOST_SHAPE_SCORE, f"{where}[{number}].score", score, "not in valid range [0, 10]"
        )
        _check(
            used > last,
            f"{where}[{number}].utilization",
            used,
            "utilization values must be sorted in increasing order",
        )
        last = used
    return tuple((each.utilization, each.score * 10) for each in points)


_BUILDERS: Final[dict[str, tuple[type[Any], Callable[[Any, str], Plugin]]]] = {
    "NodeAffinity": (_NodeAffinityArgs, _node_affinity),
    "NodeResourcesFit": (_NodeResourcesFitArgs, _node_resources_fit),
    "PodTopologySpread": (_PodTopologySpreadArgs, _pod_topology_spread),
    "InterPodAffinity": (_InterPodAffinityArgs, _inter_pod_affinity),
    "VolumeBinding": (_VolumeBindingArgs, _volume_binding),
    "DefaultPreemption": (_DefaultPreemptionArgs, _default_preemption),
    "NodeResourcesBalancedAllocation": (_BalancedArgs, _balanced),
    "DynamicResources": (_DynamicResourcesArgs, _dynamic_resources),
}


def build_plugin(name: str, args: dict[str, Any], where: str) -> Plugin:
    """Return a plugin with arguments.

    Raises:
        BadConfiguration: it takes none, or one of them cannot be.
    """
    if name not in _BUILDERS:
        raise BadConfiguration(f"{where}: {name} takes no arguments here; there are {', '.join(_BUILDERS)}")
    fields, build = _BUILDERS[name]
    kind = args.get("kind", f"{name}Args")
    _check(kind == f"{name}Args", f"{where}.kind", kind, f"is {name}Args for {name}")
    return build(read(args, fields, where), where)


def _check(holds: object, where: str, value: object, problem: str) -> None:
    if not holds:
        raise BadConfiguration(f"{where}: Invalid value: {value}: {problem}")
