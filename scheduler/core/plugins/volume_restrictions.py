"""VolumeRestrictions: a claim with the access mode ReadWriteOncePod has one pod, and some disks one pod on a node.

https://kubernetes.io/docs/concepts/storage/persistent-volumes/#access-modes
"""

from __future__ import annotations

from collections.abc import Container
from typing import Final, NamedTuple

from machinery.model.k8s.core_v1 import PersistentVolumeClaim
from scheduler.core.cluster_events import ClusterEvent
from scheduler.core.disks import Disk, is_in_use
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
DISK_CONFLICT: Final = Rejection(NAME, ("node(s) had no available disk",), resolvable=True)
_ALONE: Final = "ReadWriteOncePod"


def is_taken(key: ClaimKey, claim: PersistentVolumeClaim, used: Container[ClaimKey]) -> bool:
    """Whether only one pod may use a claim, and a pod on some node does."""
    return _ALONE in claim.spec.accessModes and key in used


class VolumeRestrictions(Plugin):
    """Filters nodes on which a disk of the pod is in use, and all while a claim of the pod has its pod already."""

    name = NAME
    helped_by = frozenset({ClusterEvent.NODE_ADDED, ClusterEvent.POD_GONE, ClusterEvent.CLAIM})

    def asks_each(self, needs: Needs) -> bool:
        """Whether pods of a template have claims."""
        return bool(needs.claims)

    def need(self, pod: PodInfo, snapshot: Snapshot) -> Restricted | None:
        """Return the disks, and whether a claim is taken."""
        claims = ((each.key, snapshot.storage.claim(each.key)) for each in pod.claims)
        taken = any(claim and is_taken(key, claim, snapshot.claims) for key, claim in claims)
        return Restricted(pod.needs.disks, taken) if taken or pod.needs.disks else None

    def filter(self, need: Restricted, snapshot: Snapshot) -> Filter:
        """Return the filter."""
        del snapshot
        return Filter(need.judge)


class Restricted(NamedTuple):
    """What only one pod may have."""

    disks: tuple[Disk, ...]
    is_taken: bool

    def judge(self, node: NodeInfo) -> Rejection | None:
        """Return why a node cannot have the volumes, None where it can."""
        if any(is_in_use(each, node.disks) for each in self.disks):
            return DISK_CONFLICT
        return REJECTION if self.is_taken else None
