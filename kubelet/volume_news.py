"""Volumes that show fields of their own pod: written again as soon as these change, not at the next round of housekeeping.

https://kubernetes.io/docs/concepts/storage/volumes/#downwardapi
Labels and annotations can be changed at any time, and a container's resources by a resize. The workers say how each
pod's life goes on (`note`); what is shown is compared, and `run` has the volumes written.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from kubelet.containment import contained
from kubelet.core.life import Life, Stage
from machinery.model.k8s.core_v1 import Pod, ResourceRequirements
from machinery.model.log import EventLog


class _Shown(NamedTuple):
    """What a volume can show of its pod, and what can change."""

    labels: dict[str, str]
    annotations: dict[str, str]
    resources: list[ResourceRequirements | None]


class VolumeNews:
    """Which pods' volumes have to be written again; of each pod only its newest version."""

    def __init__(self, refresh: Callable[[Pod], Awaitable[None]], log: EventLog) -> None:
        self._refresh = refresh
        self._log = log
        self._shown: dict[str, _Shown] = {}
        self._due: dict[str, Pod] = {}
        self._news = asyncio.Event()

    def note(self, life: Life) -> None:
        """Handle a step of a pod's life. Cheap for pods whose volumes show nothing of them."""
        pod = life.pod
        if life.stage is not Stage.SYNCING or not _shows_itself(pod):
            return
        meta, resources = pod.metadata, [container.resources for container in pod.spec.containers]
        shown = _Shown(meta.labels, meta.annotations, resources)
        before = self._shown.get(life.uid)
        self._shown[life.uid] = shown
        if before is not None and before != shown:
            self._due[life.uid] = pod
            self._news.set()

    def forget(self, uid: str) -> None:
        """Keep nothing of a pod any more."""
        self._shown.pop(uid, None)
        self._due.pop(uid, None)

    async def run(self) -> None:
        """Write until cancelled, one pod after the other."""
        while True:
            await self._news.wait()
            self._news.clear()
            while self._due:
                _, pod = self._due.popitem()
                with contained(self._log, "volumes_not_refreshed", pod=pod.metadata.name):
                    await self._refresh(pod)


def _shows_itself(pod: Pod) -> bool:
    return any(
        volume.downwardAPI
        or (volume.projected and any(each.downwardAPI for each in volume.projected.sources))
        for volume in pod.spec.volumes
    )
