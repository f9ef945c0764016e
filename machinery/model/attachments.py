"""What the attachment of a driver's volume to a node is called: the same, whoever of controllers and kubelets names it."""

from __future__ import annotations

import hashlib
from typing import Final

from machinery.model.k8s.core_v1 import CSIPersistentVolumeSource

MANAGED: Final = "volumes.kubernetes.io/controller-managed-attach-detach"
"""The annotation of a node whose kubelet leaves attaching to the controllers."""


def attachment_name(source: CSIPersistentVolumeSource, node: str) -> str:
    """Return the name of the VolumeAttachment of a volume to a node."""
    digest = hashlib.sha256(f"{source.volumeHandle}{source.driver}{node}".encode())
    return f"csi-{digest.hexdigest()}"


def unique_name(driver: str, handle: str) -> str:
    """Return what a driver's volume is called in a node's status."""
    return f"kubernetes.io/csi/{driver}^{handle}"


def name_of_volume(source: CSIPersistentVolumeSource) -> str:
    """Return what the volume of a source is called in a node's status."""
    return unique_name(source.driver, source.volumeHandle)
