"""The rules and defaults of volumes that are elsewhere: on servers, in clouds, behind drivers; in pods and in PersistentVolumes.

They are stored as they are in Kubernetes, whatever a node here can mount: its kubelet says that it cannot. Many
of them have had no driver in Kubernetes either for years, which warnings say.
https://kubernetes.io/docs/concepts/storage/volumes/
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Final, TypeAlias

from apiserver.core import field_errors
from apiserver.core.csi import driver_name_causes
from apiserver.core.podspec.paths import no_backsteps_causes
from apiserver.core.values import Json
from machinery.model import names
from machinery.model.errors import Cause

Check: TypeAlias = Callable[[Json, str], list[Cause]]

_INITIATORS: Final = {
    "iqn": re.compile(r"iqn\.\d{4}-\d{2}\.([\w.-]+)(:[^,;*&$|\s]+)"),
    "eui": re.compile(r"eui.\w{16}"),
    "naa": re.compile(r"naa.\w{32}"),
}
_WRONG_INITIATOR: Final = "must be valid format"
_LARGEST_LUN: Final = 255
_LONGEST_TARGET: Final = 64
_LONGEST_TENANT: Final = 64
_TOO_LONG: Final = (
    "Total length of <volume name>:<iscsi.targetPortal> must be under 64 characters"
    " if iscsi.initiatorName is specified."
)
_PAIRS: Final = "must be a host:port pair or multiple pairs separated by commas"
_RESERVED: Final = (".kubernetes.io", ".k8s.io")
_CACHING: Final = frozenset({"None", "ReadOnly", "ReadWrite"})
_DISKS: Final = frozenset({"Dedicated", "Managed", "Shared"})
_MANAGED: Final = (
    "/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/disks/{disk-id}"
)
_BLOB: Final = "https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd"

_DEFAULTS: Final[dict[str, Json]] = {
    "azureDisk": {"cachingMode": "ReadWrite", "kind": "Shared", "fsType": "ext4", "readOnly": False},
    "iscsi": {"iscsiInterface": "default"},
    "rbd": {"pool": "rbd", "user": "admin", "keyring": "/etc/ceph/keyring"},
    "scaleIO": {"storageMode": "ThinProvisioned", "fsType": "xfs"},
}
_GONE: Final = {
    "photonPersistentDisk": "deprecated in v1.11, non-functional in v1.16+",
    "gitRepo": "deprecated in v1.11, and disabled by default in v1.33+",
    "scaleIO": "deprecated in v1.16, non-functional in v1.22+",
    "flocker": "deprecated in v1.22, non-functional in v1.25+",
    "storageos": "deprecated in v1.22, non-functional in v1.25+",
    "quobyte": "deprecated in v1.22, non-functional in v1.25+",
    "glusterfs": "deprecated in v1.25, non-functional in v1.26+",
    "cephfs": "deprecated in v1.28, non-functional in v1.31+",
    "rbd": "deprecated in v1.28, non-functional in v1.31+",
}
_UNTOLD: Final = frozenset({"flocker", "quobyte"})  # nothing is said of them in PersistentVolumes
_WRITTEN: Final = {"storageos": "storageOS"}  # as warnings have it


def default_remote(holder: Json) -> None:
    """Fill the source of a volume, or of a PersistentVolume's spec."""
    for name, defaults in _DEFAULTS.items():
        if name in holder:
            for field, value in defaults.items():
                holder[name].setdefault(field, value)


def remote_warnings(holder: Json, path: str, *, is_persistent: bool = False) -> Iterator[str]:
    """Return what to say of sources that Kubernetes has given up."""
    for name, text in _GONE.items():
        if name in holder and not (is_persistent and name in _UNTOLD):
            yield f"{path}.{_WRITTEN.get(name, name)}: {text}"


def initiator_causes(volume: Json, path: str) -> list[Cause]:
    """Check what the name of a pod's volume and its iSCSI source are together."""
    source, name = volume.get("iscsi") or {}, volume.get("name", "")
    if "initiatorName" not in source or len(f"{name}:{source.get('targetPortal', '')}") <= _LONGEST_TARGET:
        return []
    return [field_errors.invalid(f"{path}.name", name, _TOO_LONG)]


def persistent_initiator_causes(source: Json, name: str, path: str) -> list[Cause]:
    """Check what the name of a PersistentVolume and its iSCSI source are together."""
    target = source.get("targetPortal", "")
    if "initiatorName" not in source or len(f"{name}:{target}") <= _LONGEST_TARGET:
        return []
    return [field_errors.invalid(f"{path}.targetportal", target, _TOO_LONG)]


