"""Nodes.

https://kubernetes.io/docs/concepts/architecture/nodes/
"""

from __future__ import annotations

from typing import Final

from apiserver.core import field_errors, ports
from apiserver.core.podspec import resources
from apiserver.core.rules import Prepare, Rules, Validate, name_field, with_old_status
from apiserver.core.table import nodes as table
from apiserver.core.values import Json, spec
from machinery.model import names
from machinery.model.errors import Cause
from machinery.model.taints import EFFECTS


def _default(obj: Json) -> Json:
    status = obj.setdefault("status", {})
    if status.get("capacity") and not status.get("allocatable"):
        status["allocatable"] = dict(status["capacity"])
    _pair_ranges(obj.setdefault("spec", {}))
    return obj


def _pair_ranges(node: Json) -> None:
    """Fill in podCIDR from podCIDRs, or the other way round; where they disagree, podCIDR counts."""
    if node.get("podCIDR") and (node.get("podCIDRs") or [""])[0] != node["podCIDR"]:
        node["podCIDRs"] = [node["podCIDR"]]
    elif node.get("podCIDRs") and not node.get("podCIDR"):
        node["podCIDR"] = node["podCIDRs"][0]


def _unbuilt(obj: Json) -> str:
    if spec(obj).get("configSource"):
        return "spec.configSource (dynamic kubelet configuration) was removed from Kubernetes"
    return ""


def taint_causes(taints: list[Json], path: str) -> list[Cause]:
    """Find taints that are malformed or there twice."""
    found: list[Cause] = []
    seen: set[tuple[str, str]] = set()
    for index, taint in enumerate(taints):
        here = f"{path}[{index}]"
        key, value, effect = taint.get("key", ""), taint.get("value", ""), taint.get("effect", "")
        found += field_errors.each_invalid(f"{here}.key", key, names.label_key_errors(key))
        found += field_errors.each_invalid(f"{here}.value", value, names.label_value_errors(value))
        if effect:
            found += field_errors.one_of(f"{here}.effect", effect, [*EFFECTS])
        else:
            found.append(field_errors.required(f"{here}.effect"))
        if (key, effect) in seen:
            text = "taints must be unique by key and effect pair"
            found.append(field_errors.duplicate(here, taint, text))
        seen.add((key, effect))
    return found


def _validate(obj: Json) -> list[Cause]:
    node = spec(obj)
    found = taint_causes(node.get("taints") or [], "spec.taints")
    return [*found, *_range_causes(node.get("podCIDRs") or []), *_status_causes(obj.get("status") or {})]


def _range_causes(ranges: list[str]) -> list[Cause]:
    path = "spec.podCIDRs"
    found = [
        cause for index, text in enumerate(ranges) for cause in ports.range_causes(f"{path}[{index}]", text)
    ]
    if len(ranges) > 1 and not found and not _is_pair(ranges):
        text = "may specify no more than one CIDR for each IP family"
        found.append(field_errors.invalid(path, ranges, text))
    again = field_errors.repeated(ranges)
    return [*found, *(field_errors.duplicate(f"{path}[{index}]", ranges[index]) for index in again)]


def _is_pair(ranges: list[str]) -> bool:
    return len(ranges) == len({":" in text for text in ranges})


def _status_causes(status: Json) -> list[Cause]:
    found: list[Cause] = []
    seen: set[tuple[str, str]] = set()
    for index, address in enumerate(status.get("addresses") or []):
        both = (address.get("type", ""), address.get("address", ""))
        if both in seen:
            found.append(field_errors.duplicate(f"status.addresses[{index}]", address))
        seen.add(both)
    for field in ("capacity", "allocatable"):
        for name, amount in (status.get(field) or {}).items():
            found += resources.amount_causes(name, amount, f"status.{field}.{name}")
    return found


def _validate_update(new: Json, old: Json) -> list[Cause]:
    after, before = spec(new), spec(old)
    found = _validate(new)
    if before.get("podCIDRs") and after.get("podCIDRs") != before["podCIDRs"]:
        text = 'node updates may not change podCIDR except from "" to valid'
        found.append(field_errors.forbidden("spec.podCIDRs", text))
    if before.get("providerID") and after.get("providerID") != before["providerID"]:
        text = 'node updates may not change providerID except from "" to valid'
        found.append(field_errors.forbidden("spec.providerID", text))
    if after.get("externalID") != before.get("externalID"):
        found.append(field_errors.forbidden("spec.externalID", "may not be updated"))
    return found


def _validate_status(new: Json, _old: Json) -> list[Cause]:
    return _status_causes(new.get("status") or {})


def _fields(obj: Json) -> dict[str, str]:
    unschedulable = bool(spec(obj).get("unschedulable"))
    return {**name_field(obj), "spec.unschedulable": str(unschedulable).lower()}


def _warnings(new: Json, _old: Json | None) -> tuple[str, ...]:
    own = spec(new)
    found = [
        warning
        for index, text in enumerate(own.get("podCIDRs") or ())
        for warning in ports.range_warnings(text, f"spec.podCIDRs[{index}]")
    ]
    if own.get("externalID"):
        found.append("spec.externalID: this field is deprecated, and is unused by Kubernetes")
    return tuple(found)


RULES: Final = Rules(
    storage_prefix="/registry/minions",
    default=_default,
    unbuilt=_unbuilt,
    prepare=Prepare(update=with_old_status),
    validate=Validate(create=_validate, update=_validate_update, status=_validate_status),
    fields=_fields,
    warnings=_warnings,
    table=table.NODES,
)
