"""A kubelet's volumes on a real file system, with a registry in memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kubelet.core.node_status import Features
from kubelet.csi import CsiDrivers, CsiVolumes
from kubelet.csi.node_info import NodeInfo
from kubelet.volumes import VolumeProblem, Volumes
from kubelet.volumes.sources import Sources
from machinery.model.k8s.core_v1 import Container, Pod, Volume
from machinery.process.clock import WALL
from tests.support.builders import node, pod
from tests.support.kubelet_node import KeptEvents, ReadAlways
from tests.support.scripted_api import LocalRegistry
from tests.support.virtual_clock import VirtualClock


class KeptWarnings(KeptEvents):
    """A log that keeps its warnings; the rest is dropped."""

    def debug(self, event: str, /, **fields: object) -> None: ...

    def info(self, event: str, /, **fields: object) -> None: ...

    def warning(self, event: str, /, **fields: object) -> None:
        self.record(None, "warning", event, str(fields))

    error = warning


class VolumeWorld:
    """Volumes below a folder, and what surrounds them."""

    def __init__(self, root: Path, clock: VirtualClock, server: LocalRegistry) -> None:
        self.root, self.clock, self.server = root, clock, server
        self.events: Any = KeptEvents()
        self.log = KeptWarnings()
        self.api = server.api("kubelet")
        self.handlers: dict[str, Features] = {}
        self.node = node("node-1", labels={"kubernetes.io/hostname": "node-1"})
        self.volumes = self.restarted()

    def restarted(self, boot_id: str = "") -> Volumes:
        sources = Sources(self.api, ReadAlways(self.api), self.clock)
        self.drivers = CsiDrivers(NodeInfo(self.api, "node-1", WALL), str(self.root), WALL)
        self.driver_volumes = CsiVolumes(
            self.api,
            self.drivers,
            sources,
            self.root,
            "node-1",
            WALL,
            node=lambda: self.node,
            on_use=lambda: None,
        )
        return Volumes(
            self.api,
            self.root,
            self.clock,
            self.events,
            self.log,
            allocatable=lambda: {"memory": "8Gi"},
            boot_id=boot_id,
            handlers=lambda: self.handlers,
            node=lambda: self.node,
            sources=sources,
            drivers=self.driver_volumes,
        )

    async def problem(self, one: Pod) -> str:
        with pytest.raises(VolumeProblem) as caught:
            await self.volumes.mount(one)
        return caught.value.message

    async def folder(self, one: Pod) -> Path:
        """Mount a pod with one volume; return where it lies."""
        [path] = (await self.volumes.mount(one)).values()
        return Path(path)


def pod_with(*volumes: Volume, boxes: list[Container] | None = None, **spec: Any) -> Pod:
    """Return a pod with volumes."""
    return pod(volumes=list(volumes), containers=boxes, **spec)


def visible(folder: Path) -> list[str]:
    """Name what a container sees in a volume."""
    return sorted(entry.name for entry in folder.iterdir() if not entry.name.startswith(".."))
