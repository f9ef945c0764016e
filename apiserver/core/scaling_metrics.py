"""What a HorizontalPodAutoscaler goes by: its metrics.

https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from apiserver.core import field_errors
from apiserver.core.podspec.resources import resource_name_causes
from apiserver.core.references import segment_causes
from apiserver.core.values import Json
from machinery.model import names, quantity
from machinery.model.errors import Cause

_POPULATE: Final = "must populate information for the given metric source"
_TARGETS: Final = frozenset({"AverageValue", "Utilization", "Value"})


def metric_causes(metrics: list[Json], path: str) -> list[Cause]:
    """Check metrics: each has the one source that its type names."""
    return [
        cause for index, metric in enumerate(metrics) for cause in _one_causes(metric, f"{path}[{index}]")
    ]


def scaled_reference_causes(reference: Json, path: str) -> list[Cause]:
    """Check a reference to an object by kind and name."""
    return [*segment_causes(reference, path, field="kind"), *segment_causes(reference, path, field="name")]


def _one_causes(metric: Json, path: str) -> list[Cause]:
    type_ = metric.get("type", "")
    found: list[Cause] = []
    if not type_:
        found.append(field_errors.required(f"{path}.type", "must specify a metric source type"))
    found += field_errors.one_of(f"{path}.type", type_, _TYPES)
    given = [name for name in _SOURCES if name in metric]
    if given:  # of several ones the first is looked at
        found += _SOURCES[given[0]](metric[given[0]], f"{path}.{given[0]}")
    wanted = _TYPES.get(type_, "")
    if wanted and wanted not in metric:
        found.append(field_errors.required(f"{path}.{wanted}", _POPULATE))
    if len(given) != 1:
        text = "must populate the given metric source only"
        found += [field_errors.forbidden(f"{path}.{name}", text) for name in given if name != wanted]
    return found


def _object_causes(source: Json, path: str) -> list[Cause]:
    target = source.get("target") or {}
    found = scaled_reference_causes(source.get("describedObject") or {}, f"{path}.describedObject")
    found += [*_identifier_causes(source, path), *_target_causes(target, f"{path}.target")]
    if "value" not in target and "averageValue" not in target:
        text = "must set either a target value or averageValue"
        found.append(field_errors.required(f"{path}.target.averageValue", text))
    return found


def _external_causes(source: Json, path: str) -> list[Cause]:
    target = source.get("target") or {}
    found = [*_identifier_causes(source, path), *_target_causes(target, f"{path}.target")]
    if "value" not in target and "averageValue" not in target:
        text = "must set either a target value for metric or a per-pod target"
        found.append(field_errors.required(f"{path}.target.averageValue", text))
    if "value" in target and "averageValue" in target:
        text = "may not set both a target value for metric and a per-pod target"
        found.append(field_errors.forbidden(f"{path}.target.value", text))
    return found


def _pods_causes(source: Json, path: str) -> list[Cause]:
    target = source.get("target") or {}
    found = [*_identifier_causes(source, path), *_target_causes(target, f"{path}.target")]
    if "averageValue" not in target:
        text = "must specify a positive target averageValue"
        found.append(field_errors.required(f"{path}.target.averageValue", text))
    return found


def _resource_causes(source: Json, path: str) -> list[Cause]:
    target = source.get("target") or {}
    found: list[Cause] = []
    if not source.get("name"):
        found.append(field_errors.required(f"{path}.name", "must specify a resource name"))
    found += _target_causes(target, f"{path}.target")
    if "averageUtilization" not in target and "averageValue" not in target:
        text = "must set either a target raw value or a target utilization"
        found.append(field_errors.required(f"{path}.target.averageUtilization", text))
    if "averageUtilization" in target and "averageValue" in target:
        text = "may not set both a target raw value and a target utilization"
        found.append(field_errors.forbidden(f"{path}.target.averageValue", text))
    return found


def _container_causes(source: Json, path: str) -> list[Cause]:
    container, resource = source.get("container", ""), source.get("name", "")
    found = resource_name_causes(resource, f"{path}.name") if resource else []
    if container:
        found += field_errors.each_invalid(f"{path}.container", container, names.dns_label_errors(container))
    else:
        found.append(field_errors.required(f"{path}.container", "must specify a container"))
    return [*found, *_resource_causes(source, path)]


def _identifier_causes(source: Json, path: str) -> list[Cause]:
    metric = source.get("metric") or {}
    return segment_causes(metric, f"{path}.metric", field="name", detail="must specify a metric name")


def _target_causes(target: Json, path: str) -> list[Cause]:
    type_ = target.get("type", "")
    found = [] if type_ else [field_errors.required(f"{path}.type", "must specify a metric target type")]
    if type_ not in _TARGETS:
        text = "must be either Utilization, Value, or AverageValue"
        found.append(field_errors.invalid(f"{path}.type", type_, text))
    found += [
        field_errors.invalid(f"{path}.{name}", target[name], "must be positive")
        for name in ("value", "averageValue")
        if name in target and quantity.parse(target[name]) <= 0
    ]
    if (share := target.get("averageUtilization", 1)) < 1:
        found.append(field_errors.invalid(f"{path}.averageUtilization", share, "must be greater than 0"))
    return found


_SOURCES: Final[dict[str, Callable[[Json, str], list[Cause]]]] = {
    "object": _object_causes,
    "external": _external_causes,
    "pods": _pods_causes,
    "resource": _resource_causes,
    "containerResource": _container_causes,
}
_TYPES: Final = {f"{name[0].upper()}{name[1:]}": name for name in _SOURCES}
