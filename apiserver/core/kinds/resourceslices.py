"""ResourceSlices: the devices that a driver has.

https://kubernetes.io/docs/concepts/scheduling-eviction/dynamic-resource-allocation/#resourceslice
"""

from __future__ import annotations

import re
from typing import Final

from apiserver.core import field_errors
from apiserver.core.csi import driver_name_causes
from apiserver.core.device_capacity import capacity_causes
from apiserver.core.devices import (
    EFFECTS,
    binding_causes,
    label_causes,
    pool_name_causes,
    qualified_name_causes,
    set_causes,
)
from apiserver.core.podspec.affinity import node_selector_causes
from apiserver.core.rules import Rules, Validate, name_field
from apiserver.core.table import devices as table
from apiserver.core.values import Json, spec
from machinery.model import names
from machinery.model.errors import Cause

_MOST_DEVICES: Final = 128
_MOST_ELABORATE: Final = 64  # devices, where they have taints, counters or lists
_MOST_COUNTER_SETS: Final = 8
_MOST_COUNTERS: Final = 32
_MOST_TAINTS: Final = 16
_MOST_VALUES: Final = 32  # attributes and capacities of a device
_MOST_CONSUMPTIONS: Final = 2
_LONGEST_VALUE: Final = 64
_PLACES: Final = ("nodeName", "nodeSelector", "allNodes", "perDeviceNodeSelection")
_TYPES: Final = ("bool", "int", "string", "version", "bools", "ints", "strings", "versions")
_NUMBER: Final = r"(0|[1-9]\d*)"
_IDENTIFIER: Final = r"(0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)"
_BUILD: Final = "[0-9a-zA-Z-]+"
_VERSION: Final = re.compile(
    rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}(-{_IDENTIFIER}(\.{_IDENTIFIER})*)?(\+{_BUILD}(\.{_BUILD})*)?", re.ASCII
)


def _validate(obj: Json, before: Json | None = None) -> list[Cause]:
    """Check a slice; `before` is the spec that is there."""
    own = spec(obj)
    known = {each.get("name"): each for each in (before or {}).get("devices") or []}
    pool = own.get("pool") or {}
    found = driver_name_causes(own.get("driver", ""), "spec.driver")
    found += pool_name_causes(pool.get("name", ""), "spec.pool.name")
    if (count := pool.get("resourceSliceCount", 0)) <= 0:
        found.append(field_errors.invalid("spec.pool.resourceSliceCount", count, "must be greater than zero"))
    if (generation := pool.get("generation", 0)) < 0:
        text = "must be greater than or equal to zero"
        found.append(field_errors.invalid("spec.pool.generation", generation, text))
    found += _place_causes(own)
    devices = own.get("devices") or []
    if "sharedCounters" in own and "devices" in own:
        text = "only one of `sharedCounters` or `devices` is allowed"
        found.append(field_errors.invalid("spec", "", text))
    most = _MOST_ELABORATE if any(map(_is_elaborate, devices)) else _MOST_DEVICES
    apart = bool(own.get("perDeviceNodeSelection"))
    found += set_causes(
        devices,
        "spec.devices",
        most,
        lambda each, where: _device_causes(each, where, known.get(each.get("name"), {}), apart=apart),
        lambda each: each.get("name", ""),
    )
    return found + set_causes(
        own.get("sharedCounters") or [],
        "spec.sharedCounters",
        _MOST_COUNTER_SETS,
        lambda each, where: _counter_causes(each, where, "name"),
        lambda each: each.get("name", ""),
    )


def _place_causes(own: Json) -> list[Cause]:
    """Check that it says in one way where its devices are."""
    given, found = _places(own, "spec", _PLACES)
    one = f"exactly one of {', '.join(f'`{name}`' for name in _PLACES)} is required"
    if not given:
        return [*found, field_errors.required("spec", one)]
    if len(given) > 1:
        listed = f"{{{', '.join(f'`{name}`' for name in given)}}}"
        found.append(field_errors.invalid("spec", listed, f"{one}, but multiple fields are set"))
    return found


def _places(holder: Json, path: str, fields: tuple[str, ...]) -> tuple[list[str], list[Cause]]:
    given: list[str] = []
    found: list[Cause] = []
    for name in fields:
        value = holder.get(name)
        if value is None:
            continue
        if value in ("", False):
            of_slice = "must be either unset or set to a non-empty string"
            of_device = "must not be empty"
            text = "must be either unset or set to true"
            if value == "":
                text = of_slice if "perDeviceNodeSelection" in fields else of_device
            found.append(field_errors.invalid(f"{path}.{name}", value, text))
            continue
        given.append(name)
        if name == "nodeName":
            found += field_errors.each_invalid(f"{path}.{name}", value, names.dns_subdomain_errors(value))
        if name == "nodeSelector":
            where = f"{path}.{name}.nodeSelectorTerms"
            found += node_selector_causes(value, where)
            if "perDeviceNodeSelection" in fields and len(value.get("nodeSelectorTerms") or []) != 1:
                text = "must have exactly one node selector term"
                found.append(field_errors.invalid(where, value.get("nodeSelectorTerms") or [], text))
    return given, found


def _is_elaborate(device: Json) -> bool:
    attributes = (device.get("attributes") or {}).values()
    return bool(
        device.get("taints")
        or device.get("consumesCounters")
        or any(type_.endswith("s") for each in attributes for type_ in each)
    )


