"""How much room there is for new volumes: what drivers of volumes say of it, by class and by part of the cluster.

https://kubernetes.io/docs/concepts/storage/storage-capacity/

It is asked of one node: how many objects there are for others does not matter, where each says by a label whose it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, TypeAlias

from machinery.model import quantity
from machinery.model.fields import trimmer
from machinery.model.k8s.storage_v1 import CSIDriver, CSIStorageCapacity
from machinery.model.selectors import LabelMatcher, from_selector

Label: TypeAlias = tuple[str, str]
_Key: TypeAlias = tuple[str, str]

essential_driver: Final = trimmer(CSIDriver, ("spec.storageCapacity",))
"""Return the part of a driver that scheduling looks at."""

essential_capacity: Final = trimmer(
    CSIStorageCapacity, ("capacity", "maximumVolumeSize", "nodeTopology", "storageClassName")
)
"""Return the part of a capacity that scheduling looks at."""


@dataclass(frozen=True, slots=True)
class _Room:
    """The largest volume, in bytes, that can be made for the nodes with some labels."""

    most: Fraction
    where: LabelMatcher


class Capacities:
    """The drivers that say how much room they have, and what they say."""

    def __init__(self) -> None:
        self._telling: set[str] = set()  # drivers, by name
        self._rooms: dict[str, dict[Label | None, dict[_Key, _Room]]] = {}  # of a class, by a label of nodes
        self._places: dict[_Key, tuple[str, Label | None]] = {}

    def set_driver(self, driver: CSIDriver) -> None:
        """Add or replace a driver."""
        self.remove_driver(driver)
        if driver.spec.storageCapacity:
            self._telling.add(driver.metadata.name)

    def remove_driver(self, driver: CSIDriver) -> None:
        """Remove a driver."""
        self._telling.discard(driver.metadata.name)

    def set(self, capacity: CSIStorageCapacity) -> None:
        """Add or replace what a driver says of a class and some nodes; who says it of no nodes says nothing."""
        self.remove(capacity)
        most = largest_volume(capacity)
        if most is None or capacity.nodeTopology is None:
            return
        key, label = _key(capacity), min(capacity.nodeTopology.matchLabels.items(), default=None)
        self._places[key] = capacity.storageClassName, label
        of_class = self._rooms.setdefault(capacity.storageClassName, {})
        of_class.setdefault(label, {})[key] = _Room(most, from_selector(capacity.nodeTopology))

    def remove(self, capacity: CSIStorageCapacity) -> None:
        """Forget what was said."""
        key = _key(capacity)
        if (place := self._places.pop(key, None)) is None:
            return
        name, label = place
        del self._rooms[name][label][key]
        if not self._rooms[name][label]:
            del self._rooms[name][label]
        if not self._rooms[name]:
            del self._rooms[name]

    def suffice(
        self, driver: str, storage_class: str, size_bytes: Fraction, labels: Mapping[str, str]
    ) -> bool:
        """Whether a driver can make a volume of a class for a node with these labels; one that does not tell can."""
        return driver not in self._telling or any(
            size_bytes <= room.most and room.where.matches(labels)
            for room in self._near(storage_class, labels)
        )

    def _near(self, storage_class: str, labels: Mapping[str, str]) -> Iterator[_Room]:
        of_class = self._rooms.get(storage_class, {})
        for label in (None, *labels.items()):
            yield from of_class.get(label, {}).values()


def largest_volume(capacity: CSIStorageCapacity) -> Fraction | None:
    """Return the bytes that one volume can have; None where it is not said."""
    text = capacity.maximumVolumeSize or capacity.capacity
    return quantity.parse(text) if text else None


def has_grown(old: CSIStorageCapacity | None, new: CSIStorageCapacity) -> bool:
    """Whether a volume may be made that could not be made before."""
    before, now = largest_volume(old) if old else None, largest_volume(new)
    return now is not None and (before is None or now > before)


def _key(capacity: CSIStorageCapacity) -> _Key:
    return capacity.metadata.namespace, capacity.metadata.name
