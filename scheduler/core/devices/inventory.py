"""Claims of devices, classes and pools, as the scheduler believes them to be.

Fed by the watch (`set_…`, `remove_…`) and by the loop: devices that a decision gives to a claim are taken at once (`reserve`), until
the watch shows the claim with its devices, or the decision is undone (`release`). Of a claim the newest revision counts,
whoever shows it: the watch may lag behind what was written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

import msgspec

from machinery.model.device_claims import CLAIM_FINALIZER
from machinery.model.fields import trimmer
from machinery.model.k8s.resource_v1 import AllocationResult, DeviceClass, ResourceClaim, ResourceSlice
from machinery.model.requests import revision_of
from scheduler.core.devices.pools import EVERYWHERE, DeviceId, PoolId, Pools
from scheduler.core.devices.selectors import Selectors
from scheduler.core.pod import ClaimKey

essential_device_claim: Final = trimmer(
    ResourceClaim,
    (
        "metadata.deletionTimestamp",
        "metadata.finalizers",
        "metadata.ownerReferences",
        "spec",
        "status.allocation",
        "status.reservedFor",
    ),
)
"""Return the part of a claim that scheduling looks at."""


class Devices:
    """What there is. `version` is raised by what concerns every node; `touched` is called with the node of what concerns one."""

    def __init__(self, touched: Callable[[str], None] = lambda _node: None) -> None:
        self.version = 0
        self.classes: dict[str, DeviceClass] = {}
        self.pools = Pools()
        self.selectors = Selectors()
        self.taken: dict[
            DeviceId, int
        ] = {}  # how many claims have it, of those that no other one may share it with
        self._claims: dict[ClaimKey, ResourceClaim] = {}
        self._reserved: dict[ClaimKey, ResourceClaim] = {}
        self._touched = touched

    def claim(self, key: ClaimKey) -> ResourceClaim | None:
        """Return a claim as the apiserver has it."""
        return self._claims.get(key)

    def is_in_flight(self, key: ClaimKey) -> bool:
        """Whether a claim is being given devices."""
        return key in self._reserved

    # -- the watch --

    def set_claim(self, claim: ResourceClaim) -> bool:
        """Add or replace a claim, unless a newer revision is known; return whether devices became free by that."""
        key, known = _key(claim), self._claims.get(_key(claim))
        if known is not None and _is_older(claim, known):
            return False
        before = self._effective(key)
        self._claims[key] = claim
        reserved = self._reserved.get(key)
        if reserved is not None and (_has_devices(claim) or claim.metadata.uid != reserved.metadata.uid):
            del self._reserved[key]
        return self._recount(before, self._effective(key))

    def remove_claim(self, claim: ResourceClaim) -> bool:
        """Remove a claim; return whether devices became free by that."""
        before = self._effective(_key(claim))
        self._claims.pop(_key(claim), None)
        self._reserved.pop(_key(claim), None)
        return self._recount(before, None)

    def set_class(self, class_: DeviceClass) -> None:
        """Add or replace a class."""
        self.version += 1
        self.classes[class_.metadata.name] = class_

    def remove_class(self, class_: DeviceClass) -> None:
        """Remove a class."""
        self.version += 1
        self.classes.pop(class_.metadata.name, None)

    def set_slice(self, slice_: ResourceSlice) -> None:
        """Add or replace a slice of a pool."""
        self._concern(self.pools.put(slice_))

    def remove_slice(self, slice_: ResourceSlice) -> None:
        """Remove a slice of a pool."""
        self._concern(self.pools.drop(slice_.metadata.name))

    # -- decisions --

    def reserve(self, claim: ResourceClaim, allocation: AllocationResult) -> None:
        """Count devices as given to a claim."""
        key = _key(claim)
        before = self._effective(key)
        status = msgspec.structs.replace(claim.status, allocation=allocation)
        finalizers = [*claim.metadata.finalizers]
        finalizers += [] if CLAIM_FINALIZER in finalizers else [CLAIM_FINALIZER]
        meta = msgspec.structs.replace(claim.metadata, finalizers=finalizers)
        self._reserved[key] = msgspec.structs.replace(claim, metadata=meta, status=status)
        self._recount(before, self._reserved[key])

    def release(self, claim: ResourceClaim) -> None:
        """Undo a reservation; what was written since stays. Idempotent."""
        key = _key(claim)
        before = self._effective(key)
        if self._reserved.pop(key, None) is not None:
            self._recount(before, self._effective(key))

    # -- who has what --

    def _effective(self, key: ClaimKey) -> ResourceClaim | None:
        return self._reserved.get(key) or self._claims.get(key)

    def _recount(self, before: ResourceClaim | None, after: ResourceClaim | None) -> bool:
        lost, got = set(_exclusive(before)), set(_exclusive(after))
        for each in lost - got:
            self._count(each, -1)
        for each in got - lost:
            self._count(each, 1)
        pools = {PoolId(each.driver, each.pool) for each in lost ^ got}
        self._concern({self.pools.home_of(each) for each in pools})
        return bool(lost - got)

    def _count(self, device: DeviceId, sign: int) -> None:
        now = self.taken.get(device, 0) + sign
        if now:
            self.taken[device] = now
        else:
            del self.taken[device]

    def _concern(self, nodes: set[str]) -> None:
        if EVERYWHERE in nodes:
            self.version += 1
        for node in nodes - {EVERYWHERE}:
            self._touched(node)


def _exclusive(claim: ResourceClaim | None) -> Iterator[DeviceId]:
    """Yield the devices of a claim that no other one may have: those that it only looks after are free."""
    allocation = claim.status.allocation if claim else None
    for each in allocation.devices.results if allocation and allocation.devices else ():
        if not each.adminAccess:
            yield DeviceId(each.driver, each.pool, each.device)


def _has_devices(claim: ResourceClaim) -> bool:
    return claim.status.allocation is not None


def _is_older(claim: ResourceClaim, known: ResourceClaim) -> bool:
    same = claim.metadata.uid == known.metadata.uid
    return same and revision_of(claim.metadata) < revision_of(known.metadata)


def _key(claim: ResourceClaim) -> ClaimKey:
    return claim.metadata.namespace, claim.metadata.name
