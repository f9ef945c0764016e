"""How much of a device's capacity one request takes, where several share the device.

https://kubernetes.io/docs/concepts/scheduling-eviction/dynamic-resource-allocation/#consumable-capacity
"""

from __future__ import annotations

from fractions import Fraction
from math import ceil
from typing import Final

from apiserver.core import field_errors
from apiserver.core.values import Json
from machinery.model import quantity
from machinery.model.errors import Cause

_MOST_VALUES: Final = 10


def capacity_causes(capacity: Json, path: str, *, is_shared: bool) -> list[Cause]:
    """Check one capacity of a device; `is_shared` says whether the device may be allocated more than once."""
    policy = capacity.get("requestPolicy")
    if policy is None:
        return []
    path = f"{path}.requestPolicy"
    if not is_shared:
        return [field_errors.forbidden(path, "allowMultipleAllocations must be true")]
    return _policy_causes(policy, capacity["value"], path)


def _policy_causes(policy: Json, most: str, path: str) -> list[Cause]:
    values, range_ = policy.get("validValues") or [], policy.get("validRange")
    if values and range_ is not None:
        text = 'exactly one policy can be specified, cannot specify "validValues" and "validRange" at the same time'
        return [field_errors.forbidden(path, text)]
    if not values and range_ is None:
        return []
    name = "validValues" if values else "validRange"
    if "default" not in policy:
        return [field_errors.required(f"{path}.default", f"required when {name} is defined")]
    if values:
        return _values_causes(values, policy["default"], most, f"{path}.{name}")
    return _range_causes(range_ or {}, policy["default"], most, f"{path}.{name}")


def _values_causes(values: list[str], default: str, most: str, path: str) -> list[Cause]:
    numbers = [quantity.parse(each) for each in values]
    whole = [str(ceil(each)) for each in numbers]  # they are compared so, and told of so
    found = [
        field_errors.invalid(f"{path}[{index}]", values[index], "values must be sorted in ascending order")
        for index in range(1, len(values))
        if numbers[index - 1] > numbers[index]
    ]
    if len(values) > _MOST_VALUES:
        found.append(field_errors.too_many(path, len(values), _MOST_VALUES))
    else:
        found += [
            field_errors.invalid(f"{path}[{index}]", each, f"option is larger than capacity value: {most}")
            for index, each in enumerate(values)
            if numbers[index] > quantity.parse(most)
        ]
        found += [
            field_errors.duplicate(f"{path}[{index}]", whole[index]) for index in field_errors.repeated(whole)
        ]
    if quantity.parse(default) in numbers[:_MOST_VALUES]:
        return found
    text = "default value is not valid according to the requestPolicy"
    return [*found, field_errors.invalid(path, default, text)]


def _range_causes(range_: Json, default: str, most: str, path: str) -> list[Cause]:
    low, high, step = (range_.get(name) for name in ("min", "max", "step"))
    if low is None:
        return [field_errors.required(f"{path}.min", "required when validRange is defined")]
    wrong = [
        (_value(low) > _value(most), "min", low, f"min is larger than capacity value: {most}"),
        (_value(default) < _value(low), "default", default, f"default is less than min: {low}"),
    ]
    if high is not None:
        wrong += [
            (_value(low) > _value(high), "max", low, f"min is larger than max: {high}"),
            (_value(high) > _value(most), "max", high, f"max is larger than capacity value: {most}"),
            (_value(default) > _value(high), "default", default, f"default is more than max: {high}"),
        ]
    found = [
        field_errors.invalid(f"{path}.{name}", value, text) for fails, name, value, text in wrong if fails
    ]
    if step is None:
        return found
    return found + _step_causes(step, low, [default, *([] if high is None else [high])], most, f"{path}.step")


def _step_causes(step: str, low: str, reached: list[str], most: str, path: str) -> list[Cause]:
    """Check that what is to be reached is a number of steps above the least."""
    if _value(step) <= 0:
        return [field_errors.invalid(path, step, "must be greater than zero")]
    found: list[Cause] = []
    first = _value(low) + _value(step)
    if first > _value(most):
        text = f"one step {quantity.format_amount(first, quantity.parse_in_family(low)[1])} is larger than capacity value: {most}"
        found.append(field_errors.invalid(path, step, text))
    return found + [
        field_errors.invalid(path, each, f"value is not a multiple of a given step ({step}) from ({low})")
        for each in reached
        if (_value(each) - _value(low)) % _value(step)
    ]


def _value(amount: str) -> Fraction:
    return quantity.parse(amount)
