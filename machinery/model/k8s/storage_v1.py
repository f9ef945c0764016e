"""Kubernetes v1.36.0 storage/v1, made by tools/gen_k8s.py; not to be edited."""

# ruff: noqa
from __future__ import annotations

import msgspec

from machinery.model.k8s import core_v1, meta_v1


class TokenRequest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.storage.v1.TokenRequest."""

    audience: str
    expirationSeconds: int | None = None


class CSIDriverSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.storage.v1.CSIDriverSpec."""

    attachRequired: bool | None = None
    fsGroupPolicy: str = ""
    nodeAllocatableUpdatePeriodSeconds: int | None = None
    podInfoOnMount: bool | None = None
    preventPodSchedulingIfMissing: bool | None = None
    requiresRepublish: bool | None = None
    seLinuxMount: bool | None = None
    serviceAccountTokenInSecrets: bool | None = None
    storageCapacity: bool | None = None
    tokenRequests: list[TokenRequest] = []
    volumeLifecycleModes: list[str] = []


class CSIDriver(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.storage.v1.CSIDriver."""

    apiVersion: str = msgspec.field(default_factory=lambda: "storage.k8s.io/v1")
    kind: str = msgspec.field(default_factory=lambda: "CSIDriver")
    metadata: meta_v1.ObjectMeta = meta_v1.ObjectMeta()
    spec: CSIDriverSpec


class VolumeNodeResources(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.storage.v1.VolumeNodeResources."""

    count: int | None = None


class CSINodeDriver(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.storage.v1.CSINodeDriver."""

    allocatable: VolumeNodeResources | None = None
    name: str
    nodeID: str
    topologyKeys: list[str] = []


class CSINodeSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.storage.v1.CSINodeSpec."""

    drivers: list[CSINodeDriver]


class CSINode(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.storage.v1.CSINode."""

    apiVersion: str = msgspec.field(default_factory=lambda: "storage.k8s.io/v1")
    kind: str = msgspec.field(default_factory=lambda: "CSINode")
    metadata: meta_v1.ObjectMeta = meta_v1.ObjectMeta()
    spec: CSINodeSpec


class CSIStorageCapacity(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.storage.v1.CSIStorageCapacity."""

    apiVersion: str = msgspec.field(default_factory=lambda: "storage.k8s.io/v1")
    capacity: str = ""
    kind: str = msgspec.field(default_factory=lambda: "CSIStorageCapacity")
    maximumVolumeSize: str = ""
    metadata: meta_v1.ObjectMeta = meta_v1.ObjectMeta()
    nodeTopology: meta_v1.LabelSelector | None = None
    storageClassName: str


class StorageClass(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.storage.v1.StorageClass."""

    allowVolumeExpansion: bool | None = None
    allowedTopologies: list[core_v1.TopologySelectorTerm] = []
    apiVersion: str = msgspec.field(default_factory=lambda: "storage.k8s.io/v1")
    kind: str = msgspec.field(default_factory=lambda: "StorageClass")
    metadata: meta_v1.ObjectMeta = meta_v1.ObjectMeta()
    mountOptions: list[str] = []
    parameters: dict[str, str] = {}
    provisioner: str
    reclaimPolicy: str = ""
    volumeBindingMode: str = ""


class VolumeAttachmentSource(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.storage.v1.VolumeAttachmentSource."""

    inlineVolumeSpec: core_v1.PersistentVolumeSpec | None = None
    persistentVolumeName: str = ""


class VolumeAttachmentSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.storage.v1.VolumeAttachmentSpec."""

    attacher: str
    nodeName: str
    source: VolumeAttachmentSource


class VolumeError(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.storage.v1.VolumeError."""

    errorCode: int | None = None
    message: str = ""
    time: str | None = None


class VolumeAttachmentStatus(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.storage.v1.VolumeAttachmentStatus."""

    attachError: VolumeError | None = None
    attached: bool
    attachmentMetadata: dict[str, str] = {}
    detachError: VolumeError | None = None


class VolumeAttachment(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """api.storage.v1.VolumeAttachment."""

    apiVersion: str = msgspec.field(default_factory=lambda: "storage.k8s.io/v1")
    kind: str = msgspec.field(default_factory=lambda: "VolumeAttachment")
    metadata: meta_v1.ObjectMeta = meta_v1.ObjectMeta()
    spec: VolumeAttachmentSpec
    status: VolumeAttachmentStatus
