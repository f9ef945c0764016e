"""CSIStorageCapacities: how much a driver of volumes has left, for a class and a part of the cluster.

https://kubernetes.io/docs/concepts/storage/storage-capacity/
"""

from __future__ import annotations

from typing import Final

from apiserver.core import field_errors, labelselector
from apiserver.core.podspec.warnings import OLD_LABELS, term_warnings
from apiserver.core.rules import Rules, Validate
from apiserver.core.table import storage as table
from apiserver.core.values import Json
from apiserver.core.volume_claims import class_name_causes
from machinery.model import quantity
from machinery.model.errors import Cause


def _validate(obj: Json) -> list[Cause]:
    found = labelselector.validate(obj.get("nodeTopology") or {}, "nodeTopology")
    found += class_name_causes(obj.get("storageClassName", ""), "storageClassName")
    if "capacity" in obj and quantity.parse(obj["capacity"]) < 0:
        text = "must be greater than or equal to 0"
        found.append(field_errors.invalid("capacity", obj["capacity"], text))
    return found


def _validate_update(new: Json, old: Json) -> list[Cause]:
    return [
        *field_errors.unchanged("nodeTopology", new.get("nodeTopology"), old.get("nodeTopology")),
        *field_errors.unchanged("storageClassName", new.get("storageClassName"), old.get("storageClassName")),
    ]


def _warnings(new: Json, _old: Json | None) -> tuple[str, ...]:
    selector = new.get("nodeTopology") or {}
    labels = [
        f"nodeTopology.matchLabels.{key}: {OLD_LABELS[key]}"
        for key in selector.get("matchLabels") or ()
        if key in OLD_LABELS
    ]
    return (*term_warnings(selector, "nodeTopology"), *labels)


RULES: Final = Rules(
    validate=Validate(create=_validate, update=_validate_update),
    unconditional_update=False,
    warnings=_warnings,
    table=table.CSI_STORAGE_CAPACITIES,
)
