"""VolumeRestrictions: a claim with the access mode ReadWriteOncePod has one pod, and some disks one pod on a node.

https://kubernetes.io/docs/concepts/storage/persistent-volumes/#access-modes
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

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


class VolumeRestrictions(Plugin):
    """Filters nodes on which a disk of the pod is in use, and all while a claim of the pod has its pod already."""

    name = NAME
    helped_by = frozenset({ClusterEvent.NODE_ADDED, ClusterEvent.POD_GONE, ClusterEvent.CLAIM})

    def asks_each(self, needs: Needs) -> bool:
        """Whether pods of a template have claims."""
        return bool(needs.claims)

    def need(self, pod: PodInfo, snapshot: Snapshot) -> Restricted | None:
        """Return the disks, and the claims that only one pod may use."""
        claims = ((each.key, snapshot.storage.claim(each.key)) for each in pod.claims)
        alone = tuple(key for key, claim in claims if claim and _ALONE in claim.spec.accessModes)
        if not alone and not pod.needs.disks:
            return None
        taken = any(key in snapshot.claims for key in alone)
        return Restricted(pod.needs.disks, alone, taken, snapshot)

    def filter(self, need: Restricted, snapshot: Snapshot) -> Filter:
        """Return the filter."""
        del snapshot
        return Filter(need.judge)


@dataclass(frozen=True, slots=True)
class Restricted:
    """What only one pod may have; who has a claim by now concerns every node."""

    disks: tuple[Disk, ...]
    alone: tuple[ClaimKey, ...]
    is_taken: bool
    snapshot: Snapshot = field(compare=False)

    def judge(self, node: NodeInfo) -> Rejection | None:
        """Return why a node cannot have the volumes, None where it can."""
        if any(is_in_use(each, node.disks) for each in self.disks):
            return DISK_CONFLICT
        return REJECTION if any(self._users(each, node) for each in self.alone) else None

    def _users(self, claim: ClaimKey, node: NodeInfo) -> int:
        """Return how many pods use a claim, where the node may have other pods than it has."""
        is_there = self.snapshot.nodes[node.index].claims.get(claim, 0)
        return self.snapshot.claims[claim] - is_there + node.claims.get(claim, 0)
