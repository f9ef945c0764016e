"""Numbers that other servers know: custom.metrics.k8s.io of pods and objects, external.metrics.k8s.io of anything else.

https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/#support-for-metrics-apis
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from controllers.core.actions import Facts, Part, Refusal, Selected
from controllers.horizontal_pod_autoscaler.pod_metrics import PodMetric, UnknownUsageError, milli
from machinery.model.json_objects import Json
from machinery.model.k8s.autoscaling_v2 import CrossVersionObjectReference, MetricIdentifier
from machinery.model.k8s.meta_v1 import LabelSelector, ObjectMeta
from machinery.model.resources import Resource
from machinery.model.selectors import from_selector

CUSTOM: Final = "custom.metrics.k8s.io"
EXTERNAL: Final = "external.metrics.k8s.io"
_VERSIONS: Final = ("v1beta2", "v1beta1")  # of the first; the newer one is asked first
_WINDOW_S: Final = 60.0  # where none is told
_MOST: Final = 2**63 - 1


class ExternalMetricValue(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A number from outside."""

    apiVersion: str = ""
    kind: str = ""
    metadata: ObjectMeta = ObjectMeta()
    value: str = "0"


def custom_questions(parts: Sequence[Part], facts: Facts) -> Part | Json | Refusal:
    """Return the answer to the first of some questions that is none of "there is no such version", or what is asked next."""
    answer: Json | Refusal = Refusal("NotFound", "the server could not find the requested resource")
    for part in parts:
        found = facts.answers.get(part)
        if found is None:
            return part
        answer = found
        if not (isinstance(found, Refusal) and found.reason == "NotFound" and not found.name):
            break
    return answer


def of_pods(namespace: str, selector: str, metric: MetricIdentifier) -> tuple[Part, ...]:
    """Return what asks for a metric of pods."""
    return _parts("pods", namespace, "*", metric, (("labelSelector", selector),))


def of_object(
    namespace: str,
    reference: CrossVersionObjectReference,
    metric: MetricIdentifier,
    kinds: Mapping[tuple[str, str], Resource[Any]],
) -> tuple[Part, ...]:
    """Return what asks for a metric of an object.

    Raises:
        UnknownUsageError: nobody knows its kind.
    """
    group = reference.apiVersion.rpartition("/")[0]
    if (group, reference.kind) == ("", "Namespace"):
        return tuple(
            Part(CUSTOM, version, "metrics", namespace, metric.name, "", _query(metric))
            for version in _VERSIONS
        )
    known = kinds.get((group, reference.kind))
    if known is None:
        raise UnknownUsageError(
            f'unable to fetch metrics from custom metrics API: no matches for kind "{reference.kind}" in group "{group}"'
        )
    return _parts(str(known), namespace, reference.name, metric, ())


def _parts(
    resource: str, namespace: str, name: str, metric: MetricIdentifier, query: tuple[tuple[str, str], ...]
) -> tuple[Part, ...]:
    asked = (*query, *_query(metric))
    return tuple(Part(CUSTOM, each, resource, namespace, name, metric.name, asked) for each in _VERSIONS)


def _query(metric: MetricIdentifier) -> tuple[tuple[str, str], ...]:
    text = selector_text(metric.selector)
    return (("metricLabelSelector", text),) if text else ()


def selector_text(selector: LabelSelector | None) -> str:
    """Write a selector as queries have it."""
    return "" if selector is None else str(from_selector(selector))


def external(namespace: str, metric: MetricIdentifier) -> Selected:
    """Return what asks for a metric from outside."""
    place: Resource[Any] = Resource(
        EXTERNAL, "v1beta1", metric.name, "ExternalMetricValue", namespaced=True, type=ExternalMetricValue
    )
    return Selected(place, namespace, selector_text(metric.selector))


def read_pods(found: Json | Refusal) -> dict[str, PodMetric]:
    """Read a metric of pods, by their names.

    Raises:
        UnknownUsageError: there is none.
    """
    metrics = {}
    for each in _items(found):
        window = each.get("windowSeconds")
        name = (each.get("describedObject") or {}).get("name", "")
        window_s = _WINDOW_S if window is None else float(window)
        metrics[name] = PodMetric(_value(each), each.get("timestamp"), window_s)
    return metrics


def read_object(found: Json | Refusal) -> int:
    """Read a metric of an object, in thousandths.

    Raises:
        UnknownUsageError: there is none.
    """
    items = _items(found)
    if len(items) != 1:
        text = f"the custom metrics API server returned {len(items)} results when we asked for exactly one"
        raise UnknownUsageError(f"unable to fetch metrics from custom metrics API: {text}")
    return _value(items[0])


def _items(found: Json | Refusal) -> list[Json]:
    if isinstance(found, Refusal):
        raise UnknownUsageError(f"unable to fetch metrics from custom metrics API: {found.message}")
    items: list[Json] = found.get("items") or []
    if not items:
        raise UnknownUsageError("no metrics returned from custom metrics API")
    return items


def _value(item: Json) -> int:
    try:
        return milli(item.get("value", "0"))
    except ValueError as error:
        raise UnknownUsageError(f"unable to fetch metrics from custom metrics API: {error}") from error


def read_external(found: Sequence[ExternalMetricValue] | Refusal) -> int:
    """Return the sum of a metric from outside, in thousandths.

    Raises:
        UnknownUsageError: there is none.
    """
    if isinstance(found, Refusal):
        raise UnknownUsageError(f"unable to fetch metrics from external metrics API: {found.message}")
    if not found:
        raise UnknownUsageError("no metrics returned from external metrics API")
    try:
        return min(_MOST, sum(milli(each.value) for each in found))
    except ValueError as error:
        raise UnknownUsageError(f"unable to fetch metrics from external metrics API: {error}") from error
