"""CSINodes: the drivers of volumes that have registered at a node.

https://kubernetes.io/docs/reference/kubernetes-api/config-and-storage-resources/csi-node-v1/
"""

from __future__ import annotations

from typing import Final

from apiserver.core import field_errors
from apiserver.core.csi import driver_name_causes
from apiserver.core.rules import Rules, Validate
from apiserver.core.table import storage as table
from apiserver.core.values import Json, spec
from machinery.model import names
from machinery.model.errors import Cause

_LONGEST_ID: Final = 256


def _validate(obj: Json) -> list[Cause]:
    drivers = spec(obj).get("drivers") or []
    again = set(field_errors.repeated(each.get("name", "") for each in drivers))
    found: list[Cause] = []
    for index, driver in enumerate(drivers):
        path = f"spec.drivers[{index}]"
        found += _driver_causes(driver, path)
        if index in again:
            found.append(field_errors.duplicate(f"{path}.name", driver.get("name", "")))
        found += _topology_causes(driver.get("topologyKeys") or [], path)
    return found


def _driver_causes(driver: Json, path: str) -> list[Cause]:
    found = driver_name_causes(driver.get("name", ""), f"{path}.name")
    node_id = driver.get("nodeID", "")
    if not node_id:
        found.append(field_errors.required(f"{path}.nodeID"))
    if len(node_id.encode()) > _LONGEST_ID:
        text = f"must be {_LONGEST_ID} characters or less"
        found.append(field_errors.invalid(f"{path}.nodeID", node_id, text))
    count = (driver.get("allocatable") or {}).get("count")
    return found + field_errors.not_negative(f"{path}.allocatable.count", count)


def _topology_causes(keys: list[str], path: str) -> list[Cause]:
    again = set(field_errors.repeated(keys))
    found: list[Cause] = []
    for index, key in enumerate(keys):
        if not key:
            found.append(field_errors.required(path))
        if index in again:
            found.append(field_errors.duplicate(path, key))
        found += field_errors.each_invalid(path, key, names.label_key_errors(key))
    return found


def _validate_update(new: Json, old: Json) -> list[Cause]:
    """Check a change: of a driver that stays only the number of its volumes may change."""
    before = {each.get("name"): each for each in spec(old).get("drivers") or []}
    return _validate(new) + [
        cause
        for driver in spec(new).get("drivers") or []
        if driver.get("name") in before
        for cause in field_errors.unchanged(
            "spec.drivers", _lasting(driver), _lasting(before[driver.get("name")])
        )
    ]


def _lasting(driver: Json) -> Json:
    return {key: value for key, value in driver.items() if key != "allocatable"}


def _default(obj: Json) -> Json:
    obj.setdefault("spec", {}).setdefault("drivers", [])
    return obj


RULES: Final = Rules(
    default=_default,
    validate=Validate(create=_validate, update=_validate_update),
    unconditional_update=False,
    deletion_returns_object=True,
    table=table.CSI_NODES,
)
