"""NodeVolumeLimits: a node has no more volumes of a CSI driver than the driver can attach to it.

https://kubernetes.io/docs/concepts/storage/storage-limits/
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from machinery.model.k8s.storage_v1 import CSINode
from machinery.model.volume_matching import class_of_claim
from scheduler.core.cluster_events import ClusterEvent
from scheduler.core.framework import Filter, Plugin
from scheduler.core.needs import Needs
from scheduler.core.node import NodeInfo
from scheduler.core.pod import ClaimKey, PodInfo
from scheduler.core.rejection import Rejection
from scheduler.core.snapshot import Snapshot
from scheduler.core.storage import Storage

NAME: Final = "NodeVolumeLimits"
REJECTION: Final = Rejection(NAME, ("node(s) exceed max volume count",), resolvable=True)

Attached: TypeAlias = tuple[str, str]
"""(driver, volume handle); a claim that has no volume yet stands for the one that it will have."""


def attached(keys: Iterable[ClaimKey], storage: Storage) -> Iterator[Attached]:
    """Yield the volumes of CSI drivers that claims stand for."""
    for key in keys:
        claim = storage.claim(key)
        if claim is None:
            continue
        volume = storage.volume(claim.spec.volumeName)
        if volume is not None:
            if volume.spec.csi is not None:
                yield volume.spec.csi.driver, volume.spec.csi.volumeHandle
        elif (storage_class := storage.classes.get(class_of_claim(claim))) is not None:
            yield storage_class.provisioner, "/".join(key)


def fits(wanted: frozenset[Attached], used: Iterable[Attached], drivers: CSINode | None) -> bool:
    """Whether a node with these drivers can have more volumes; a driver that sets no limit has none."""
    limits = {
        each.name: each.allocatable.count
        for each in (drivers.spec.drivers if drivers else ())
        if each.allocatable is not None and each.allocatable.count is not None
    }
    have = frozenset(used)
    counts, more = Counter(driver for driver, _ in have), Counter(driver for driver, _ in wanted - have)
    return all(counts[driver] + number <= limits.get(driver, _NO_BOUND) for driver, number in more.items())


_NO_BOUND: Final = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Attaching:
    """The volumes of a pod, by what is known of storage at a version."""

    version: int
    volumes: frozenset[Attached]
    storage: Storage = field(compare=False)

    def judge(self, node: NodeInfo) -> Rejection | None:
        """Return why a node cannot have the volumes, None where it can."""
        used = attached(node.claims, self.storage)
        return None if fits(self.volumes, used, self.storage.csi_nodes.get(node.name)) else REJECTION


class NodeVolumeLimits(Plugin):
    """Filters nodes that have as many volumes as they can."""

    name = NAME
    helped_by = frozenset(
        {ClusterEvent.NODE_ADDED, ClusterEvent.POD_GONE, ClusterEvent.CLAIM, ClusterEvent.CSI_NODE}
    )

    def asks_each(self, needs: Needs) -> bool:
        """Whether pods of a template have claims."""
        return bool(needs.claims)

    def need(self, pod: PodInfo, snapshot: Snapshot) -> Attaching | None:
        """Return the volumes of CSI drivers."""
        storage = snapshot.storage
        volumes = frozenset(attached((each.key for each in pod.claims), storage))
        return Attaching(storage.version, volumes, storage) if volumes else None

    def filter(self, need: Attaching, snapshot: Snapshot) -> Filter:
        """Return the filter."""
        del snapshot
        return Filter(need.judge)
