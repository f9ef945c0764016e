"""Makes room on the node's disks before any pod has to go: dead pods and containers, then images that nobody uses.

https://kubernetes.io/docs/concepts/scheduling-eviction/node-pressure-eviction/#reclaim-node-resources
Where images have a file system of their own, theirs is made free by removing them, and the node's by what pods have left behind.
The logs of dead containers lie on the node's file system, their layers beside the images: they go for either.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

from kubelet.core.eviction.thresholds import Signal
from kubelet.eviction.signals import NodeSignals
from machinery.model.errors import ApiError
from machinery.model.log import EventLog

_OF_IMAGES: Final = frozenset({Signal.IMAGEFS, Signal.IMAGEFS_INODES})


class DeadContainers(Protocol):
    """What removes them (kubelet/container_garbage.py)."""

    async def make_room(self) -> None:
        """Remove them, and what is left of pods that have ended."""
        ...


class UnusedImages(Protocol):
    """What removes them (kubelet/image_garbage.py)."""

    async def remove_unused(self) -> None:
        """Remove them all."""
        ...


@dataclass(frozen=True, slots=True)
class NodeReclaim:
    """What an eviction manager tries first."""

    containers: DeadContainers
    images: UnusedImages
    signals: NodeSignals
    log: EventLog

    async def make_room(self, signal: Signal) -> None:
        """Remove what can go without ending a pod; what cannot be removed is logged and left."""
        await self.containers.make_room()
        if signal in _OF_IMAGES or self.signals.is_one_file_system():
            try:
                await self.images.remove_unused()
            except ApiError as error:
                self.log.warning("images_not_removed", error=error)
