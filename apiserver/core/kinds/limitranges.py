"""LimitRanges.

https://kubernetes.io/docs/concepts/policy/limit-range/
"""

from __future__ import annotations

from fractions import Fraction
from typing import Final

from apiserver.core import field_errors
from apiserver.core.podspec.resources import is_native, resource_name_causes
from apiserver.core.resource_names import name_causes
from apiserver.core.rules import Prepare, Rules, Validate, WriteContext
from apiserver.core.table import policy as table
from apiserver.core.values import Json, metadata, spec
from machinery.model import names, quantity
from machinery.model.errors import Cause

_TYPES: Final = frozenset({"Container", "PersistentVolumeClaim", "Pod"})
_NOT_OF_PODS: Final = ("default", "defaultRequest")
_COMPARED: Final = (  # the smaller, the larger, whose field is refused, and the words for both
    ("min", "max", "min", "min value", "max value"),
    ("min", "defaultRequest", "defaultRequest", "min value", "default request value"),
    ("defaultRequest", "max", "defaultRequest", "default request value", "max value"),
    ("defaultRequest", "default", "defaultRequest", "default request value", "default limit value"),
    ("min", "default", "default", "min value", "default value"),
    ("default", "max", "default", "default value", "max value"),
)


def _default(obj: Json) -> Json:
    for limit in obj.setdefault("spec", {}).setdefault("limits", []):
        if limit.get("type") == "Container":
            _default_container(limit)
    return obj


def _default_container(limit: Json) -> None:
    """Fill what containers get that say nothing: their limit is the most, what they request is their limit."""
    limits = {**(limit.get("max") or {}), **(limit.get("default") or {})}
    requests = {**(limit.get("min") or {}), **limits, **(limit.get("defaultRequest") or {})}
    for name, amounts in (("default", limits), ("defaultRequest", requests)):
        if amounts:
            limit[name] = amounts


def _prepare_create(obj: Json, context: WriteContext) -> Json:
    """Make a name up for one that has none."""
    meta = metadata(obj)
    return obj if meta.get("name") else {**obj, "metadata": {**meta, "name": context.uid}}


def _validate(obj: Json) -> list[Cause]:
    found: list[Cause] = []
    seen: set[str] = set()
    for index, limit in enumerate(spec(obj)["limits"]):
        path, type_ = f"spec.limits[{index}]", limit.get("type", "")
        found += _type_causes(type_, f"{path}.type")
        if type_ in seen:
            found.append(field_errors.duplicate(f"{path}.type", type_))
        seen.add(type_)
        found += _limit_causes(limit, path)
    return found


def _type_causes(type_: str, path: str) -> list[Cause]:
    if errors := names.label_key_errors(type_):
        return field_errors.each_invalid(path, type_, errors)
    if "/" in type_ or type_ in _TYPES:
        return []
    return [field_errors.invalid(path, type_, "must be a standard limit type or fully qualified")]


def _limit_causes(limit: Json, path: str) -> list[Cause]:
    is_pod = limit.get("type") == "Pod"
    found = _field_causes(limit, path, "max", "min")
    if is_pod:
        text = "may not be specified when `type` is 'Pod'"
        found += [field_errors.forbidden(f"{path}.{name}", text) for name in _NOT_OF_PODS if limit.get(name)]
    else:
        found += _field_causes(limit, path, *_NOT_OF_PODS)
    if limit.get("type") == "PersistentVolumeClaim" and not _bounds_storage(limit):
        text = "either minimum or maximum storage value is required, but neither was provided"
        found.append(field_errors.required(f"{path}.limits", text))
    found += _field_causes(limit, path, "maxLimitRequestRatio")
    compared = {name: value for name, value in limit.items() if not (is_pod and name in _NOT_OF_PODS)}
    resources = dict.fromkeys(key for value in compared.values() if isinstance(value, dict) for key in value)
    return found + [cause for resource in resources for cause in _amount_causes(compared, resource, path)]


def _bounds_storage(limit: Json) -> bool:
    return any("storage" in (limit.get(name) or {}) for name in ("min", "max"))


def _field_causes(limit: Json, path: str, *fields: str) -> list[Cause]:
    check = resource_name_causes if limit.get("type") in {"Pod", "Container"} else name_causes
    return [
        cause
        for field in fields
        for name in limit.get(field) or {}
        for cause in check(name, f"{path}.{field}[{name}]")
    ]


def _amount_causes(limit: Json, resource: str, path: str) -> list[Cause]:
    amounts = {
        name: value[resource]
        for name, value in limit.items()
        if isinstance(value, dict) and resource in value
    }
    found: list[Cause] = []
    for low, high, blamed, low_word, high_word in _COMPARED:
        if low in amounts and high in amounts and _value(amounts[low]) > _value(amounts[high]):
            shown = (high if high != blamed else low) if blamed == "default" else blamed
            text = f"{low_word} {amounts[low]} is greater than {high_word} {amounts[high]}"
            found.append(field_errors.invalid(f"{path}.{blamed}[{resource}]", amounts[shown], text))
    if "maxLimitRequestRatio" in amounts:
        found += _ratio_causes(amounts, f"{path}.maxLimitRequestRatio[{resource}]")
    limit_, request = amounts.get("default"), amounts.get("defaultRequest")
    if limit_ and request and not _may_overcommit(resource) and _value(limit_) != _value(request):
        text = f"default value {limit_} must equal to defaultRequest value {request} in {resource}"
        found.append(field_errors.invalid(f"{path}.defaultRequest[{resource}]", request, text))
    return found


def _ratio_causes(amounts: dict[str, str], path: str) -> list[Cause]:
    ratio = amounts["maxLimitRequestRatio"]
    found: list[Cause] = []
    if _value(ratio) < 1:
        found.append(field_errors.invalid(path, ratio, f"ratio {ratio} is less than 1"))
    least, most = (_value(amounts.get(name, "0")) for name in ("min", "max"))
    if least > 0 and "max" in amounts and _value(ratio) > most / least:
        text = f"ratio {ratio} is greater than max/min = {float(most / least):f}"
        found.append(field_errors.invalid(path, ratio, text))
    return found


def _value(amount: str) -> Fraction:
    return quantity.parse(amount)


def _may_overcommit(resource: str) -> bool:
    return is_native(resource) and not resource.startswith("hugepages-")


RULES: Final = Rules(
    default=_default,
    prepare=Prepare(create=_prepare_create),
    validate=Validate(create=_validate, update=lambda new, _old: _validate(new)),
    create_on_update=True,
    table=table.LIMIT_RANGES,
)
