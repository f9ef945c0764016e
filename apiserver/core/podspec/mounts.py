"""The rules of volume mounts."""

from __future__ import annotations

from typing import Final

from apiserver.core import field_errors
from apiserver.core.podspec.paths import descending_causes
from apiserver.core.values import Json
from machinery.model.errors import Cause

_PROPAGATIONS: Final = frozenset({"Bidirectional", "HostToContainer", "None"})
_RECURSIONS: Final = frozenset({"Disabled", "Enabled", "IfPossible"})


def mount_causes(container: Json, volumes: list[Json], path: str) -> list[Cause]:
    """Check that what is mounted is there, each in a place of its own."""
    known = {volume.get("name", "") for volume in volumes}
    found: list[Cause] = []
    seen: set[str] = set()
    for index, mount in enumerate(container.get("volumeMounts") or []):
        where, name, place = f"{path}[{index}]", mount.get("name", ""), mount.get("mountPath", "")
        if not name:
            found.append(field_errors.required(f"{where}.name"))
        if name not in known:
            found.append(field_errors.not_found(f"{where}.name", name))
        if not place:
            found.append(field_errors.required(f"{where}.mountPath"))
        if place in seen:
            found.append(field_errors.invalid(f"{where}.mountPath", place, "must be unique"))
        seen.add(place)
        found += _part_causes(mount, where)
        found += _propagation_causes(mount, container, f"{where}.mountPropagation")
        if "recursiveReadOnly" in mount:
            found += _recursion_causes(mount, f"{where}.recursiveReadOnly")
    return found


def _part_causes(mount: Json, path: str) -> list[Cause]:
    part, expression = mount.get("subPath", ""), mount.get("subPathExpr", "")
    found = descending_causes(f"{path}.subPath", part) if part else []
    if expression:
        if part:
            text = "subPathExpr and subPath are mutually exclusive"
            found.append(field_errors.invalid(f"{path}.subPathExpr", expression, text))
        found += descending_causes(f"{path}.subPathExpr", expression)
    return found


def _propagation_causes(mount: Json, container: Json, path: str) -> list[Cause]:
    propagation = mount.get("mountPropagation")
    if propagation is None:
        return []
    if propagation == "Bidirectional" and not (container.get("securityContext") or {}).get("privileged"):
        text = "Bidirectional mount propagation is available only to privileged containers"
        return [field_errors.forbidden(path, text)]
    return field_errors.one_of(path, propagation, _PROPAGATIONS)


def _recursion_causes(mount: Json, path: str) -> list[Cause]:
    recursion = mount["recursiveReadOnly"]
    found = field_errors.one_of(path, recursion, _RECURSIONS)
    if found or recursion == "Disabled":
        return found
    if not mount.get("readOnly"):
        found.append(field_errors.forbidden(path, "may only be specified when readOnly is true"))
    if mount.get("mountPropagation", "None") != "None":
        text = "may only be specified when mountPropagation is None or not specified"
        found.append(field_errors.forbidden(path, text))
    return found
