"""The four plugins that look at volumes, over one pod: what its claims are now, which nodes can have them.

A pod without claims has no filter. Filters are equal where nothing that they look at beside the nodes has changed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from machinery.model.k8s.core_v1 import PersistentVolume
from scheduler.core.node import NodeInfo
from scheduler.core.plugins import node_volume_limits, volume_binding, volume_restrictions, volume_zone
from scheduler.core.pod import ClaimKey, PodInfo
from scheduler.core.rejection import Rejection
from scheduler.core.snapshot import Snapshot
from scheduler.core.storage import NO_VOLUMES, PodVolumes, Storage


@dataclass(frozen=True, slots=True)
class Stopped:
    """No node is looked at: what the plugin says keeps the pod from all of them."""

    plugin: str
    message: str


@dataclass(frozen=True, slots=True)
class VolumeFilter:
    """Judges nodes for one pod; equal by the claims, and the version of what is known of them."""

    keys: tuple[ClaimKey, ...]
    version: int
    is_taken: bool
    claims: volume_binding.Claims = field(compare=False)
    storage: Storage = field(compare=False)
    attached: frozenset[node_volume_limits.Attached] = field(compare=False)
    zoned: tuple[str, ...] = field(
        compare=False
    )  # volumes of the claims that the pod names: only their zones count

    def rejection(self, node: NodeInfo) -> Rejection | None:
        """Return why a node cannot have the pod's volumes, None where it can."""
        if self.is_taken:
            return volume_restrictions.REJECTION
        if self.attached and not self._is_within_limits(node):
            return node_volume_limits.REJECTION
        if (rejection := volume_binding.judge(self.claims, node, self.storage)) is not None:
            return rejection
        return None if volume_zone.fits(self._volumes(), node.labels) else volume_zone.REJECTION

    def choose(self, node: NodeInfo) -> PodVolumes:
        """Return what is given to the pod's claims on a node that was not rejected."""
        return volume_binding.choose(self.claims, node, self.storage) or NO_VOLUMES

    def _is_within_limits(self, node: NodeInfo) -> bool:
        used = node_volume_limits.attached(node.claims, self.storage)
        return node_volume_limits.fits(self.attached, used, self.storage.csi_nodes.get(node.name))

    def _volumes(self) -> Iterator[PersistentVolume]:
        for name in self.zoned:
            if (volume := self.storage.volume(name)) is not None:
                yield volume


def look_at_volumes(pod: PodInfo, snapshot: Snapshot) -> VolumeFilter | Stopped:
    """Return what judges nodes by the volumes of a pod with claims."""
    storage = snapshot.storage
    claims = volume_binding.read_claims(pod, storage)
    if isinstance(claims, str):
        return Stopped(volume_binding.NAME, claims)
    named = {each.key[1] for each in pod.claims if not each.is_ephemeral}
    zoned = tuple(claim.spec.volumeName for claim in claims.bound if claim.metadata.name in named)
    for name in zoned:
        if storage.volume(name) is None:
            return Stopped(volume_zone.NAME, volume_zone.missing(name))
    keys = tuple(each.key for each in pod.claims)
    return VolumeFilter(
        keys,
        storage.version,
        any(_is_taken(key, snapshot) for key in keys),
        claims,
        storage,
        frozenset(node_volume_limits.attached(keys, storage)),
        zoned,
    )


def _is_taken(key: ClaimKey, snapshot: Snapshot) -> bool:
    claim = snapshot.storage.claim(key)
    return claim is not None and volume_restrictions.is_taken(key, claim, snapshot.claims)
