"""From watch events to what the scheduler knows of claims of devices, their classes, and the pools of drivers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from machinery.client.api import Api
from machinery.client.informer import Informer
from machinery.model.clock import Clock
from machinery.model.k8s.resource_v1 import DeviceClass, ResourceClaim, ResourceSlice
from machinery.model.log import EventLog
from machinery.model.resources import DEVICE_CLASSES, RESOURCE_CLAIMS, RESOURCE_SLICES
from machinery.model.store import Change
from scheduler.core.cluster_events import ClusterEvent
from scheduler.core.devices.inventory import Devices, essential_device_claim
from scheduler.core.pod import ClaimKey
from scheduler.following import follow


class ClaimChanged(Protocol):
    """Is called with a claim that has changed, and whether devices became free by that."""

    def __call__(self, claim: ClaimKey, *, frees_devices: bool) -> None:
        """Note the change."""
        ...


class DeviceWatch:
    """The informers of devices."""

    def __init__(
        self,
        api: Api,
        devices: Devices,
        happened: Callable[[ClusterEvent], None],
        claim_changed: ClaimChanged,
        *,
        clock: Clock,
        log: EventLog,
    ) -> None:
        claims: Informer[ResourceClaim] = Informer(
            api, RESOURCE_CLAIMS, clock=clock, keep=essential_device_claim, log=log
        )
        classes: Informer[DeviceClass] = Informer(api, DEVICE_CLASSES, clock=clock, log=log)
        slices: Informer[ResourceSlice] = Informer(api, RESOURCE_SLICES, clock=clock, log=log)
        self.informers: tuple[Informer[Any], ...] = (classes, slices, claims)
        self._devices = devices
        self._claim_changed = claim_changed
        claims.subscribe(self._take_claim)
        follow(
            classes, devices.set_class, devices.remove_class, lambda _: happened(ClusterEvent.DEVICE_CLASS)
        )
        follow(
            slices, devices.set_slice, devices.remove_slice, lambda _: happened(ClusterEvent.RESOURCE_SLICE)
        )

    def _take_claim(self, change: Change[ResourceClaim]) -> None:
        meta = change.object.metadata
        if change.new is None:
            frees = self._devices.remove_claim(change.object)
        else:
            frees = self._devices.set_claim(change.new)
        self._claim_changed((meta.namespace, meta.name), frees_devices=frees)
