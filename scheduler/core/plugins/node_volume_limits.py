"""NodeVolumeLimits: a node has no more volumes of a CSI driver than the driver can attach to it.

https://kubernetes.io/docs/concepts/storage/storage-limits/
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final, TypeAlias

from machinery.model.k8s.storage_v1 import CSINode
from machinery.model.volume_matching import class_of_claim
from scheduler.core.pod import ClaimKey
from scheduler.core.rejection import Rejection
from scheduler.core.storage import Storage

NAME: Final = "NodeVolumeLimits"
REJECTION: Final = Rejection(NAME, ("node(s) exceed max volume count",), resolvable=True)

Attached: TypeAlias = tuple[str, str]
"""(driver, volume handle); a claim that has no volume yet stands for the one that it will have."""


def attached(keys: Iterable[ClaimKey], storage: Storage) -> Iterator[Attached]:
    """Yield the volumes of CSI drivers that claims stand for."""
    for key in keys:
        claim = storage.claim(key)
        if claim is None:
            continue
        volume = storage.volume(claim.spec.volumeName)
        if volume is not None:
            if volume.spec.csi is not None:
                yield volume.spec.csi.driver, volume.spec.csi.volumeHandle
        elif (storage_class := storage.classes.get(class_of_claim(claim))) is not None:
            yield storage_class.provisioner, "/".join(key)


def fits(wanted: frozenset[Attached], used: Iterable[Attached], drivers: CSINode | None) -> bool:
    """Whether a node with these drivers can have more volumes; a driver that sets no limit has none."""
    limits = {
        each.name: each.allocatable.count
        for each in (drivers.spec.drivers if drivers else ())
        if each.allocatable is not None and each.allocatable.count is not None
    }
    have = frozenset(used)
    counts, more = Counter(driver for driver, _ in have), Counter(driver for driver, _ in wanted - have)
    return all(counts[driver] + number <= limits.get(driver, _NO_BOUND) for driver, number in more.items())


_NO_BOUND: Final = 2**31 - 1
