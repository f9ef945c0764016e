"""What the volumes of pods need of those that are CSI drivers' (`kubelet.csi`)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from kubelet.core.csi import Source
from kubelet.core.node_summary import VolumeUsage
from machinery.model.k8s.core_v1 import Pod


class DriverVolumes(Protocol):
    """Asks drivers for the volumes of pods."""

    async def set_up(self, pod: Pod, name: str, source: Source, claim: str = "") -> str:
        """Return the path of a volume for a pod, whose own name for it is given. Idempotent.

        Raises:
            VolumeProblem: it cannot be had now.
        """
        ...

    async def publish_again(self, pod: Pod, source: Source, name: str) -> None:
        """Publish a volume once more, where its driver wants that.

        Raises:
            VolumeProblem: the driver refuses.
        """
        ...

    async def expand(self, pod: Pod, source: Source, name: str, required_bytes: int) -> bool:
        """Have a volume's file system grow; return whether its driver did so.

        Raises:
            VolumeProblem: it does not.
        """
        ...

    async def tear_down(self, pod_uid: str) -> None:
        """Undo what a pod has of drivers. Idempotent.

        Raises:
            ApiError: a driver does not do it, or is not there.
            OSError: what it should have removed is still there.
        """
        ...

    def usage(self) -> Iterator[VolumeUsage]:
        """Yield how full the volumes are that claims stand for, as of the last look."""
        ...
