"""Which volumes are attached to nodes, and by whom."""

from __future__ import annotations

from typing import Final

from machinery.model.attachments import MANAGED
from machinery.model.k8s.core_v1 import Node, PersistentVolume
from machinery.model.k8s.storage_v1 import CSIDriver

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
