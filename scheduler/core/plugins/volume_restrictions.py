"""VolumeRestrictions: a claim with the access mode ReadWriteOncePod has one pod.

https://kubernetes.io/docs/concepts/storage/persistent-volumes/#access-modes
What Kubernetes restricts beside that are disks that one pod of a node can have (gcePersistentDisk, awsElasticBlockStore, iscsi,
rbd): no node here mounts them, and a pod that names one stays Pending and says so (`scheduler.core.unbuilt`).
"""

from __future__ import annotations

from collections.abc import Container
from typing import Final

from machinery.model.k8s.core_v1 import PersistentVolumeClaim
from scheduler.core.pod import ClaimKey
from scheduler.core.rejection import Rejection

NAME: Final = "VolumeRestrictions"
REJECTION: Final = Rejection(
    NAME,
    ("node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode",),
    resolvable=True,
)
_ALONE: Final = "ReadWriteOncePod"


def is_taken(key: ClaimKey, claim: PersistentVolumeClaim, used: Container[ClaimKey]) -> bool:
    """Whether only one pod may use a claim, and a pod on some node does."""
    return _ALONE in claim.spec.accessModes and key in used
