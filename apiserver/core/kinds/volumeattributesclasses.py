"""VolumeAttributesClasses.

https://kubernetes.io/docs/concepts/storage/volume-attributes-classes/
"""

from __future__ import annotations

from typing import Final

from apiserver.core import field_errors
from apiserver.core.rules import Rules, Validate
from apiserver.core.storage_parameters import parameter_causes
from apiserver.core.table import storage as table
from apiserver.core.values import Json
from machinery.model import names
from machinery.model.errors import Cause

_FIXED: Final = ("driverName", "parameters")


def _validate(obj: Json) -> list[Cause]:
    driver, parameters = obj.get("driverName", "").lower(), obj.get("parameters") or {}
    found = (
        field_errors.each_invalid("driverName", driver, names.label_key_errors(driver))
        if driver
        else [field_errors.required("driverName")]
    )
    found += parameter_causes(parameters, "parameters")
    if not parameters:
        text = "must contain at least one key/value pair"
        found.append(field_errors.required("parameters", text))
    return found


def _validate_update(new: Json, old: Json) -> list[Cause]:
    changed = [
        field_errors.forbidden(name, f"updates to {name} are forbidden.")
        for name in _FIXED
        if (new.get(name) or {}) != (old.get(name) or {})
    ]
    return changed + _validate(new)


RULES: Final = Rules(
    validate=Validate(create=_validate, update=_validate_update),
    deletion_returns_object=True,
    table=table.VOLUME_ATTRIBUTES_CLASSES,
)
