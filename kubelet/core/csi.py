"""Volumes of CSI drivers on a node: what is asked of a driver, and where things lie, as Kubernetes' kubelet has it.

https://kubernetes.io/docs/concepts/storage/volumes/#csi
https://kubernetes.io/docs/reference/kubernetes-api/config-and-storage-resources/csi-driver-v1/
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from enum import IntEnum
from typing import Final

import msgspec

from kubelet.core.volumes import secret_data
from machinery.model.k8s.authentication_v1 import TokenRequestStatus
from machinery.model.k8s.core_v1 import (
    CSIPersistentVolumeSource,
    CSIVolumeSource,
    PersistentVolume,
    Pod,
    Secret,
    SecretReference,
)
from machinery.model.k8s.storage_v1 import CSIDriver

FOLDER: Final = "plugins/kubernetes.io/csi"  # in the kubelet's
TOKENS: Final = "csi.storage.k8s.io/serviceAccount.tokens"
_PERSISTENT, _EPHEMERAL = "Persistent", "Ephemeral"
_RWO, _ROX, _RWOP = "ReadWriteOnce", "ReadOnlyMany", "ReadWriteOncePod"


class Capability(IntEnum):
    """What a driver's node service can do beside the least, by the numbers of the protocol."""

    STAGE_UNSTAGE_VOLUME = 1
    GET_VOLUME_STATS = 2
    EXPAND_VOLUME = 3
    VOLUME_CONDITION = 4
    SINGLE_NODE_MULTI_WRITER = 5
    VOLUME_MOUNT_GROUP = 6


class AccessMode(IntEnum):
    """How a volume is used, by the numbers of the protocol."""

    SINGLE_NODE_WRITER = 1
    MULTI_NODE_READER_ONLY = 3
    MULTI_NODE_MULTI_WRITER = 5
    SINGLE_NODE_SINGLE_WRITER = 6
    SINGLE_NODE_MULTI_WRITER = 7


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """A driver's volume as a pod uses it: a PersistentVolume, or one that is made for the pod (inline)."""

    driver: str
    handle: str
    name: str  # of its folder in the pod's: the PersistentVolume's, or the pod's own for it
    is_inline: bool = False
    is_block: bool = False
    read_only: bool = False
    fs_type: str = ""
    access_modes: Sequence[str] = (_RWO,)
    mount_options: Sequence[str] = ()
    attributes: Mapping[str, str] = {}
    stage_secret: SecretReference | None = None
    publish_secret: SecretReference | None = None
    expand_secret: SecretReference | None = None


class Note(msgspec.Struct, frozen=True):
    """What is written down of a pod's volume before its driver is asked, so that the next kubelet can undo it."""

    driver: str
    handle: str
    target: str  # where it is published
    staging: str = ""  # where it is staged; "" where the driver does not stage
    is_attachable: bool = False
    claim: str = ""
    namespace: str = ""


def source_of_volume(
    volume: PersistentVolume,
    source: CSIPersistentVolumeSource,
    mount_options: Sequence[str],
    *,
    read_only: bool,
) -> Source:
    """Return a PersistentVolume as a pod uses it."""
    return Source(
        driver=source.driver,
        handle=source.volumeHandle,
        name=volume.metadata.name,
        is_block=volume.spec.volumeMode == "Block",
        read_only=read_only,
        fs_type=source.fsType,
        access_modes=volume.spec.accessModes or (_RWO,),
        mount_options=mount_options,
        attributes=source.volumeAttributes,
        stage_secret=source.nodeStageSecretRef,
        publish_secret=source.nodePublishSecretRef,
        expand_secret=source.nodeExpandSecretRef,
    )


def source_of_inline(pod: Pod, name: str, source: CSIVolumeSource) -> Source:
    """Return the volume that a driver makes for one pod."""
    secret = source.nodePublishSecretRef
    return Source(
        driver=source.driver,
        handle=inline_handle(pod.metadata.uid, name),
        name=name,
        is_inline=True,
        read_only=bool(source.readOnly),
        fs_type=source.fsType,
        attributes=source.volumeAttributes,
        publish_secret=SecretReference(name=secret.name, namespace=pod.metadata.namespace)
        if secret
        else None,
    )


def inline_handle(pod_uid: str, name: str) -> str:
    """Return the handle of a volume that is made for a pod."""
    return f"csi-{hashlib.sha256(f'{pod_uid}{name}'.encode()).hexdigest()}"


def is_attachable(source: Source, driver: CSIDriver | None) -> bool:
    """Whether a volume has to be attached before it is used: not one of a pod's own, nor where its driver says so."""
    return not source.is_inline and (driver is None or driver.spec.attachRequired is not False)