def nfs_causes(source: Json, path: str) -> list[Cause]:
    """Check a folder of an NFS server."""
    place = source.get("path", "")
    found = _needed("server", "path")(source, path)
    if not place.startswith("/"):
        found.append(field_errors.invalid(f"{path}.path", place, "must be an absolute path"))
    return found


def _needed(*fields: str) -> Check:
    """Check that fields are there, and not empty."""

    def check(source: Json, path: str) -> list[Cause]:
        return [field_errors.required(f"{path}.{field}") for field in fields if not source.get(field)]

    return check


def _and_secret(check: Check, *fields: str) -> Check:
    """Check that a secret, where there is one, has its fields."""

    def whole(source: Json, path: str) -> list[Cause]:
        found = check(source, path)
        secret = source.get("secretRef")
        return found if secret is None else found + _needed(*fields)(secret, f"{path}.secretRef")

    return whole


def _git_causes(source: Json, path: str) -> list[Cause]:
    place, where = source.get("directory", ""), f"{path}.directory"
    found = _needed("repository")(source, path)
    if place.startswith("/"):
        found.append(field_errors.invalid(where, place, "must be a relative path"))
    return found + no_backsteps_causes(where, place)


def _disk_causes(field: str) -> Check:
    def check(source: Json, path: str) -> list[Cause]:
        found, partition = _needed(field)(source, path), source.get("partition", 0)
        if not 0 <= partition <= 255:
            text = "must be between 0 and 255 inclusive"
            found.append(field_errors.invalid(f"{path}.partition", partition, text))
        return found

    return check


def _initiator_name_causes(name: str, path: str, unknown: str) -> list[Cause]:
    pattern = _INITIATORS.get(name[:3])
    if pattern is None:
        return [field_errors.invalid(path, name, unknown)]
    return [] if pattern.fullmatch(name) else [field_errors.invalid(path, name, _WRONG_INITIATOR)]


def _iscsi_causes(source: Json, path: str, *, unknown: str, secret: Sequence[str] = ()) -> list[Cause]:
    """Check an iSCSI target; `unknown` is said of a name that begins with none of the three words.

    `secret` are the fields that its secret has to have.
    """
    found = _needed("targetPortal")(source, path)
    if iqn := source.get("iqn"):
        found += _initiator_name_causes(iqn, f"{path}.iqn", unknown)
    else:
        found.append(field_errors.required(f"{path}.iqn"))
    found += field_errors.within(f"{path}.lun", source.get("lun", 0), 0, _LARGEST_LUN)
    is_secret = source.get("chapAuthDiscovery") or source.get("chapAuthSession")
    if is_secret and "secretRef" not in source:
        found.append(field_errors.required(f"{path}.secretRef"))
    found += (
        _needed(*secret)(source.get("secretRef") or {}, f"{path}.secretRef") if "secretRef" in source else []
    )
    if "initiatorName" in source:
        found += _initiator_name_causes(source["initiatorName"], f"{path}.initiatorname", unknown)
    return found


def _gluster_causes(source: Json, path: str) -> list[Cause]:
    found, where = _needed("endpoints", "path")(source, path), f"{path}.endpointsNamespace"
    namespace = source.get("endpointsNamespace")
    if namespace == "":
        text = "if the endpointnamespace is set, it must be a valid namespace name"
        return [*found, field_errors.invalid(where, namespace, text)]
    return found + (
        field_errors.each_invalid(where, namespace, names.dns_label_errors(namespace)) if namespace else []
    )


def _flocker_causes(source: Json, path: str) -> list[Cause]:
    name, uuid = source.get("datasetName", ""), source.get("datasetUUID", "")
    found: list[Cause] = []
    if not name and not uuid:
        found.append(field_errors.required(path, "one of datasetName and datasetUUID is required"))
    if name and uuid:
        text = "datasetName and datasetUUID can not be specified simultaneously"
        found.append(field_errors.invalid(path, "resource", text))
    if "/" in name:
        found.append(field_errors.invalid(f"{path}.datasetName", name, "must not contain '/'"))
    return found


def _quobyte_causes(source: Json, path: str) -> list[Cause]:
    registry, where = source.get("registry", ""), f"{path}.registry"
    if not registry:
        found = [field_errors.required(where, _PAIRS)]
    elif len(source.get("tenant", "")) > _LONGEST_TENANT:
        text = "must be a UUID and may not exceed a length of 64 characters"
        found = [field_errors.required(f"{path}.tenant", text)]
    else:
        wrong = [pair for pair in registry.split(",") if not _is_pair(pair)]
        found = [field_errors.invalid(where, registry, _PAIRS) for _ in wrong]
    return found + _needed("volume")(source, path)


