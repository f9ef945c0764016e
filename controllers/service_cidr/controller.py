"""What the ServiceCIDR controller watches and looks at."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from controllers.core.caches import Caches
from controllers.core.controller import Controller, Key, Settings, Watched
from controllers.core.keys import key_of
from controllers.core.metadata_only import metadata_only
from controllers.core.moment import Moment
from controllers.service_cidr.plan import Seen, plan
from machinery.model.k8s.networking_v1 import ServiceCIDR
from machinery.model.requests import EventType
from machinery.model.resources import IP_ADDRESSES, SERVICE_CIDRS
from machinery.model.store import Change

_GOING: Final = "going"  # index of those that are to go
_MANAGED_BY: Final = "ipaddress.kubernetes.io/managed-by"
_ALLOCATOR: Final = "ipallocator.k8s.io"


def build(caches: Caches, _settings: Settings) -> Controller[Seen]:
    """Build the controller."""
    reader = Reader(caches)
    return Controller(
        "service-cidr-controller",
        (Watched(reader.cidrs, reader.itself_and_going), Watched(reader.addresses, reader.going)),
        reader.look,
        plan,
        writes=frozenset(
            {"patch servicecidrs.networking.k8s.io", "patch servicecidrs.networking.k8s.io/status"}
        ),
    )


class Reader:
    """Reads the caches."""

    def __init__(self, caches: Caches) -> None:
        self.cidrs = caches.ask(SERVICE_CIDRS, indexes={_GOING: by_going})
        self.addresses = caches.ask(metadata_only(IP_ADDRESSES), fields=("metadata.labels",))

    def look(self, key: Key, _moment: Moment) -> Seen | None:
        """Return a range; for one that goes, what is left in it, and what else there is."""
        cidr = self.cidrs.store.get(*key)
        if cidr is None:
            return None
        if cidr.metadata.deletionTimestamp is None:
            return Seen(cidr)
        others = [other for other in self.cidrs.store if other.metadata.deletionTimestamp is None]
        held = [each for each in self.addresses.store if each.metadata.labels.get(_MANAGED_BY) == _ALLOCATOR]
        return Seen(cidr, others, [each.metadata.name for each in held])

    def itself_and_going(self, change: Change[ServiceCIDR]) -> Iterable[Key]:
        """Return a range, and those that are to go: they may not be needed any more."""
        return dict.fromkeys((key_of(change.object.metadata), *self._going()))

    def going(self, change: Change[Any]) -> Iterable[Key]:
        """Return the ranges that are to go, where an address is free again."""
        return self._going() if change.kind is EventType.DELETED else ()

    def _going(self) -> list[Key]:
        return [key_of(cidr.metadata) for cidr in self.cidrs.store.by_index(_GOING, _GOING)]


def by_going(cidr: ServiceCIDR) -> Iterable[str]:
    """Index the ranges that are to go."""
    return (_GOING,) if cidr.metadata.deletionTimestamp is not None else ()
