"""Has the claims of devices of the node's pods prepared by their drivers, and put away when the pods have gone.

The apiserver is asked for a claim when its pod begins: whether it is allocated, and for this pod. What several pods share is prepared
once, and put away with the last of them.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Collection, Iterable
from pathlib import Path

from kubelet.containment import contained
from kubelet.core.devices import PreparedClaim, cdi_ids, drivers_of, problem_of
from kubelet.devices.drivers import DriverProblem, Drivers
from kubelet.devices.records import ClaimRecords
from machinery.client.api import Api
from machinery.client.events import WARNING, EventRecorder
from machinery.model.device_claims import PodClaim, pod_claims
from machinery.model.errors import ApiError
from machinery.model.k8s.core_v1 import Container, Pod
from machinery.model.log import EventLog
from machinery.model.resources import RESOURCE_CLAIMS


class DeviceProblem(Exception):  # noqa: N818 - it is what an event says
    """A pod's devices cannot be had, or not be put away, now."""


class DeviceClaims:
    """The claims of the node's pods."""

    def __init__(self, api: Api, root: Path, drivers: Drivers, events: EventRecorder, log: EventLog) -> None:
        self._api = api
        self._drivers = drivers
        self._records = ClaimRecords(root, log)
        self._events = events
        self._log = log
        self._turn = asyncio.Lock()  # claims are shared: one pod after the other

    async def prepare(self, pod: Pod) -> None:
        """Have the claims of a pod prepared. Idempotent: nobody is asked for what is, nor for a pod without claims.

        Raises:
            DeviceProblem: one of them cannot be prepared now; an event says why.
        """
        if not pod.spec.resourceClaims or self._is_prepared(pod):
            return
        async with self._turn:
            try:
                await self._prepare(pod)
            except (DriverProblem, OSError) as problem:
                text = f"prepare dynamic resources: {problem}"
                self._events.record(
                    pod,
                    WARNING,
                    "FailedPrepareDynamicResources",
                    f"Failed to prepare dynamic resources: {text}",
                )
                raise DeviceProblem(text) from problem

    def _is_prepared(self, pod: Pod) -> bool:
        names = [each.object for each in pod_claims(pod) if each.object is not None]
        known = [self._records.get(pod.metadata.namespace, name) for name in names]
        return all(each and each.is_prepared and pod.metadata.uid in each.pods for each in known)

    async def _prepare(self, pod: Pod) -> None:
        uid = pod.metadata.uid
        claims = [await self._find(pod, each) for each in pod_claims(pod) if each.object is not None]
        self._records.put(each.used_by(uid) for each in claims)
        for driver, some in _by_driver(each for each in claims if not each.is_prepared).items():
            prepared = await self._drivers.prepare(driver, some)
            known = (self._records.get(each.namespace, each.name) or each for each in some)
            self._records.put(each.with_devices(driver, prepared[each.uid]) for each in known)

    async def _find(self, pod: Pod, own: PodClaim) -> PreparedClaim:
        """Return a claim of a pod as it was prepared, or as it is to be."""
        namespace, name = pod.metadata.namespace, own.object or ""
        if not name:
            raise DriverProblem(f"pod claim {own.name}: no ResourceClaim has been made for it so far")
        try:
            claim = await self._api.get(RESOURCE_CLAIMS, name, namespace=namespace)
        except ApiError as error:
            whose = f"fetch ResourceClaim {name} referenced by pod {pod.metadata.name}"
            raise DriverProblem(f"{whose}: {error.message}") from error
        if problem := problem_of(claim, own, pod):
            raise DriverProblem(problem)
        known = self._records.get(namespace, name)
        if known is not None and known.uid != claim.metadata.uid:
            text = f"old ResourceClaim with same name {name} and different UID {known.uid} still exists"
            raise DriverProblem(text)
        fresh = PreparedClaim(namespace, name, claim.metadata.uid, (), drivers_of(claim))
        return known or fresh

    def cdi_ids(self, pod: Pod, container: Container) -> list[str]:
        """Return the CDI devices of a container.

        Raises:
            DeviceProblem: one of its claims is not prepared.
        """
        if not pod.spec.resourceClaims or container.resources is None or not container.resources.claims:
            return []
        objects = {each.name: each.object for each in pod_claims(pod) if each.object}
        found = [self._records.get(pod.metadata.namespace, name) for name in objects.values()]
        try:
            return cdi_ids(container, objects, {each.name: each for each in found if each is not None})
        except LookupError as missing:
            where = f"namespace: {pod.metadata.namespace}, claim: {missing.args[0]}"
            raise DeviceProblem(f"unable to get resource for {where}") from missing

    async def unprepare(self, pod_uid: str) -> None:
        """Have put away what no other pod uses. Idempotent.

        Raises:
            DeviceProblem: a driver cannot do it now.
        """
        if not self._records.of_pod(pod_uid):
            return
        async with self._turn:
            try:
                await self._unprepare(pod_uid)
            except (DriverProblem, OSError) as problem:
                raise DeviceProblem(f"unprepare dynamic resources: {problem}") from problem

    async def _unprepare(self, pod_uid: str) -> None:
        claims = self._records.of_pod(pod_uid)
        self._records.put(each.unused_by(pod_uid) for each in claims if len(each.pods) > 1)
        last = [each for each in claims if len(each.pods) == 1]
        for driver, some in _by_driver(last).items():
            await self._drivers.unprepare(driver, some)
        self._records.drop(last)

    async def sweep(self, active_uids: Collection[str]) -> None:
        """Have put away what belongs to no pod any more."""
        for pod_uid in {uid for each in self._records.all() for uid in each.pods} - set(active_uids):
            self._log.info("orphaned_claims_unprepared", pod_uid=pod_uid)
            with contained(self._log, "claims_not_unprepared", pod_uid=pod_uid):
                await self.unprepare(pod_uid)


def _by_driver(claims: Iterable[PreparedClaim]) -> dict[str, list[PreparedClaim]]:
    found: defaultdict[str, list[PreparedClaim]] = defaultdict(list)
    for claim in claims:
        for driver in claim.drivers:
            found[driver].append(claim)
    return found
