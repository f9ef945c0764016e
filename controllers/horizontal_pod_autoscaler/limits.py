"""How far and how fast an autoscaler may go: stabilization, policies, bounds.

https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/#configurable-scaling-behavior
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import ceil
from typing import Final

from controllers.horizontal_pod_autoscaler.memory import Memory
from controllers.horizontal_pod_autoscaler.replicas import MOST, Tolerance
from machinery.model.k8s.autoscaling_v2 import (
    HorizontalPodAutoscalerBehavior,
    HorizontalPodAutoscalerSpec,
    HPAScalingPolicy,
    HPAScalingRules,
)
from machinery.model.quantity import parse

_DOUBLE: Final = 2
_LEAST_STEP: Final = 4  # pods that it may grow to at once, however few there are
_PER_QUARTER: Final = 15  # seconds
UP: Final = HPAScalingRules(
    selectPolicy="Max",
    stabilizationWindowSeconds=0,
    policies=[
        HPAScalingPolicy(type="Pods", value=_LEAST_STEP, periodSeconds=_PER_QUARTER),
        HPAScalingPolicy(type="Percent", value=100, periodSeconds=_PER_QUARTER),
    ],
)
DOWN: Final = HPAScalingRules(
    selectPolicy="Max",
    policies=[HPAScalingPolicy(type="Percent", value=100, periodSeconds=_PER_QUARTER)],
)

READY: Final = ("ReadyForNewScale", "recommended size matches current size")
_LOWER: Final = (
    "ScaleUpStabilized",
    "recent recommendations were lower than current one, applying the lowest recent recommendation",
)
_HIGHER: Final = (
    "ScaleDownStabilized",
    "recent recommendations were higher than current one, applying the highest recent recommendation",
)
_WITHIN: Final = ("DesiredWithinRange", "the desired count is within the acceptable range")
_TOO_FAST_UP: Final = (
    "ScaleUpLimit",
    "the desired replica count is increasing faster than the maximum scale rate",
)
_TOO_FAST_DOWN: Final = (
    "ScaleDownLimit",
    "the desired replica count is decreasing faster than the maximum scale rate",
)
_TOO_MANY: Final = ("TooManyReplicas", "the desired replica count is more than the maximum replica count")
_TOO_FEW: Final = ("TooFewReplicas", "the desired replica count is less than the minimum replica count")


@dataclass(frozen=True, slots=True)
class Limited:
    """A number within its limits, and what limited it: reasons and messages of conditions."""

    replicas: int
    stability: tuple[str, str]
    limit: tuple[str, str]
    is_limited: bool


def least(spec: HorizontalPodAutoscalerSpec) -> int:
    """Return how many pods there are at least."""
    return 1 if spec.minReplicas is None else spec.minReplicas


def tolerance_of(spec: HorizontalPodAutoscalerSpec, usual: float) -> Tolerance:
    """Return how exact it is: what each direction says of itself, or what is usual."""
    behavior = spec.behavior or HorizontalPodAutoscalerBehavior()
    return Tolerance(_tolerance(behavior.scaleDown, usual), _tolerance(behavior.scaleUp, usual))


def _tolerance(rules: HPAScalingRules | None, usual: float) -> float:
    return float(parse(rules.tolerance)) if rules is not None and rules.tolerance else usual


def limited(
    spec: HorizontalPodAutoscalerSpec,
    memory: Memory,
    current: int,
    desired: int,
    now_s: float,
    stabilization_s: float,
) -> Limited:
    """Return the number that a recommendation comes to."""
    if spec.behavior is None:
        return _limited_as_ever(spec, memory, current, desired, now_s - stabilization_s)
    up, down = _complete(spec.behavior.scaleUp, UP), _complete(spec.behavior.scaleDown, DOWN)
    windows = (up.stabilizationWindowSeconds or 0, _window_s(down, stabilization_s))
    stable = _stabilized(memory, current, desired, windows, now_s)
    stability = READY if stable == desired else (_LOWER if desired >= current else _HIGHER)
    replicas, limit = stable, _WITHIN
    if stable > current:
        replicas, limit = _limited_up(stable, current, spec.maxReplicas, _most(up, memory, current, now_s))
    elif stable < current:
        replicas, limit = _limited_down(stable, current, least(spec), _fewest(down, memory, current, now_s))
    return Limited(replicas, stability, limit, replicas != stable)


def _limited_as_ever(
    spec: HorizontalPodAutoscalerSpec, memory: Memory, current: int, desired: int, since_s: float
) -> Limited:
    """Return what is without a behavior: it waits before it shrinks, and doubles at most."""
    recent = (each.replicas for each in memory.recommendations if each.at_s >= since_s)
    stable = max(desired, *recent, desired)
    stability = READY if stable == desired else _HIGHER
    fast = max(_DOUBLE * current, _LEAST_STEP)
    most, limit = (fast, _TOO_FAST_UP) if spec.maxReplicas > fast else (spec.maxReplicas, _TOO_MANY)
    if stable < least(spec):
        return Limited(least(spec), stability, _TOO_FEW, is_limited=True)
    if stable > most:
        return Limited(most, stability, limit, is_limited=True)
    return Limited(stable, stability, _WITHIN, is_limited=False)


def _complete(rules: HPAScalingRules | None, usual: HPAScalingRules) -> HPAScalingRules:
    """Return the rules of a direction with what they leave open; the apiserver has filled it in, as a rule."""
    if rules is None:
        return usual
    return HPAScalingRules(
        selectPolicy=rules.selectPolicy or usual.selectPolicy,
        stabilizationWindowSeconds=usual.stabilizationWindowSeconds
        if rules.stabilizationWindowSeconds is None
        else rules.stabilizationWindowSeconds,
        policies=rules.policies or usual.policies,
    )


def _window_s(rules: HPAScalingRules, usual_s: float) -> float:
    known = rules.stabilizationWindowSeconds
    return usual_s if known is None else known


def _stabilized(
    memory: Memory, current: int, desired: int, windows: tuple[float, float], now_s: float
) -> int:
    """Return the number that is nearest to the current one, of those between the least and the most that was asked for lately."""
    up, down = (
        [each.replicas for each in memory.recommendations if each.at_s > now_s - window] for window in windows
    )
    lowest, highest = min([desired, *up]), max([desired, *down])
    return min(max(current, lowest), highest)


def _limited_up(stable: int, current: int, most: int, fast: int) -> tuple[int, tuple[str, str]]:
    fast = max(fast, current)
    bound, reason = (fast, _TOO_FAST_UP) if most > fast else (most, _TOO_MANY)
    return (bound, reason) if stable > bound else (stable, _WITHIN)


def _limited_down(stable: int, current: int, fewest: int, fast: int) -> tuple[int, tuple[str, str]]:
    fast = min(fast, current)
    bound, reason = (fast, _TOO_FAST_DOWN) if fewest < fast else (fewest, _TOO_FEW)
    return (bound, reason) if stable < bound else (stable, _WITHIN)


def _most(rules: HPAScalingRules, memory: Memory, current: int, now_s: float) -> int:
    """Return how many pods the policies allow to be there."""
    if rules.selectPolicy == "Disabled":
        return current
    select: Callable[[Iterable[int]], int] = min if rules.selectPolicy == "Min" else max
    return min(MOST, select(_grown(each, _begun(each, memory, current, now_s)) for each in rules.policies))


def _fewest(rules: HPAScalingRules, memory: Memory, current: int, now_s: float) -> int:
    """Return how many pods the policies demand to be left."""
    if rules.selectPolicy == "Disabled":
        return current
    select: Callable[[Iterable[int]], int] = max if rules.selectPolicy == "Min" else min
    return select(_shrunk(each, _begun(each, memory, current, now_s)) for each in rules.policies)


def _begun(policy: HPAScalingPolicy, memory: Memory, current: int, now_s: float) -> int:
    """Return how many pods there were when the period of a policy began."""
    return current - memory.change_within(policy.periodSeconds, now_s)


def _grown(policy: HPAScalingPolicy, begun: int) -> int:
    """Return how many a policy lets them become; of a share at least one more, so that it never stands still."""
    return begun + policy.value if policy.type == "Pods" else ceil(begun * (1 + policy.value / 100))


def _shrunk(policy: HPAScalingPolicy, begun: int) -> int:
    return begun - policy.value if policy.type == "Pods" else int(begun * (1 - policy.value / 100))
