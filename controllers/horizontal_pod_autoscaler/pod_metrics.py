"""Which pods count, and what is known of each: those that are not ready, or have no numbers, are counted with care.

https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/#algorithm-details
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Final

from controllers.core.controller import Autoscaling
from controllers.core.moment import Moment
from machinery.model.conditions import find
from machinery.model.go_numbers import parse_duration
from machinery.model.k8s.core_v1 import Container, Pod
from machinery.model.pods import is_sidecar, requests
from machinery.model.quantity import parse
from machinery.model.resource_metrics import PodMetrics

_POD_LEVEL: Final = ("cpu", "memory")


class UnknownUsageError(ValueError):
    """Nothing can be computed; the text says why, in Kubernetes' words."""


@dataclass(frozen=True, slots=True)
class PodMetric:
    """A number of a pod, in thousandths, and the window that it is of; None where that is not told."""

    value: int
    timestamp: str | None = None
    window_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Groups:
    """The pods of a target, as they count."""

    ready: int
    unready: frozenset[str]
    missing: frozenset[str]
    ignored: frozenset[str]


def milli(quantity: str) -> int:
    """Return thousandths, rounded up."""
    return ceil(parse(quantity) * 1000)


def usage_of(found: Sequence[PodMetrics], resource: str, container: str) -> dict[str, PodMetric]:
    """Return what each pod uses of a resource, or one container of each; those of which not all is known are left out.

    Raises:
        UnknownUsageError: nothing is known, or a pod has no such container.
    """
    if not found:
        raise UnknownUsageError("no metrics returned from resource metrics API")
    usage: dict[str, PodMetric] = {}
    for each in found:
        named = [one for one in each.containers if not container or one.name == container]
        if container and not named:
            meta = each.metadata
            text = f"container {container} not present in metrics for pod {meta.namespace}/{meta.name}"
            raise UnknownUsageError(f"failed to get container metrics: {text}")
        if named and all(resource in one.usage for one in named):
            total = sum(milli(one.usage[resource]) for one in named)
            usage[each.metadata.name] = PodMetric(total, each.timestamp, _window_s(each.window))
    return usage


def _window_s(text: str) -> float:
    try:
        return parse_duration(text)
    except ValueError:
        return 0.0


def group_pods(
    pods: Iterable[Pod],
    metrics: Mapping[str, PodMetric],
    resource: str,
    moment: Moment,
    usual: Autoscaling,
) -> Groups:
    """Part the pods: by their readiness only where CPU is measured, which says little of one that begins."""
    ready, unready, missing, ignored = 0, set[str](), set[str](), set[str]()
    for pod in pods:
        name = pod.metadata.name
        if pod.metadata.deletionTimestamp or pod.status.phase == "Failed":
            ignored.add(name)
        elif pod.status.phase == "Pending":
            unready.add(name)
        elif name not in metrics:
            missing.add(name)
        elif resource == "cpu" and _is_unready(pod, metrics[name], moment, usual):
            unready.add(name)
        else:
            ready += 1
    return Groups(ready, frozenset(unready), frozenset(missing), frozenset(ignored))


def _is_unready(pod: Pod, metric: PodMetric, moment: Moment, usual: Autoscaling) -> bool:
    condition, started_s = find(pod.status.conditions, "Ready"), moment.at(pod.status.startTime)
    if condition is None or started_s is None:
        return True
    changed_s = moment.at(condition.lastTransitionTime) or 0.0
    if started_s + usual.cpu_initialization_s > moment.now_s:
        measured_s = moment.at(metric.timestamp) or 0.0
        return condition.status == "False" or measured_s < changed_s + metric.window_s
    return condition.status == "False" and started_s + usual.initial_readiness_s > changed_s


def requests_of(pods: Iterable[Pod], resource: str, container: str) -> dict[str, int]:
    """Return what each pod requests, in thousandths, or one container of each.

    Raises:
        UnknownUsageError: one requests nothing.
    """
    return {pod.metadata.name: _request_of(pod, resource, container) for pod in pods}


def _request_of(pod: Pod, resource: str, container: str) -> int:
    whole = pod.spec.resources.requests if pod.spec.resources is not None else {}
    if not container and any(name in whole for name in _POD_LEVEL):
        return _pod_level(pod, resource)
    sidecars = [each for each in pod.spec.initContainers if is_sidecar(each)]
    counted = [*pod.spec.containers, *sidecars]
    if container:
        counted = [each for each in counted if each.name == container]
        if not counted:
            raise UnknownUsageError(f"container {container} not found in Pod {pod.metadata.name}")
    return sum(_of_container(each, pod.metadata.name, resource) for each in counted)


def _pod_level(pod: Pod, resource: str) -> int:
    total = requests(pod)
    amounts = {"cpu": total.cpu_millicores, "memory": total.memory_bytes * 1000}
    if not amounts.get(resource):
        raise UnknownUsageError(f"missing pod-level request for {resource} in Pod {pod.metadata.name}")
    return amounts[resource]


def _of_container(container: Container, pod: str, resource: str) -> int:
    given = container.resources.requests if container.resources is not None else {}
    if resource not in given:
        text = f"missing request for {resource} in container {container.name} of Pod {pod}"
        raise UnknownUsageError(text)
    return milli(given[resource])
