"""VolumeZone: a volume that is labeled with a zone or a region is used from nodes of that zone or region.

https://kubernetes.io/docs/reference/labels-annotations-taints/#topologykubernetesiozone
Several zones are written with `__` between them. A node without any such label may use every volume.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from machinery.model.k8s.core_v1 import PersistentVolume
from scheduler.core.rejection import Rejection

NAME: Final = "VolumeZone"
REJECTION: Final = Rejection(NAME, ("node(s) had no available volume zone",), resolvable=False)
_BETWEEN: Final = "__"
_LABELS: Final = {  # those that a volume may have, and what a node has instead of an old one
    "failure-domain.beta.kubernetes.io/zone": "topology.kubernetes.io/zone",
    "failure-domain.beta.kubernetes.io/region": "topology.kubernetes.io/region",
    "topology.kubernetes.io/zone": "topology.kubernetes.io/zone",
    "topology.kubernetes.io/region": "topology.kubernetes.io/region",
}


def missing(name: str) -> str:
    """Say that a claim is bound to a volume that is not there."""
    return f'persistentvolume "{name}" not found'


def fits(volumes: Iterator[PersistentVolume], labels: Mapping[str, str]) -> bool:
    """Whether a node with these labels lies in the zones of all volumes."""
    if not any(name in labels for name in _LABELS):
        return True
    return all(
        labels.get(name, labels.get(newer)) in _zones(volume.metadata.labels[name])
        for volume in volumes
        for name, newer in _LABELS.items()
        if name in volume.metadata.labels
    )


def _zones(text: str) -> set[str | None]:
    return {zone.strip() for zone in text.split(_BETWEEN)}
