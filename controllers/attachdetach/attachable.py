"""Which volumes are attached to nodes, and what is made of their names."""

from __future__ import annotations

import hashlib
from typing import Final

from machinery.model.k8s.core_v1 import CSIPersistentVolumeSource, Node, PersistentVolume
from machinery.model.k8s.storage_v1 import CSIDriver

MANAGED: Final = "volumes.kubernetes.io/controller-managed-attach-detach"
"""The annotation of a node whose kubelet leaves attaching to the controllers."""
_ONE_NODE: Final = frozenset({"ReadWriteOnce", "ReadWriteOncePod"})


def is_attachable(volume: PersistentVolume, driver: CSIDriver | None) -> bool:
    """Whether a volume has to be attached: a driver's, unless that says that its volumes have not."""
    return volume.spec.csi is not None and (driver is None or driver.spec.attachRequired is not False)


def is_exclusive(volume: PersistentVolume) -> bool:
    """Whether a volume can be attached to one node at a time only."""
    return set(volume.spec.accessModes) <= _ONE_NODE


def is_managed(node: Node) -> bool:
    """Whether a node leaves attaching to the controllers."""
    return node.metadata.annotations.get(MANAGED) == "true"


def attachment_name(source: CSIPersistentVolumeSource, node: str) -> str:
    """Return the name of the attachment of a volume to a node: the same whoever makes it."""
    digest = hashlib.sha256(f"{source.volumeHandle}{source.driver}{node}".encode())
    return f"csi-{digest.hexdigest()}"


def unique_name(source: CSIPersistentVolumeSource) -> str:
    """Return what a volume is called in a node's status."""
    return f"kubernetes.io/csi/{source.driver}^{source.volumeHandle}"