def _is_pair(text: str) -> bool:
    """Whether Go's net.SplitHostPort reads a host and a port."""
    host, colon, _ = text.rpartition(":")
    if not colon:
        return False
    return ":" not in host or (host.startswith("[") and host.endswith("]"))


def _fc_causes(source: Json, path: str) -> list[Cause]:
    targets, wwids, where = source.get("targetWWNs") or [], source.get("wwids") or [], f"{path}.targetWWNs"
    found: list[Cause] = []
    if not targets and not wwids:
        text = "must specify either targetWWNs or wwids, but not both"
        found.append(field_errors.required(where, text))
    if targets and wwids:
        text = "targetWWNs and wwids can not be specified simultaneously"
        found.append(field_errors.invalid(where, targets, text))
    if targets and "lun" not in source:
        found.append(field_errors.required(f"{path}.lun", "lun is required if targetWWNs is specified"))
    elif targets:
        found += field_errors.within(f"{path}.lun", source["lun"], 0, _LARGEST_LUN)
    return found


def _flex_causes(source: Json, path: str) -> list[Cause]:
    text = "kubernetes.io and k8s.io namespaces are reserved"
    return _needed("driver")(source, path) + [
        field_errors.invalid(f"{path}.options[{key}]", key, text)
        for key in source.get("options") or {}
        if f".{key.partition('/')[0].lower()}".endswith(_RESERVED)
    ]


def _azure_file_causes(source: Json, path: str) -> list[Cause]:
    found = _needed("secretName", "shareName")(source, path)
    if source.get("secretNamespace") == "":
        found.append(field_errors.required(f"{path}.secretNamespace"))
    return found


def _azure_disk_causes(source: Json, path: str) -> list[Cause]:
    found = _needed("diskName", "diskURI")(source, path)
    for name, supported in (("cachingMode", _CACHING), ("kind", _DISKS)):
        if name in source:
            found += field_errors.one_of(f"{path}.{name}", source[name], supported)
    if "kind" in source:
        is_managed, uri = source["kind"] == "Managed", source.get("diskURI", "")
        begin, example = ("/subscriptions/", _MANAGED) if is_managed else ("https://", _BLOB)
        if not uri.startswith(begin):
            found.append(field_errors.not_supported(f"{path}.diskURI", uri, [example]))
    return found


def _storage_os_causes(source: Json, path: str) -> list[Cause]:
    found = _needed("volumeName")(source, path)
    for field in ("volumeName", "volumeNamespace"):
        if name := source.get(field):
            found += field_errors.each_invalid(f"{path}.{field}", name, names.dns_label_errors(name))
    return found


def _inline_csi_causes(source: Json, path: str) -> list[Cause]:
    found = driver_name_causes(source.get("driver", ""), f"{path}.driver")
    if "nodePublishSecretRef" not in source:
        return found
    where, name = f"{path}.nodePublishSecretRef.name", source["nodePublishSecretRef"].get("name", "")
    if not name:
        return [*found, field_errors.required(where)]
    return found + field_errors.each_invalid(where, name, names.dns_subdomain_errors(name))


_FOR_BOTH: Final[dict[str, Check]] = {
    "gcePersistentDisk": _disk_causes("pdName"),
    "awsElasticBlockStore": _disk_causes("volumeID"),
    "glusterfs": _gluster_causes,
    "flocker": _flocker_causes,
    "nfs": nfs_causes,
    "rbd": _needed("monitors", "image"),
    "quobyte": _quobyte_causes,
    "cephfs": _needed("monitors"),
    "fc": _fc_causes,
    "flexVolume": _flex_causes,
    "azureFile": _azure_file_causes,
    "vsphereVolume": _needed("volumePath"),
    "photonPersistentDisk": _needed("pdID"),
    "portworxVolume": _needed("volumeID"),
    "azureDisk": _azure_disk_causes,
    "scaleIO": _needed("gateway", "system", "volumeName"),
}
IN_PODS: Final[dict[str, Check]] = {
    **_FOR_BOTH,
    "gitRepo": _git_causes,
    "iscsi": partial(_iscsi_causes, unknown="must be valid format starting with iqn, eui, or naa"),
    "cinder": _and_secret(_needed("volumeID"), "name"),
    "storageos": _and_secret(_storage_os_causes, "name"),
    "csi": _inline_csi_causes,
}
IN_PERSISTENT_VOLUMES: Final[dict[str, Check]] = {
    **_FOR_BOTH,
    "iscsi": partial(_iscsi_causes, unknown=_WRONG_INITIATOR, secret=("name",)),
    "cinder": _and_secret(_needed("volumeID"), "name", "namespace"),
    "storageos": _and_secret(_storage_os_causes, "name", "namespace"),
}
