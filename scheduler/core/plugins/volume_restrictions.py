"""VolumeRestrictions: a claim with the access mode ReadWriteOncePod has one pod.

https://kubernetes.io/docs/concepts/storage/persistent-volumes/#access-modes
What Kubernetes restricts beside that are disks that one pod of a node can have (gcePersistentDisk, awsElasticBlockStore, iscsi,
rbd): no node here mounts them, and a pod that names one stays Pending and says so (`scheduler.core.unbuilt`).
"""

from __future__ import annotations

from collections.abc import Container
from typing import Final

from machinery.model.k8s.core_v1 import PersistentVolumeClaim
from scheduler.core.cluster_events import ClusterEvent
from scheduler.core.framework import Filter, Plugin
from scheduler.core.needs import Needs
from scheduler.core.node import NodeInfo
from scheduler.core.pod import ClaimKey, PodInfo
from scheduler.core.rejection import Rejection
from scheduler.core.snapshot import Snapshot

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


class VolumeRestrictions(Plugin):
    """Filters all nodes while a claim of the pod has its pod already."""

    name = NAME
    helped_by = frozenset({ClusterEvent.NODE_ADDED, ClusterEvent.POD_GONE, ClusterEvent.CLAIM})

    def asks_each(self, needs: Needs) -> bool:
        """Whether pods of a template have claims."""
        return bool(needs.claims)

    def need(self, pod: PodInfo, snapshot: Snapshot) -> bool | None:
        """Return True where a claim of the pod is taken."""
        claims = ((each.key, snapshot.storage.claim(each.key)) for each in pod.claims)
        return any(claim and is_taken(key, claim, snapshot.claims) for key, claim in claims) or None

    def filter(self, need: object, snapshot: Snapshot) -> Filter:
        """Return the filter: there is no node to be had."""
        del need, snapshot
        return Filter(_reject)


def _reject(_node: NodeInfo) -> Rejection:
    return REJECTION