def _device_causes(device: Json, path: str, before: Json, *, apart: bool) -> list[Cause]:
    """Check a device; what it said `before` of capacity and taints is not looked at again."""
    attributes, capacity = device.get("attributes") or {}, device.get("capacity") or {}
    found = label_causes(device.get("name", ""), f"{path}.name")
    if (count := len(attributes) + len(capacity)) > _MOST_VALUES:
        text = f"the total number of attributes and capacities must not exceed {_MOST_VALUES}"
        found.append(field_errors.invalid(path, count, text))
    for name, attribute in attributes.items():
        found += qualified_name_causes(name, f"{path}.attributes")
        found += _attribute_causes(attribute, f"{path}.attributes[{name}]")
    for name, each in capacity.items():
        found += qualified_name_causes(name, f"{path}.capacity")
        if capacity != before.get("capacity"):
            is_shared = bool(device.get("allowMultipleAllocations"))
            found += capacity_causes(each, f"{path}.capacity[{name}]", is_shared=is_shared)
    taints = device.get("taints") or []
    if taints == before.get("taints"):
        taints = []
    if len(taints) > _MOST_TAINTS:
        found.append(field_errors.too_many(f"{path}.taints", len(taints), _MOST_TAINTS))
    else:
        for index, taint in enumerate(taints):
            found += _taint_causes(taint, f"{path}.taints[{index}]")
    found += set_causes(
        device.get("consumesCounters") or [],
        f"{path}.consumesCounters",
        _MOST_CONSUMPTIONS,
        lambda each, where: _counter_causes(each, where, "counterSet"),
        lambda each: each.get("counterSet", ""),
    )
    found += _device_place_causes(device, path, apart=apart)
    return found + binding_causes(device, path)


def _device_place_causes(device: Json, path: str, *, apart: bool) -> list[Cause]:
    fields = ("nodeName", "nodeSelector", "allNodes")
    if not apart:
        text = (
            "`nodeName`, `nodeSelector` and `allNodes` can only be set if `perDeviceNodeSelection` is set to true in "
            "the ResourceSlice spec"
        )
        return [field_errors.invalid(path, None, text)] if any(name in device for name in fields) else []
    given, found = _places(device, path, fields)
    text = (
        "exactly one of `nodeName`, `nodeSelector`, or `allNodes` is required when `perDeviceNodeSelection` is set to "
        "true in the ResourceSlice spec"
    )
    if not given:
        return [*found, field_errors.required(path, text)]
    if len(given) > 1:
        listed = f"{{{', '.join(f'`{name}`' for name in given)}}}"
        found.append(field_errors.invalid(path, listed, text))
    return found


def _attribute_causes(attribute: Json, path: str) -> list[Cause]:
    given = [type_ for type_ in _TYPES if attribute.get(type_) is not None]
    found: list[Cause] = []
    for type_ in given:
        value, where = attribute[type_], f"{path}.{type_}"
        if value == []:
            found.append(field_errors.invalid(where, value, "must not be empty if specified"))
        values = (
            [(f"{where}[{index}]", each) for index, each in enumerate(value)]
            if isinstance(value, list)
            else [(where, value)]
        )
        for place, each in values:
            found += _value_causes(type_, each, place)
    if len(given) != 1:
        found.append(
            field_errors.invalid(path, attribute if given else "", "exactly one value must be specified")
        )
    return found


def _value_causes(type_: str, value: object, path: str) -> list[Cause]:
    if not isinstance(value, str):
        return []
    found: list[Cause] = []
    if type_.startswith("version") and not (len(value) <= _LONGEST_VALUE and _VERSION.fullmatch(value)):
        text = "must be a string compatible with semver.org spec 2.0.0"
        found.append(field_errors.invalid(path, value, text))
    if len(value.encode()) > _LONGEST_VALUE:
        found.append(field_errors.too_long(path, _LONGEST_VALUE))
    return found


def _taint_causes(taint: Json, path: str) -> list[Cause]:
    key, value = taint.get("key", ""), taint.get("value", "")
    found = field_errors.each_invalid(f"{path}.key", key, names.label_key_errors(key))
    found += field_errors.each_invalid(f"{path}.value", value, names.label_value_errors(value))
    return found + field_errors.required_one_of(f"{path}.effect", taint.get("effect", ""), EFFECTS)


def _counter_causes(holder: Json, path: str, field: str) -> list[Cause]:
    name, counters = holder.get(field, ""), holder.get("counters") or {}
    found = label_causes(name, f"{path}.{field}") if name else [field_errors.required(f"{path}.{field}")]
    if not counters:
        return [*found, field_errors.required(f"{path}.counters")]
    if len(counters) > _MOST_COUNTERS:
        return [*found, field_errors.too_many(f"{path}.counters", len(counters), _MOST_COUNTERS)]
    return found + [cause for each in counters for cause in label_causes(each, f"{path}.counters")]


def _validate_update(new: Json, old: Json) -> list[Cause]:
    own, before = spec(new), spec(old)
    pools = (own.get("pool") or {}).get("name"), (before.get("pool") or {}).get("name")
    return [
        *_validate(new, before),
        *field_errors.unchanged("spec.pool.name", *pools),
        *field_errors.unchanged("spec.driver", own.get("driver"), before.get("driver")),
        *field_errors.unchanged("spec.nodeName", own.get("nodeName"), before.get("nodeName")),
    ]


def _fields(obj: Json) -> dict[str, str]:
    own = spec(obj)
    selectable = {"spec.nodeName": own.get("nodeName") or "", "spec.driver": own.get("driver") or ""}
    return {**name_field(obj), **selectable}


RULES: Final = Rules(
    validate=Validate(create=_validate, update=_validate_update),
    counts_generation=True,
    fields=_fields,
    unknown_field="field label not supported for resource.k8s.io/v1, Kind=ResourceSlice: {label}",
    table=table.RESOURCE_SLICES,
)
