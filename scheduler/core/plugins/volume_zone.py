"""VolumeZone: a volume that is labeled with a zone or a region is used from nodes of that zone or region.

https://kubernetes.io/docs/reference/labels-annotations-taints/#topologykubernetesiozone
Several zones are written with `__` between them. A node without any such label may use every volume.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from machinery.model.k8s.core_v1 import PersistentVolume
from scheduler.core.cluster_events import ClusterEvent
from scheduler.core.framework import Filter, Plugin
from scheduler.core.needs import Needs
from scheduler.core.node import NodeInfo
from scheduler.core.plugins import volume_binding
from scheduler.core.pod import PodInfo
from scheduler.core.rejection import Rejection, Stopped
from scheduler.core.snapshot import Snapshot

NAME: Final = "VolumeZone"
REJECTION: Final = Rejection(NAME, ("node(s) had no available volume zone",), resolvable=False)
_BETWEEN: Final = "__"
_LABELS: Final = {  # those that a volume may have, and what a node has instead of an old one
    "failure-domain.beta.kubernetes.io/zone": "topology.kubernetes.io/zone",
    "failure-domain.beta.kubernetes.io/region": "topology.kubernetes.io/region",
    "topology.kubernetes.io/zone": "topology.kubernetes.io/zone",
    "topology.kubernetes.io/region": "topology.kubernetes.io/region",
}


def missing(name: str) -> str:
    """Say that a claim is bound to a volume that is not there."""
    return f'persistentvolume "{name}" not found'


def fits(volumes: Iterable[PersistentVolume], labels: Mapping[str, str]) -> bool:
    """Whether a node with these labels lies in the zones of all volumes."""
    if not any(name in labels for name in _LABELS):
        return True
    return all(
        labels.get(name, labels.get(newer)) in _zones(volume.metadata.labels[name])
        for volume in volumes
        for name, newer in _LABELS.items()
        if name in volume.metadata.labels
    )


def _zones(text: str) -> set[str | None]:
    return {zone.strip() for zone in text.split(_BETWEEN)}


@dataclass(frozen=True, slots=True)
class Zoned:
    """The bound volumes of the claims that a pod names, by what is known of storage at a version."""

    version: int
    names: tuple[str, ...]
    volumes: tuple[PersistentVolume, ...] = field(compare=False)

    def judge(self, node: NodeInfo) -> Rejection | None:
        """Return why a node cannot have the volumes, None where it can."""
        return None if fits(self.volumes, node.labels) else REJECTION


class VolumeZone(Plugin):
    """Filters nodes of other zones."""

    name = NAME
    helped_by = frozenset(
        {
            ClusterEvent.NODE_ADDED,
            ClusterEvent.NODE_LABELS,
            ClusterEvent.CLAIM,
            ClusterEvent.VOLUME,
            ClusterEvent.STORAGE_CLASS,
        }
    )

    def asks_each(self, needs: Needs) -> bool:
        """Whether pods of a template have claims."""
        return bool(needs.claims)

    def need(self, pod: PodInfo, snapshot: Snapshot) -> Zoned | Stopped | None:
        """Return the volumes; where one is not there no node can take the pod."""
        storage = snapshot.storage
        claims = volume_binding.read_claims(pod, storage)
        if isinstance(claims, str):
            return None  # which is not for this plugin to say
        named = {each.key[1] for each in pod.claims if not each.is_ephemeral}
        names = tuple(each.spec.volumeName for each in claims.bound if each.metadata.name in named)
        volumes = []
        for name in names:
            if (volume := storage.volume(name)) is None:
                return Stopped(NAME, missing(name))
            volumes.append(volume)
        return Zoned(storage.version, names, tuple(volumes)) if volumes else None

    def filter(self, need: Zoned, snapshot: Snapshot) -> Filter:
        """Return the filter."""
        del snapshot
        return Filter(need.judge)
