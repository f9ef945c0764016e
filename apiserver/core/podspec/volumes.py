"""The rules of volumes.

https://kubernetes.io/docs/concepts/storage/volumes/
"""

from __future__ import annotations

from typing import Final

from apiserver.core import field_errors
from apiserver.core.podspec.claimed_volumes import claim_reference_causes, ephemeral_causes
from apiserver.core.podspec.paths import no_backsteps_causes
from apiserver.core.podspec.projections import projected_causes
from apiserver.core.podspec.remote_volumes import IN_PODS, Check, initiator_causes
from apiserver.core.podspec.volume_files import downward_file_causes, key_file_causes, mode_causes
from apiserver.core.values import Json
from machinery.model import names, quantity
from machinery.model.errors import Cause

PULL_POLICIES: Final = frozenset({"Always", "IfNotPresent", "Never"})
_HOST_PATH_TYPES: Final = frozenset(
    {"", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket"}
)


def volume_causes(volumes: list[Json], path: str) -> list[Cause]:
    """Check volumes: each has a name of its own and one source."""
    found: list[Cause] = []
    seen: set[str] = set()
    for index, volume in enumerate(volumes):
        where, name = f"{path}[{index}]", volume.get("name", "")
        found += _source_causes(volume, where)
        if not name:
            found.append(field_errors.required(f"{where}.name"))
        else:
            found += field_errors.each_invalid(f"{where}.name", name, names.dns_label_errors(name))
        if name in seen:
            found.append(field_errors.duplicate(f"{where}.name", name))
        seen.add(name)
    return found


def _source_causes(volume: Json, path: str) -> list[Cause]:
    given = [name for name in _SOURCES if name in volume]
    if not given:
        return [field_errors.required(path, "must specify a volume type")]
    found = _SOURCES[given[0]](volume[given[0]], f"{path}.{given[0]}")
    if given[0] == "iscsi":
        found += initiator_causes(volume, path)
    text = "may not specify more than 1 volume type"
    return found + [field_errors.forbidden(f"{path}.{name}", text) for name in given[1:]]


def _empty_dir_causes(source: Json, path: str) -> list[Cause]:
    if quantity.parse(source.get("sizeLimit", "0")) >= 0:
        return []
    text = "SizeLimit field must be a valid resource quantity"
    return [field_errors.forbidden(f"{path}.sizeLimit", text)]


def host_path_causes(source: Json, path: str) -> list[Cause]:
    """Check a volume that is a part of its node's own files."""
    place = source.get("path", "")
    if not place:
        return [field_errors.required(f"{path}.path")]
    found = no_backsteps_causes(f"{path}.path", place)
    return found + field_errors.one_of(f"{path}.type", source.get("type", ""), _HOST_PATH_TYPES)


def _config_map_causes(source: Json, path: str) -> list[Cause]:
    found = [] if source.get("name") else [field_errors.required(f"{path}.name")]
    return [*found, *mode_causes(source, "defaultMode", path), *key_file_causes(source, path)]


def _secret_causes(source: Json, path: str) -> list[Cause]:
    found = [] if source.get("secretName") else [field_errors.required(f"{path}.secretName")]
    return [*found, *mode_causes(source, "defaultMode", path), *key_file_causes(source, path)]


def _downward_causes(source: Json, path: str) -> list[Cause]:
    found = mode_causes(source, "defaultMode", path)
    for item in source.get("items") or []:
        found += downward_file_causes(item, path)
    return found


def _image_causes(source: Json, path: str) -> list[Cause]:
    policy = source.get("pullPolicy", "")
    if not policy:
        return [field_errors.required(f"{path}.pullPolicy")]
    return field_errors.one_of(f"{path}.pullPolicy", policy, PULL_POLICIES)


def image_volume_causes(spec: Json, path: str) -> list[Cause]:
    """Check what pods, other than templates, have to have: the image of a volume that is one."""
    return [
        field_errors.required(f"{path}.volumes[{index}].image.reference")
        for index, volume in enumerate(spec.get("volumes") or [])
        if "image" in volume and not volume["image"].get("reference")
    ]


_OWN: Final[dict[str, Check]] = {
    "emptyDir": _empty_dir_causes,
    "hostPath": host_path_causes,
    "secret": _secret_causes,
    "configMap": _config_map_causes,
    "downwardAPI": _downward_causes,
    "projected": projected_causes,
    "image": _image_causes,
    "persistentVolumeClaim": claim_reference_causes,
    "ephemeral": ephemeral_causes,
}
_ORDER: Final = [
    "emptyDir",
    "hostPath",
    "gitRepo",
    "gcePersistentDisk",
    "awsElasticBlockStore",
    "secret",
    "nfs",
    "iscsi",
    "glusterfs",
    "flocker",
    "persistentVolumeClaim",
    "rbd",
    "cinder",
    "cephfs",
    "quobyte",
    "downwardAPI",
    "fc",
    "flexVolume",
    "configMap",
    "azureFile",
    "vsphereVolume",
    "photonPersistentDisk",
    "portworxVolume",
    "azureDisk",
    "storageos",
    "projected",
    "scaleIO",
    "csi",
    "ephemeral",
    "image",
]
_SOURCES: Final[dict[str, Check]] = {name: {**IN_PODS, **_OWN}[name] for name in _ORDER}
"""The kinds of volumes, in the order in which Kubernetes looks for them: who has two hears of the second."""
