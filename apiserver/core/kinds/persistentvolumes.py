"""PersistentVolumes.

https://kubernetes.io/docs/concepts/storage/persistent-volumes/
"""

from __future__ import annotations

import posixpath
from typing import Final

from apiserver.core import field_errors
from apiserver.core.byte_amounts import fraction_warnings
from apiserver.core.csi import driver_name_causes
from apiserver.core.podspec.affinity import node_selector_causes
from apiserver.core.podspec.paths import no_backsteps_causes
from apiserver.core.podspec.remote_volumes import (
    IN_PERSISTENT_VOLUMES,
    Check,
    default_remote,
    persistent_initiator_causes,
    remote_warnings,
)
from apiserver.core.podspec.volumes import host_path_causes
from apiserver.core.podspec.warnings import term_warnings
from apiserver.core.rules import Prepare, Rules, Validate, WriteContext, with_old_status
from apiserver.core.table import storage as table
from apiserver.core.values import Json, metadata, spec
from apiserver.core.volume_claims import access_mode_causes, class_name_causes, mode_causes, positive_causes
from machinery.model.errors import Cause

_RECLAIM_POLICIES: Final = frozenset({"Delete", "Recycle", "Retain"})
_SECRETS: Final = (
    "controllerPublishSecretRef",
    "controllerExpandSecretRef",
    "nodePublishSecretRef",
    "nodeExpandSecretRef",
)
_OLD_ANNOTATIONS: Final = {
    "volume.beta.kubernetes.io/storage-class": 'deprecated since v1.8; use "storageClassName" attribute instead',
    "volume.beta.kubernetes.io/mount-options": 'deprecated since v1.31; use "mountOptions" attribute instead',
}


def _default(obj: Json) -> Json:
    own = obj.setdefault("spec", {})
    obj.setdefault("status", {}).setdefault("phase", "Pending")
    own.setdefault("persistentVolumeReclaimPolicy", "Retain")
    own.setdefault("volumeMode", "Filesystem")
    if "hostPath" in own:
        own["hostPath"].setdefault("type", "")
    default_remote(own)
    return obj


def _prepare_create(obj: Json, context: WriteContext) -> Json:
    return {**obj, "status": {"phase": "Pending", "lastPhaseTransitionTime": context.now}}


def _prepare_status(new: Json, old: Json, context: WriteContext) -> Json:
    """Say when the phase changed, unless the one who changed it does."""
    status, before = new.get("status") or {}, old.get("status") or {}
    if status.get("phase") != before.get("phase") and status.get("lastPhaseTransitionTime") == before.get(
        "lastPhaseTransitionTime"
    ):
        status = {**status, "lastPhaseTransitionTime": context.now}
    return {**old, "metadata": new["metadata"], "status": status}


def _validate(obj: Json) -> list[Cause]:
    own = spec(obj)
    found = [] if own.get("accessModes") else [field_errors.required("spec.accessModes")]
    found += access_mode_causes(own.get("accessModes") or [], "spec")
    found += _capacity_causes(own.get("capacity") or {}, "spec.capacity")
    policy = own["persistentVolumeReclaimPolicy"]
    found += field_errors.one_of("spec.persistentVolumeReclaimPolicy", policy, _RECLAIM_POLICIES)
    if "nodeAffinity" in own:
        found += _affinity_causes(own["nodeAffinity"], "spec.nodeAffinity")
    found += _source_causes(own, str(metadata(obj).get("name", "")))
    if "hostPath" in own and policy == "Recycle" and _is_root(own["hostPath"].get("path", "")):
        text = "may not be 'recycle' for a hostPath mount of '/'"
        found.append(field_errors.forbidden("spec.persistentVolumeReclaimPolicy", text))
    if name := own.get("storageClassName"):
        found += class_name_causes(name, "spec.storageClassName")
    return [*found, *mode_causes(own, "spec"), *_attributes_causes(own)]


def _is_root(place: str) -> bool:
    return bool(place) and posixpath.normpath(place) in {"/", "//"}


def _capacity_causes(capacity: Json, path: str) -> list[Cause]:
    found = [] if capacity else [field_errors.required(path)]
    if set(capacity) != {"storage"}:
        found.append(field_errors.not_supported(path, capacity, ["storage"]))
    return found + [
        cause for name, amount in capacity.items() for cause in positive_causes(amount, f"{path}[{name}]")
    ]


def _affinity_causes(affinity: Json, path: str) -> list[Cause]:
    if "required" not in affinity:
        return [field_errors.required(f"{path}.required", "must specify required node constraints")]
    return node_selector_causes(affinity["required"], f"{path}.required.nodeSelectorTerms")


