"""Disks that pods mount themselves and that are not for several pods of a node at once.

Two volumes are one disk by their name (gcePersistentDisk, awsElasticBlockStore), by their IQN (iscsi), or by pool, image and one
common monitor (rbd). Pods that only read it may share it, except for awsElasticBlockStore.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from typing import NamedTuple

from machinery.model.k8s.core_v1 import Volume


class Disk(NamedTuple):
    """One disk as one pod mounts it."""

    name: tuple[str, ...]
    read_only: bool


def disks_of(volumes: Iterable[Volume]) -> Iterator[Disk]:
    """Yield the disks of a pod; one with several monitors under each of them."""
    for each in volumes:
        if (gce := each.gcePersistentDisk) is not None:
            yield Disk(("gcePersistentDisk", gce.pdName), bool(gce.readOnly))
        elif (ebs := each.awsElasticBlockStore) is not None:
            yield Disk(("awsElasticBlockStore", ebs.volumeID), read_only=False)
        elif (iscsi := each.iscsi) is not None:
            yield Disk(("iscsi", iscsi.iqn), bool(iscsi.readOnly))
        elif (rbd := each.rbd) is not None:
            for monitor in rbd.monitors:
                yield Disk(("rbd", monitor, rbd.pool, rbd.image), bool(rbd.readOnly))


def is_in_use(disk: Disk, used: Container[Disk]) -> bool:
    """Whether a disk cannot be mounted beside what pods have mounted."""
    return Disk(disk.name, read_only=False) in used or (
        not disk.read_only and Disk(disk.name, read_only=True) in used
    )
