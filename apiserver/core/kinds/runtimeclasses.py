"""RuntimeClasses.

https://kubernetes.io/docs/concepts/containers/runtime-class/
"""

from __future__ import annotations

from typing import Final

from apiserver.core import field_errors, metadata
from apiserver.core.podspec.resources import resource_causes
from apiserver.core.podspec.tolerations import toleration_causes
from apiserver.core.podspec.warnings import OLD_LABELS
from apiserver.core.rules import Rules, Validate
from apiserver.core.table import nodes as table
from apiserver.core.values import Json
from machinery.model import names
from machinery.model.errors import Cause

_SAME: Final = ("key", "operator", "value", "effect")


def _validate(obj: Json) -> list[Cause]:
    handler = obj.get("handler", "")
    found = field_errors.each_invalid("handler", handler, names.dns_label_errors(handler))
    if "overhead" in obj:
        found += resource_causes({"limits": obj["overhead"].get("podFixed") or {}}, "overhead")
    scheduling = obj.get("scheduling") or {}
    found += metadata.validate_labels(scheduling.get("nodeSelector") or {}, "scheduling.nodeSelector")
    return found + _toleration_causes(scheduling.get("tolerations") or [], "scheduling.tolerations")


def _toleration_causes(tolerations: list[Json], path: str) -> list[Cause]:
    found = toleration_causes(tolerations, path)
    seen: set[tuple[str, ...]] = set()
    for index, toleration in enumerate(tolerations):
        key = tuple(toleration.get(name, "") for name in _SAME)
        if key in seen:
            found.append(field_errors.duplicate(f"{path}[{index}]", toleration))
        seen.add(key)
    return found


def _validate_update(new: Json, old: Json) -> list[Cause]:
    return field_errors.unchanged("handler", new.get("handler"), old.get("handler"))


def _warnings(new: Json, _old: Json | None) -> tuple[str, ...]:
    labels = (new.get("scheduling") or {}).get("nodeSelector") or ()
    return tuple(f"scheduling.nodeSelector: {OLD_LABELS[key]}" for key in labels if key in OLD_LABELS)


RULES: Final = Rules(
    validate=Validate(create=_validate, update=_validate_update),
    unconditional_update=False,
    warnings=_warnings,
    table=table.RUNTIME_CLASSES,
)