def _source_causes(own: Json, name: str) -> list[Cause]:
    given = [name for name in _SOURCES if name in own]
    if not given:
        return [field_errors.required("spec", "must specify a volume type")]
    first = given[0]
    found = _SOURCES[first](own[first], f"spec.{first}")
    if first == "iscsi":
        found += persistent_initiator_causes(own[first], name, f"spec.{first}")
    if first == "local" and "nodeAffinity" not in own:
        found.append(field_errors.required("spec.nodeAffinity", "Local volume requires node affinity"))
    text = "may not specify more than 1 volume type"
    return found + [field_errors.forbidden(f"spec.{name}", text) for name in given[1:]]


def _local_causes(source: Json, path: str) -> list[Cause]:
    place = source.get("path", "")
    return no_backsteps_causes(f"{path}.path", place) if place else [field_errors.required(f"{path}.path")]


def _csi_causes(source: Json, path: str) -> list[Cause]:
    found = driver_name_causes(source.get("driver", ""), f"{path}.driver")
    if not source.get("volumeHandle"):
        found.append(field_errors.required(f"{path}.volumeHandle"))
    return found + [
        field_errors.required(f"{path}.{name}.{field}")
        for name in _SECRETS
        if name in source
        for field in ("name", "namespace")
        if not source[name].get(field)
    ]


def _attributes_causes(own: Json) -> list[Cause]:
    if "volumeAttributesClassName" not in own:
        return []
    name, path = own["volumeAttributesClassName"], "spec.volumeAttributesClassName"
    found = (
        class_name_causes(name, path)
        if name
        else [field_errors.required(path, "an empty string is disallowed")]
    )
    if "csi" not in own:
        text = "has to be specified when using volumeAttributesClassName"
        found.append(field_errors.required("spec.csi", text))
    return found


def _validate_update(new: Json, old: Json) -> list[Cause]:
    own, before = spec(new), spec(old)
    found = _validate(new)
    if _sources(own, before) != _sources(before, before):
        text = "spec.persistentvolumesource is immutable after creation"
        found.append(field_errors.forbidden("spec.persistentvolumesource", text))
    found += field_errors.unchanged("volumeMode", own.get("volumeMode"), before.get("volumeMode"))
    if "nodeAffinity" in before:
        found += field_errors.unchanged("nodeAffinity", own.get("nodeAffinity"), before["nodeAffinity"])
    if "volumeAttributesClassName" in before and "volumeAttributesClassName" not in own:
        text = "update from non-nil value to nil is forbidden"
        found.append(field_errors.forbidden("spec.volumeAttributesClassName", text))
    return found


def _sources(own: Json, before: Json) -> Json:
    """Return the sources of a volume; a secret for growing it may be named later."""
    sources = {name: own[name] for name in _SOURCES if name in own}
    if "csi" in sources and "controllerExpandSecretRef" not in (before.get("csi") or {}):
        csi = {key: value for key, value in sources["csi"].items() if key != "controllerExpandSecretRef"}
        sources["csi"] = csi
    return sources


_OWN: Final[dict[str, Check]] = {"hostPath": host_path_causes, "local": _local_causes, "csi": _csi_causes}
_ORDER: Final = [
    "hostPath",
    "gcePersistentDisk",
    "awsElasticBlockStore",
    "glusterfs",
    "flocker",
    "nfs",
    "rbd",
    "quobyte",
    "cephfs",
    "iscsi",
    "cinder",
    "fc",
    "flexVolume",
    "azureFile",
    "vsphereVolume",
    "photonPersistentDisk",
    "portworxVolume",
    "azureDisk",
    "scaleIO",
    "local",
    "storageos",
    "csi",
]
_SOURCES: Final[dict[str, Check]] = {name: {**IN_PERSISTENT_VOLUMES, **_OWN}[name] for name in _ORDER}
"""The sources, in the order in which Kubernetes looks for them."""


def _warnings(new: Json, _old: Json | None) -> tuple[str, ...]:
    own, annotations = spec(new), metadata(new).get("annotations") or {}
    terms = ((own.get("nodeAffinity") or {}).get("required") or {}).get("nodeSelectorTerms") or ()
    found = [
        warning
        for index, term in enumerate(terms)
        for warning in term_warnings(term, f"spec.nodeAffinity.required.nodeSelectorTerms[{index}]")
    ]
    found += [
        f"metadata.annotations[{key}]: {text}" for key, text in _OLD_ANNOTATIONS.items() if key in annotations
    ]
    if own.get("persistentVolumeReclaimPolicy") == "Recycle":
        text = "The Recycle reclaim policy is deprecated. Instead, the recommended approach is to use dynamic provisioning."
        found.append(f"spec.persistentVolumeReclaimPolicy: {text}")
    found += remote_warnings(own, "spec", is_persistent=True)
    return (*found, *fraction_warnings(own.get("capacity"), "spec.capacity", "storage"))


RULES: Final = Rules(
    default=_default,
    prepare=Prepare(create=_prepare_create, update=with_old_status, status=_prepare_status),
    validate=Validate(create=_validate, update=_validate_update),
    deletion_returns_object=True,
    warnings=_warnings,
    table=table.PERSISTENT_VOLUMES,
)
