"""From a decision about a pod's claims to claims that are bound: what is written for it, and the wait for those who bind.

A volume is reserved for its claim, and a claim that needs a new one is told the node; the controller of volumes and the
provisioner do the rest. Nothing is taken back when that fails: the next decision finds what is written.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from machinery.client.api import Api
from machinery.client.waiting import event_within
from machinery.model.clock import Clock
from machinery.model.errors import ApiError
from machinery.model.k8s.core_v1 import PersistentVolumeClaim
from machinery.model.requests import PatchType, revision_of
from machinery.model.resources import PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES
from machinery.model.storage import BOUND_BY_CONTROLLER, SELECTED_NODE
from machinery.model.volume_matching import is_bound_to
from scheduler.core.plugins.volume_binding import Written, progress
from scheduler.core.pod import PodInfo
from scheduler.core.snapshot import Snapshot
from scheduler.core.storage import Binding, PodVolumes, reference_to
from scheduler.pre_bind import NotReady

_LOOK_S: Final = 1.0  # cluster seconds between two looks at whether the pod and the node are still there


class VolumesNotBound(NotReady):
    """The claims of a pod are not bound to volumes on the node that was chosen."""


class VolumeBinder:
    """Has the claims of pods bound."""

    def __init__(
        self,
        api: Api,
        snapshot: Snapshot,
        *,
        is_there: Callable[[PodInfo], bool],
        within_s: Callable[[PodInfo], float],
        timeout_s: float,
        clock: Clock,
    ) -> None:
        self._api = api
        self._snapshot = snapshot
        self._is_there = is_there
        self._within_s = within_s  # cluster seconds, for all claims of a pod
        self._timeout_s = timeout_s  # wall seconds for a request
        self._clock = clock
        self._waiting: set[asyncio.Event] = set()

    def storage_changed(self) -> None:
        """Look again at what is waited for."""
        for news in self._waiting:
            news.set()

    async def undo(self, pod: PodInfo, reserved: PodVolumes) -> None:
        """Leave what is written: the next decision finds it."""

    async def act(self, action: None) -> None:
        """Do nothing: the plugin never wants something."""

    async def bind(self, pod: PodInfo, volumes: PodVolumes, node: str) -> None:
        """Return when all claims of a pod are bound.

        Raises:
            VolumesNotBound: they are not, and a node has to be looked for again.
        """
        try:
            written = await self._write(volumes, node)
        except ApiError as error:
            raise VolumesNotBound(error.message) from error
        news = asyncio.Event()
        self._waiting.add(news)
        try:
            await self._wait(pod, volumes, node, written, news)
        finally:
            self._waiting.discard(news)

    async def _wait(
        self, pod: PodInfo, volumes: PodVolumes, node: str, written: Written, news: asyncio.Event
    ) -> None:
        end_s = self._clock.monotonic() + self._within_s(pod)
        while not self._is_done(pod, volumes, node, written):
            left_s = end_s - self._clock.monotonic()
            if left_s <= 0:
                raise VolumesNotBound("binding volumes: context deadline exceeded")
            await event_within(news, self._clock, min(left_s, _LOOK_S))
            news.clear()

    def _is_done(self, pod: PodInfo, volumes: PodVolumes, node_name: str, written: Written) -> bool:
        if not self._is_there(pod):
            raise VolumesNotBound(f'binding volumes: pod does not exist any more: pod "{pod.name}" not found')
        node = self._snapshot.node(node_name)
        if node is None:
            text = f'binding volumes: failed to get node "{node_name}": node "{node_name}" not found'
            raise VolumesNotBound(text)
        found = progress(volumes, written, node, self._snapshot.storage)
        if isinstance(found, str):
            raise VolumesNotBound(f"binding volumes: {found}")
        return found

    async def _write(self, volumes: PodVolumes, node: str) -> Written:
        of_volumes = {each.volume.metadata.name: await self._reserve(each) for each in volumes.bindings}
        of_claims = {
            (claim.metadata.namespace, claim.metadata.name): await self._ask_for_volume(claim, node)
            for claim in volumes.provisions
        }
        return Written(of_volumes, of_claims)

    async def _reserve(self, binding: Binding) -> int:
        """Write into a volume whose it is, on condition that it is as it was; return its revision."""
        meta, reference = binding.volume.metadata, binding.volume.spec.claimRef
        wanted = reference_to(binding.claim)
        if reference is not None and reference.uid == wanted.uid:
            return revision_of(meta)
        changes: dict[str, object] = {"resourceVersion": meta.resourceVersion}
        if not is_bound_to(binding.volume, binding.claim):  # nobody else has named the claim
            changes["annotations"] = {BOUND_BY_CONTROLLER: "yes"}
        patch = {"metadata": changes, "spec": {"claimRef": wanted}}
        written = await self._api.patch(
            PERSISTENT_VOLUMES, meta.name, patch, kind=PatchType.MERGE, timeout_s=self._timeout_s
        )
        return revision_of(written.metadata)

    async def _ask_for_volume(self, claim: PersistentVolumeClaim, node: str) -> int:
        """Write into a claim where its volume is to be, on condition that it is as it was; return its revision."""
        meta = claim.metadata
        if meta.annotations.get(SELECTED_NODE) == node:
            return revision_of(meta)
        changes = {"resourceVersion": meta.resourceVersion, "annotations": {SELECTED_NODE: node}}
        written = await self._api.patch(
            PERSISTENT_VOLUME_CLAIMS,
            meta.name,
            {"metadata": changes},
            namespace=meta.namespace,
            kind=PatchType.MERGE,
            timeout_s=self._timeout_s,
        )
        return revision_of(written.metadata)
