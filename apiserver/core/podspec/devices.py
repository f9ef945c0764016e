"""The rules of volume devices: volumes that a container has as block devices.

https://kubernetes.io/docs/concepts/storage/persistent-volumes/#raw-block-volume-support
"""

from __future__ import annotations

from apiserver.core import field_errors
from apiserver.core.podspec.paths import no_backsteps_causes
from apiserver.core.values import Json
from machinery.model.errors import Cause


def device_causes(container: Json, volumes: list[Json], path: str) -> list[Cause]:
    """Check that each device is a claim's, and that nothing else has its name or its place."""
    claimed = {each.get("name"): "persistentVolumeClaim" in each or "ephemeral" in each for each in volumes}
    mounts = container.get("volumeMounts") or []
    mounted = {mount.get("name") for mount in mounts}, {mount.get("mountPath") for mount in mounts}
    found: list[Cause] = []
    names: set[str] = set()
    places: set[str] = set()
    for index, device in enumerate(container.get("volumeDevices") or []):
        where, name, place = f"{path}[{index}]", device.get("name", ""), device.get("devicePath", "")
        if not name:
            found.append(field_errors.required(f"{where}.name"))
        found += _name_causes(name, claimed, names, f"{where}.name")
        found += _place_causes(place, places, f"{where}.devicePath")
        if name in mounted[0]:
            found.append(
                field_errors.invalid(f"{where}.name", name, "must not already exist in volumeMounts")
            )
        if place in mounted[1]:
            text = "must not already exist as a path in volumeMounts"
            found.append(field_errors.invalid(f"{where}.devicePath", place, text))
        names.add(name)
        places.add(place)
    return found


def _name_causes(name: str, claimed: dict[str | None, bool], seen: set[str], path: str) -> list[Cause]:
    found = [field_errors.invalid(path, name, "must be unique")] if name in seen else []
    if name not in claimed:
        found.append(field_errors.not_found(path, name))
    elif not claimed[name]:
        text = "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode"
        found.append(field_errors.invalid(path, name, text))
    return found


def _place_causes(place: str, seen: set[str], path: str) -> list[Cause]:
    if not place:
        return [field_errors.required(path)]
    found = [field_errors.invalid(path, place, "must be unique")] if place in seen else []
    if no_backsteps_causes(path, place):
        found.append(field_errors.invalid(path, place, "can not contain backsteps ('..')"))
    return found
