"""From a decision about a pod's claims of devices to claims that say so: the finalizer, the devices, and who uses them.

What was written stays when something fails later: the next decision finds it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec

from machinery.client.api import Api
from machinery.model.device_claims import CLAIM_FINALIZER, is_reserved_for
from machinery.model.errors import ApiError, Conflict
from machinery.model.k8s.resource_v1 import (
    AllocationResult,
    ResourceClaim,
    ResourceClaimConsumerReference,
)
from machinery.model.log import EventLog
from machinery.model.requests import PatchType
from machinery.model.resources import RESOURCE_CLAIMS
from scheduler.core.devices.filter import PodDevices
from scheduler.core.devices.inventory import Devices
from scheduler.core.pod import ClaimKey, PodInfo
from scheduler.pre_bind import NotReady

_TRIES: Final = 5  # at a claim that others write, too


class DevicesNotBound(NotReady):
    """The claims of a pod do not have the devices that were chosen for them."""


class DeviceBinder:
    """Writes into claims what they have got. `changed` is called when one is known to be another than before."""

    def __init__(
        self,
        api: Api,
        devices: Devices,
        *,
        changed: Callable[[ClaimKey, bool], None],
        timeout_s: float,
        log: EventLog,
    ) -> None:
        self._api = api
        self._devices = devices
        self._changed = changed
        self._timeout_s = timeout_s  # wall seconds for a request
        self._log = log

    async def bind(self, pod: PodInfo, devices: PodDevices, node: str) -> None:
        """Return when every claim of a pod has its devices and may be used by the pod.

        Raises:
            DevicesNotBound: one has not, and a node has to be looked for again.
        """
        del node  # the devices say where they are
        for each in devices:
            await self._bind(pod, each.claim, each.allocation)

    async def _bind(self, pod: PodInfo, claim: ResourceClaim, allocation: AllocationResult | None) -> None:
        for left in reversed(range(_TRIES)):
            _check(claim, allocation)
            try:
                written = await self._write(pod, claim, allocation)
            except Conflict as conflict:
                if not left:
                    raise DevicesNotBound(conflict.message) from conflict
                claim = await self._refreshed(claim)
            else:
                self._seen(written)
                return

    async def _write(
        self, pod: PodInfo, claim: ResourceClaim, allocation: AllocationResult | None
    ) -> ResourceClaim:
        name = _shown(claim)
        status: dict[str, Any] = {}
        if allocation is not None:
            status["allocation"] = msgspec.to_builtins(allocation)
            if CLAIM_FINALIZER not in claim.metadata.finalizers:
                finalizers = {"finalizers": [*claim.metadata.finalizers, CLAIM_FINALIZER]}
                what = f"add finalizer to claim {name}"
                claim = await self._told(what, self._patch(claim, {"metadata": finalizers}))
        user = ResourceClaimConsumerReference(resource="pods", name=pod.name, uid=pod.uid)
        if not is_reserved_for(claim, pod.uid):
            status["reservedFor"] = msgspec.to_builtins([*claim.status.reservedFor, user])
        what = f"add {'allocation and ' if allocation else ''}reservation to claim {name}"
        return await self._told(what, self._patch(claim, {"status": status}, "status"))

    async def _told(self, what: str, write: Awaitable[ResourceClaim]) -> ResourceClaim:
        try:
            return await write
        except Conflict:
            raise
        except ApiError as error:
            raise DevicesNotBound(f"{what}: {error.message}") from error

    async def _patch(
        self, claim: ResourceClaim, patch: dict[str, Any], subresource: str = ""
    ) -> ResourceClaim:
        """Change a claim, on condition that it is as it was."""
        meta = claim.metadata
        metadata = patch.get("metadata", {}) | {"uid": meta.uid, "resourceVersion": meta.resourceVersion}
        return await self._api.patch(
            RESOURCE_CLAIMS,
            meta.name,
            {**patch, "metadata": metadata},
            namespace=meta.namespace,
            subresource=subresource,
            kind=PatchType.MERGE,
            timeout_s=self._timeout_s,
        )

    async def _refreshed(self, claim: ResourceClaim) -> ResourceClaim:
        meta = claim.metadata
        try:
            found = await self._api.get(RESOURCE_CLAIMS, meta.name, namespace=meta.namespace)
        except ApiError as error:
            text = f"get updated claim {_shown(claim)} after conflict: {error.message}"
            raise DevicesNotBound(text) from error
        if found.metadata.uid != meta.uid:
            raise DevicesNotBound(f"claim {_shown(claim)} got deleted in the meantime")
        return found

    def _seen(self, claim: ResourceClaim) -> None:
        frees = self._devices.set_claim(claim)
        self._changed((claim.metadata.namespace, claim.metadata.name), frees)

    async def undo(self, pod: PodInfo, devices: PodDevices) -> None:
        """Remove a pod that is bound nowhere from the users of its claims; a claim for which that fails keeps it."""
        gone = {"$patch": "delete", "uid": pod.uid}
        for each in devices:
            meta = each.claim.metadata
            patch = {"metadata": {"uid": meta.uid}, "status": {"reservedFor": [gone]}}
            try:
                await self._api.patch(
                    RESOURCE_CLAIMS,
                    meta.name,
                    patch,
                    namespace=meta.namespace,
                    subresource="status",
                    kind=PatchType.STRATEGIC_MERGE,
                    timeout_s=self._timeout_s,
                )
            except ApiError as error:
                self._log.warning("claim_not_unreserved", claim=_shown(each.claim), error=error)

    async def act(self, claim: ResourceClaim) -> None:
        """Free the devices of a claim, on condition that it is as it was: another node may have some for its pod."""
        status = {"reservedFor": None, "allocation": None}
        try:
            self._seen(await self._patch(claim, {"status": status}, "status"))
        except ApiError as error:
            self._log.warning("claim_not_deallocated", claim=_shown(claim), error=error)


def _check(claim: ResourceClaim, allocation: AllocationResult | None) -> None:
    if claim.metadata.deletionTimestamp:
        raise DevicesNotBound(f"claim {_shown(claim)} got deleted in the meantime")
    if allocation is not None and claim.status.allocation is not None:
        raise DevicesNotBound(f"claim {_shown(claim)} got allocated elsewhere in the meantime")


def _shown(claim: ResourceClaim) -> str:
    return f"{claim.metadata.namespace}/{claim.metadata.name}"
