"""How many pods a number asks for.

All amounts are in thousandths; what is divided is cut off as Kubernetes does it, before it is compared: a utilization of
99.9 % is 99 %.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Final

from controllers.core.controller import USUAL, Autoscaling
from controllers.core.moment import Moment
from controllers.horizontal_pod_autoscaler.pod_metrics import (
    PodMetric,
    UnknownUsageError,
    group_pods,
    requests_of,
)
from machinery.model.k8s.core_v1 import Pod
from machinery.model.pods import is_ready

MOST: Final = 2**31 - 1
_NO_PODS: Final = "no pods returned by selector while calculating replica count"
_NO_METRICS: Final = "did not receive metrics for targeted pods (pods might be unready)"


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How far a ratio may be from 1 without that anything is done."""

    down: float = 0.1
    up: float = 0.1

    def holds(self, ratio: float) -> bool:
        """Whether a ratio is near enough to 1."""
        return 1.0 - self.down <= ratio <= 1.0 + self.up


@dataclass(frozen=True, slots=True)
class Usage:
    """A sum over pods, compared with what it should be."""

    ratio: float
    value: int  # of a pod on average
    utilization: int | None = None  # in percent of what the pods request


@dataclass(frozen=True, slots=True)
class Wanted:
    """How many pods there should be, and what that follows from."""

    replicas: int
    value: int
    utilization: int | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """The pods of a target at a moment, and how many it is asked for now."""

    pods: Sequence[Pod]
    current: int
    tolerance: Tolerance
    moment: Moment
    usual: Autoscaling = USUAL


def by_utilization(
    target: Target, metrics: Mapping[str, PodMetric], percent: int, resource: str, container: str
) -> Wanted:
    """Return how many pods bring what they use to a share of what they request.

    Raises:
        UnknownUsageError: too little is known.
    """
    requested: dict[str, int] = {}

    def compare(values: Mapping[str, int]) -> Usage:
        if not requested:
            requested.update(requests_of(target.pods, resource, container))
        return _utilization(values, requested, percent)

    def all_of_it(name: str) -> int:
        return requested[name] * max(100, percent) // 100

    return _counted(target, metrics, resource, compare, all_of_it)


def by_value(target: Target, metrics: Mapping[str, PodMetric], wanted: int, resource: str = "") -> Wanted:
    """Return how many pods bring a number of theirs to what it should be on average.

    Raises:
        UnknownUsageError: too little is known.
    """
    return _counted(target, metrics, resource, lambda values: _average(values, wanted), lambda _name: wanted)


def _utilization(values: Mapping[str, int], requested: Mapping[str, int], percent: int) -> Usage:
    known = [name for name in values if name in requested]
    used, total = sum(values[name] for name in known), sum(requested[name] for name in known)
    if not total:
        raise UnknownUsageError("no metrics returned matched known pods")
    utilization = used * 100 // total
    return Usage(utilization / percent, used // len(known), utilization)


def _average(values: Mapping[str, int], wanted: int) -> Usage:
    value = sum(values.values()) // len(values)
    return Usage(value / wanted, value)


def _counted(
    target: Target,
    metrics: Mapping[str, PodMetric],
    resource: str,
    compare: Callable[[Mapping[str, int]], Usage],
    all_of_it: Callable[[str], int],
) -> Wanted:
    """Compare, and compare again with careful guesses of what is not known: they never turn the direction.

    Pods without a number count as using all of it where there are too many, as using nothing where there are too few; pods
    that are not ready as using nothing where there are too few.
    """
    if not target.pods:
        raise UnknownUsageError(_NO_PODS)
    groups = group_pods(target.pods, metrics, resource, target.moment, target.usual)
    left_out = groups.ignored | groups.unready
    values = {name: metric.value for name, metric in metrics.items() if name not in left_out}
    if not values:
        raise UnknownUsageError(_NO_METRICS)
    usage = compare(values)
    grows_unready = bool(groups.unready) and usage.ratio > 1
    if not grows_unready and not groups.missing:
        if target.tolerance.holds(usage.ratio):
            return Wanted(target.current, usage.value, usage.utilization)
        return Wanted(_up(usage.ratio * groups.ready), usage.value, usage.utilization)
    if usage.ratio < 1:
        values |= {name: all_of_it(name) for name in groups.missing}
    elif usage.ratio > 1:
        values |= dict.fromkeys(groups.missing, 0)
    if grows_unready:
        values |= dict.fromkeys(groups.unready, 0)
    again = compare(values).ratio
    replicas = _guarded(target, usage.ratio, again, len(values))
    return Wanted(replicas, usage.value, usage.utilization)


def _guarded(target: Target, first: float, again: float, counted: int) -> int:
    turned = (first < 1 < again) or (again < 1 < first)
    if turned or target.tolerance.holds(again):
        return target.current
    replicas = _up(again * counted)
    if (again < 1 and replicas > target.current) or (again > 1 and replicas < target.current):
        return target.current
    return replicas


def by_whole_value(target: Target, value: int, wanted: int) -> Wanted:
    """Return how many pods bring a number, which is not of pods, to what it should be; it follows their number in proportion.

    From 0 pods on it asks for as many as it is too large: they are there already as soon as there is one.

    Raises:
        UnknownUsageError: there are no pods.
    """
    ratio = value / wanted
    if not target.current:
        return Wanted(_up(ratio), value)
    if target.tolerance.holds(ratio):
        return Wanted(target.current, value)
    if not target.pods:
        raise UnknownUsageError(f"unable to calculate ready pods: {_NO_PODS}")
    ready = sum(pod.status.phase == "Running" and is_ready(pod) for pod in target.pods)
    return Wanted(_up(ratio * ready), value)


def by_share_of_value(running: int, value: int, wanted: int, tolerance: Tolerance) -> Wanted:
    """Return how many pods a number, which is not of pods, makes: each takes its share."""
    ratio = value / (wanted * running) if running else (float("inf") if value else 1.0)
    replicas = running if tolerance.holds(ratio) else _up(value / wanted)
    return Wanted(replicas, ceil(value / running) if running else value)


def _up(number: float) -> int:
    return min(MOST, ceil(number))
