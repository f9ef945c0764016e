"""HorizontalPodAutoscalers in version 1: what it has no fields for stands in annotations, as Kubernetes writes it.

https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/#api-object
An annotation that does not hold what it should is passed over.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from apiserver.core.values import Json, metadata, spec
from machinery.model import quantity

V1: Final = "autoscaling/v1"
_PREFIX: Final = "autoscaling.alpha.kubernetes.io/"
_METRICS: Final = f"{_PREFIX}metrics"
_CURRENT: Final = f"{_PREFIX}current-metrics"
_CONDITIONS: Final = f"{_PREFIX}conditions"
_BEHAVIOR: Final = f"{_PREFIX}behavior"
_ANNOTATIONS: Final = frozenset({_METRICS, _CURRENT, _CONDITIONS, _BEHAVIOR})

_FORMS: Final = {  # of a source: fields of version 1, and where version 2 has them
    "object": {
        "target": "describedObject",
        "metricName": "metric.name",
        "selector": "metric.selector",
        "targetValue": "target.value",
        "averageValue": "target.averageValue",
    },
    "pods": {
        "metricName": "metric.name",
        "selector": "metric.selector",
        "targetAverageValue": "target.averageValue",
    },
    "resource": {
        "name": "name",
        "targetAverageUtilization": "target.averageUtilization",
        "targetAverageValue": "target.averageValue",
    },
    "containerResource": {
        "name": "name",
        "container": "container",
        "targetAverageUtilization": "target.averageUtilization",
        "targetAverageValue": "target.averageValue",
    },
    "external": {
        "metricName": "metric.name",
        "metricSelector": "metric.selector",
        "targetValue": "target.value",
        "targetAverageValue": "target.averageValue",
    },
}
_CURRENT_FORMS: Final = {
    source: {
        name.replace("targetAverage", "currentAverage").replace("targetValue", "currentValue"): place.replace(
            "target.", "current."
        )
        for name, place in form.items()
    }
    for source, form in _FORMS.items()
}
_NUMBERS: Final = frozenset({"averageUtilization"})
_QUANTITIES: Final = frozenset({"value", "averageValue"})
_OBJECTS: Final = frozenset({"describedObject", "selector"})


class _Reference(msgspec.Struct, omit_defaults=True):
    kind: str = ""
    name: str = ""
    apiVersion: str = ""


class _Requirement(msgspec.Struct, omit_defaults=True):
    key: str = ""
    operator: str = ""
    values: list[str] = []


class _Selector(msgspec.Struct, omit_defaults=True):
    matchLabels: dict[str, str] = {}
    matchExpressions: list[_Requirement] = []


class _Policy(msgspec.Struct, omit_defaults=True):
    type: str = ""
    value: int = 0
    periodSeconds: int = 0


class _ScalingRules(msgspec.Struct, omit_defaults=True):
    stabilizationWindowSeconds: int | None = None
    selectPolicy: str | None = None
    policies: list[_Policy] | None = None
    tolerance: str | None = None


class _Behavior(msgspec.Struct, omit_defaults=True):
    scaleUp: _ScalingRules | None = None
    scaleDown: _ScalingRules | None = None


class _Condition(msgspec.Struct, omit_defaults=True):
    type: str = ""
    status: str = ""
    lastTransitionTime: str | None = None
    reason: str = ""
    message: str = ""


def convert(obj: Json, api_version: str) -> Json:
    """Return an autoscaler of either version in the one that is named."""
    return _to_v1(obj) if api_version == V1 else _to_v2(obj, api_version)


def has_metrics(obj: Json) -> bool:
    """Whether an autoscaler of version 1 says what it goes by."""
    annotations = metadata(obj).get("annotations") or {}
    return "targetCPUUtilizationPercentage" in spec(obj) or bool(
        _newer(annotations.get(_METRICS, ""), _FORMS)
    )


def _to_v1(obj: Json) -> Json:
    own, status = spec(obj), obj.get("status") or {}
    metrics, current = own.get("metrics") or [], status.get("currentMetrics") or []
    first = next((each for each in metrics if _is_cpu_share(each, "target")), None)
    others = [each for each in metrics if each is not first]
    kept_spec = {key: value for key, value in own.items() if key not in {"metrics", "behavior"}}
    kept_status = {key: value for key, value in status.items() if key not in {"currentMetrics", "conditions"}}
    if first is not None:
        kept_spec["targetCPUUtilizationPercentage"] = first["resource"]["target"]["averageUtilization"]
    now = next((each for each in current if _is_cpu_share(each, "current")), None)
    if now is not None:
        kept_status["currentCPUUtilizationPercentage"] = now["resource"]["current"]["averageUtilization"]
    annotations = {
        _METRICS: [_older(each, _FORMS) for each in others],
        _CURRENT: [_older(each, _CURRENT_FORMS) for each in current],
        _CONDITIONS: status.get("conditions"),
        _BEHAVIOR: own.get("behavior"),
    }
    written = {key: _text(value) for key, value in annotations.items() if value}
    changed = {**_without_annotations(obj, written), "apiVersion": V1, "spec": kept_spec}
    return {**changed, "status": kept_status} if "status" in obj else changed


def _to_v2(obj: Json, api_version: str) -> Json:
    own, status = dict(spec(obj)), dict(obj.get("status") or {})
    annotations = metadata(obj).get("annotations") or {}
    share = own.pop("targetCPUUtilizationPercentage", None)
    metrics = [] if share is None else [_cpu_share("target", share)]
    metrics += _newer(annotations.get(_METRICS, ""), _FORMS)
    if metrics:
        own["metrics"] = metrics
    behavior = _read(annotations.get(_BEHAVIOR, ""), _Behavior)
    if behavior and _fits(behavior):
        own["behavior"] = behavior
    share = status.pop("currentCPUUtilizationPercentage", None)
    current = _newer(annotations.get(_CURRENT, ""), _CURRENT_FORMS)
    if not current and share is not None:
        current = [_cpu_share("current", share)]
    if current:
        status["currentMetrics"] = current
    if conditions := _read(annotations.get(_CONDITIONS, ""), list[_Condition]):
        status["conditions"] = conditions
    changed = {**_without_annotations(obj, {}), "apiVersion": api_version, "spec": own}
    return {**changed, "status": status} if status else changed


def _is_cpu_share(metric: Json, field: str) -> bool:
    resource = metric.get("resource") or {}
    amounts = resource.get(field) or {}
    is_share = "averageUtilization" in amounts and (field == "current" or "averageValue" not in amounts)
    return metric.get("type") == "Resource" and resource.get("name") == "cpu" and is_share


def _cpu_share(field: str, share: int) -> Json:
    amounts: Json = {"averageUtilization": share}
    if field == "target":
        amounts["type"] = "Utilization"
    return {"type": "Resource", "resource": {"name": "cpu", field: amounts}}


def _older(metric: Json, forms: dict[str, dict[str, str]]) -> Json:
    """Return a metric, or what it is now, as version 1 had it."""
    result = {"type": metric.get("type", "")}
    for source, form in forms.items():
        if source in metric:
            found = {name: _at(metric[source], place) for name, place in form.items()}
            result[source] = {name: value for name, value in found.items() if value is not None}
    return result


def _newer(text: str, forms: dict[str, dict[str, str]]) -> list[Json]:
    """Read metrics as version 1 had them; nothing where they are none."""
    given = _read(text, list[dict[str, Any]])
    try:
        return [_newer_one(each, forms) for each in given or ()]
    except (ValueError, msgspec.ValidationError):
        return []


def _newer_one(metric: Json, forms: dict[str, dict[str, str]]) -> Json:
    result: Json = {"type": msgspec.convert(metric.get("type", ""), str)}
    for source, form in forms.items():
        given = metric.get(source)
        if given is None:
            continue
        result[source] = {}
        for name, place in form.items():
            value = msgspec.convert(given, dict[str, Any]).get(name)
            if value is not None:
                _put(result[source], place, _checked(place.rpartition(".")[2], value))
        if target := result[source].get("target"):
            result[source]["target"] = {"type": _target_type(target), **target}
    return result


def _target_type(target: Json) -> str:
    if "averageUtilization" in target:
        return "Utilization"
    return "AverageValue" if "averageValue" in target else "Value"


def _checked(name: str, value: Any) -> Any:
    """Return a value of the type that its field has.

    Raises:
        ValueError: it is of another one.
    """
    if name in _NUMBERS:
        return msgspec.convert(value, int)
    if name in _QUANTITIES:
        quantity.parse(msgspec.convert(value, str))
        return value
    if name in _OBJECTS:
        type_ = _Reference if name == "describedObject" else _Selector
        return msgspec.to_builtins(msgspec.convert(value, type_))
    return msgspec.convert(value, str)


def _fits(behavior: Json) -> bool:
    try:
        for rules in behavior.values():
            quantity.parse(rules.get("tolerance", "0"))
    except ValueError:
        return False
    return True


def _at(source: Json, place: str) -> Any:
    holder, dot, name = place.rpartition(".")
    return (source.get(holder) or {}).get(name) if dot else source.get(name)


def _put(source: Json, place: str, value: Any) -> None:
    holder, dot, name = place.rpartition(".")
    (source.setdefault(holder, {}) if dot else source)[name] = value


def _without_annotations(obj: Json, instead: dict[str, str]) -> Json:
    """Return an object with other annotations in place of those that stand for fields."""
    meta = {key: value for key, value in metadata(obj).items() if key != "annotations"}
    given = metadata(obj).get("annotations") or {}
    annotations = {key: value for key, value in given.items() if key not in _ANNOTATIONS} | instead
    if annotations:
        meta["annotations"] = annotations
    return {**obj, "metadata": meta}


def _read(text: str, type_: Any) -> Any:
    if not text:
        return None
    try:
        return msgspec.to_builtins(msgspec.json.decode(text, type=type_))
    except msgspec.DecodeError:
        return None


def _text(value: Any) -> str:
    return msgspec.json.encode(value).decode()
