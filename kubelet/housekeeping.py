"""What is done from time to time: volumes are brought up to date, what belongs to no pod is taken away."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from kubelet.cgroups import Cgroups
from kubelet.container_garbage import ContainerGarbage
from kubelet.containment import contained
from kubelet.core.life import Stage
from kubelet.csi import CsiVolumes
from kubelet.devices import DeviceClaims
from kubelet.images import Images
from kubelet.pod_files import PodFiles
from kubelet.pod_workers import PodWorkers
from kubelet.volumes import Volumes
from machinery.model.clock import Clock
from machinery.model.log import EventLog

_PERIOD_S: Final = 60.0  # cluster seconds, but at least:
_LEAST_WALL_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class Housekeeping:
    """Runs beside the workers."""

    workers: PodWorkers
    volumes: Volumes
    device_claims: DeviceClaims
    cgroups: Cgroups
    files: PodFiles
    images: Images
    containers: ContainerGarbage
    driver_volumes: CsiVolumes
    clock: Clock
    log: EventLog

    async def run(self) -> None:
        """Tidy up, then refresh, again and again until cancelled."""
        while True:
            await self._sweep()
            await self.clock.sleep(max(_PERIOD_S, self.clock.timescale.cluster(_LEAST_WALL_S)))
            await self._refresh()

    async def _sweep(self) -> None:
        active = self.workers.active_uids
        with contained(self.log, "volumes_not_swept"):
            await self.volumes.sweep(active)
        with contained(self.log, "claims_not_swept"):
            await self.device_claims.sweep(active)
        with contained(self.log, "cgroups_not_swept"):
            await self.cgroups.sweep(active)
        with contained(self.log, "logs_not_swept"):
            self.files.sweep_logs(active)
        with contained(self.log, "dead_containers_not_collected"):
            self.containers.sweep()
        with contained(self.log, "image_records_not_pruned"):
            await self.images.prune()

    async def _refresh(self) -> None:
        for life in self.workers.lives():
            if life.stage is Stage.SYNCING and life.observed.sandbox is not None:
                with contained(self.log, "volumes_not_refreshed", pod=life.pod.metadata.name):
                    await self.volumes.refresh(life.pod)
        with contained(self.log, "volumes_not_measured"):
            await self.driver_volumes.measure()
