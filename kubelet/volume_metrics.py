"""How full the volumes are that claims stand for, on /metrics, by the names that Kubernetes' kubelet has for it.

https://kubernetes.io/docs/reference/instrumentation/metrics/ (kubelet_volume_stats_*)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from kubelet.core.node_summary import Disk, VolumeUsage
from machinery.process.metrics import described, sample

_LABELS: Final = ("namespace", "persistentvolumeclaim")
_METRICS: Final[tuple[tuple[str, str, Callable[[Disk], int]], ...]] = (
    ("capacity_bytes", "Capacity in bytes of the volume", lambda disk: disk.size),
    ("available_bytes", "Number of available bytes in the volume", lambda disk: disk.available),
    ("used_bytes", "Number of used bytes in the volume", lambda disk: disk.used),
    ("inodes", "Maximum number of inodes in the volume", lambda disk: disk.inodes),
    ("inodes_free", "Number of free inodes in the volume", lambda disk: disk.inodes_free),
    ("inodes_used", "Number of used inodes in the volume", lambda disk: disk.inodes - disk.inodes_free),
)


@dataclass(frozen=True, slots=True)
class VolumeMetrics:
    """Looks when it is asked; implements `machinery.process.metrics.Measured`."""

    usage: Callable[[], Iterable[VolumeUsage]]

    def lines(self) -> Iterator[str]:
        """Yield the lines in Prometheus' text format: a claim that several pods use is there once."""
        of_claims = {(each.namespace, each.claim): each.disk for each in self.usage()}
        if not of_claims:
            return
        for name, text, read in _METRICS:
            metric = f"kubelet_volume_stats_{name}"
            yield from described(metric, text, "gauge")
            for claim, disk in of_claims.items():
                yield sample(metric, _LABELS, claim, read(disk))