def lifecycle_problem(source: Source, driver: CSIDriver | None) -> str:
    """Say that a driver has no volumes of this kind; "" where it has."""
    mode = _EPHEMERAL if source.is_inline else _PERSISTENT
    if driver is None:
        if source.is_inline:
            return f'volume mode "{mode}" not supported by driver {source.driver} (no CSIDriver object)'
        return ""
    modes = driver.spec.volumeLifecycleModes or [_PERSISTENT]
    if mode in modes:
        return ""
    only = " ".join(f'"{each}"' for each in modes)
    return f'volume mode "{mode}" not supported by driver {source.driver} (only supports [{only}])'


def unknown_driver(source: Source) -> str:
    """Say that a volume's driver has not registered here."""
    step = "mounter.SetUpAt failed to get CSI client"
    if not source.is_inline:
        step = "attacher.MountDevice failed to create newCsiDriverClient"
    return f"kubernetes.io/csi: {step}: driver name {source.driver} not found in the list of registered CSI drivers"


def access_mode(modes: Sequence[str], capabilities: Collection[int]) -> AccessMode:
    """Return how a volume with these access modes is used; the first of them counts."""
    mode, tells_writers_apart = modes[0], Capability.SINGLE_NODE_MULTI_WRITER in capabilities
    if mode == _RWO:
        return AccessMode.SINGLE_NODE_MULTI_WRITER if tells_writers_apart else AccessMode.SINGLE_NODE_WRITER
    if mode == _RWOP:
        return AccessMode.SINGLE_NODE_SINGLE_WRITER if tells_writers_apart else AccessMode.SINGLE_NODE_WRITER
    return AccessMode.MULTI_NODE_READER_ONLY if mode == _ROX else AccessMode.MULTI_NODE_MULTI_WRITER


def pod_attributes(source: Source, pod: Pod, driver: CSIDriver | None) -> dict[str, str]:
    """Return what a driver wants to know of the pod (podInfoOnMount)."""
    if driver is None or not driver.spec.podInfoOnMount:
        return {}
    return {
        "csi.storage.k8s.io/pod.name": pod.metadata.name,
        "csi.storage.k8s.io/pod.namespace": pod.metadata.namespace,
        "csi.storage.k8s.io/pod.uid": pod.metadata.uid,
        "csi.storage.k8s.io/serviceAccount.name": pod.spec.serviceAccountName,
        "csi.storage.k8s.io/ephemeral": "true" if source.is_inline else "false",
    }


def tokens_text(tokens: Mapping[str, TokenRequestStatus]) -> str:
    """Return the tokens that a driver has asked for, by audience, as it reads them."""
    shown = {
        audience: {"token": status.token, "expirationTimestamp": status.expirationTimestamp}
        for audience, status in tokens.items()
    }
    return msgspec.json.encode(shown).decode()


def secret_texts(secret: Secret) -> dict[str, str]:
    """Return a Secret's keys as a driver is given them.

    Raises:
        ValueError: a value is no base64, or no text.
    """
    return {key: data.decode() for key, data in secret_data(secret).items()}


def takes_group(source: Source, driver: CSIDriver | None) -> bool:
    """Whether the kubelet gives a volume to the pod's fsGroup (fsGroupPolicy)."""
    policy = driver.spec.fsGroupPolicy if driver else ""
    if source.is_block or source.read_only or policy == "None":
        return False
    return policy == "File" or (bool(source.fs_type) and _RWO in source.access_modes)


def republishes(driver: CSIDriver | None) -> bool:
    """Whether a driver wants to be asked for a published volume again and again."""
    return driver is not None and bool(driver.spec.requiresRepublish)


def target_path(pod_folder: str, kubelet_folder: str, source: Source, pod_uid: str) -> str:
    """Return where a volume is published: a folder of the pod's, or a file for a device."""
    if source.is_block:
        return f"{kubelet_folder}/{FOLDER}/volumeDevices/publish/{source.name}/{pod_uid}"
    return f"{pod_folder}/volumes/kubernetes.io~csi/{source.name}/mount"


def staging_path(kubelet_folder: str, source: Source) -> str:
    """Return where a volume is staged on the node, for all of its pods."""
    if source.is_block:
        return f"{kubelet_folder}/{FOLDER}/volumeDevices/staging/{source.name}"
    digest = hashlib.sha256(source.handle.encode()).hexdigest()
    return f"{kubelet_folder}/{FOLDER}/{source.driver}/{digest}/globalmount"


def version_problem(name: str, versions: Iterable[str]) -> str:
    """Say that no version that a driver speaks is known here; "" where one is."""
    known = list(versions)
    if not known:
        return f'CSI driver "{name}" failed. Plugin returned an empty list for supported versions'
    if any(each.removeprefix("v").split(".", 1)[0] == "1" for each in known):
        return ""
    shown = " ".join(f'"{each}"' for each in known)
    return f'CSI driver "{name}" failed. None of the versions specified [{shown}] are supported'
