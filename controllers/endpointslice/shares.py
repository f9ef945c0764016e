"""Hints by the share that a zone has of the cluster: `service.kubernetes.io/topology-mode: Auto`.

Each zone gets endpoints by its share of the CPUs, first its own, then those that others have too many of. A zone may be
overloaded by a fifth; where that does not suffice, nobody gets hints. Slices that are not written anyway keep their hints
while each zone has at most what leaves the others their least.

https://kubernetes.io/docs/concepts/services-networking/topology-aware-routing/
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Final, TypeAlias

from msgspec.structs import replace

from controllers.endpointslice.drafts import Draft
from machinery.model.k8s.discovery_v1 import Endpoint, EndpointHints, EndpointSlice, ForZone

Shares: TypeAlias = Mapping[str, float]  # of the CPUs of all nodes, by zone; they add up to 1

DISABLED: Final = "TopologyAwareHintsDisabled"
DISABLED_TEXT: Final = "Topology Aware Hints has been disabled"
_OVERLOAD: Final = 1.2  # a zone may be asked for so much more than its share
_HALF: Final = 0.5


class NotShared(Exception):  # noqa: N818 - it says what has happened
    """There can be no hints; the text says why."""


@dataclass(frozen=True, slots=True)
class Allocation:
    """How many endpoints a zone gets."""

    least: int
    most: int
    desired: float


def share(drafts: Sequence[Draft], shares: Shares | None) -> None:
    """Set the hints of the endpoints of a Service, of one type of addresses.

    Raises:
        NotShared: there are none; those that were there are taken away.
    """
    try:
        _share(drafts, shares)
    except NotShared:
        for draft in drafts:
            _put(draft, [replace(each, hints=None) if each.hints else each for each in draft.endpoints])
        raise


def is_overloaded(slices: Iterable[EndpointSlice], shares: Shares | None) -> bool:
    """Whether a zone has fewer of the endpoints of some slices than its least, where they have hints at all."""
    hints = _count(endpoint for slice_ in slices for endpoint in slice_.endpoints)
    if not hints or not shares:
        return bool(hints)
    return any(hints[zone] < _least(hints.total() * part) for zone, part in shares.items())


def _share(drafts: Sequence[Draft], shares: Shares | None) -> None:
    ready = [each for draft in drafts for each in draft.endpoints if is_ready(each)]
    allocations = allocate(len(ready), shares)
    hints: Counter[str] = Counter()
    written: list[Draft] = []
    for draft in drafts:
        if draft.changed or not _may_stay(draft, hints, allocations):
            written.append(draft)
        else:
            hints += _count(draft.endpoints)
    if not all(each.zone for draft in written for each in draft.endpoints if is_ready(each)):
        raise NotShared("One or more endpoints do not have a zone specified")
    hints += Counter(each.zone for draft in written for each in draft.endpoints if is_ready(each))
    giving, receiving = moves(allocations, hints)
    for draft in written:
        _put(draft, [_hinted(each, giving, receiving) for each in draft.endpoints])


def allocate(endpoints: int, shares: Shares | None) -> dict[str, Allocation]:
    """Return how many of so many endpoints each zone gets.

    Raises:
        NotShared: it cannot be done within the overload.
    """
    if not shares:
        text = "Insufficient Node information: allocatable CPU or zone not specified on one or more nodes"
        raise NotShared(text)
    counts = f"({endpoints} endpoints, {len(shares)} zones)"
    if len(shares) > endpoints:
        raise NotShared(f"Insufficient number of endpoints {counts}")
    least = {zone: _least(part * endpoints) for zone, part in shares.items()}
    left = endpoints - sum(least.values())
    if left < 0:
        text = (
            "Unable to allocate minimum required endpoints to each zone without exceeding overload threshold"
        )
        raise NotShared(f"{text} {counts}")
    return {
        zone: Allocation(few, few + left, max(shares[zone] * endpoints, few)) for zone, few in least.items()
    }


def moves(
    allocations: Mapping[str, Allocation], hints: Mapping[str, int]
) -> tuple[Counter[str], Counter[str]]:
    """Return how many endpoints zones give away, and how many they receive: none for less than half of one."""
    over = {zone: hints.get(zone, 0) - each.desired for zone, each in sorted(allocations.items())}
    too_many = {zone: by for zone, by in over.items() if by > 0}
    too_few = {zone: -by for zone, by in over.items() if by < 0}
    giving: Counter[str] = Counter()
    receiving: Counter[str] = Counter()
    while too_many and too_few:
        giver, taker = max(too_many, key=too_many.__getitem__), max(too_few, key=too_few.__getitem__)
        much, little = too_many[giver], too_few[taker]
        if min(much, little) < _HALF or max(much, little) < 1:
            break
        giving[giver] += 1
        receiving[taker] += 1
        too_many[giver] -= 1
        too_few[taker] -= 1
    return giving, receiving


def is_ready(endpoint: Endpoint) -> bool:
    """Whether an endpoint is to be used."""
    return bool(endpoint.conditions and endpoint.conditions.ready)


def _hinted(endpoint: Endpoint, giving: Counter[str], receiving: Counter[str]) -> Endpoint:
    """Return an endpoint with the zone that it is for: its own, or one that receives."""
    if not is_ready(endpoint):
        return replace(endpoint, hints=None)
    zone = endpoint.zone
    if giving[zone] > 0 and (taker := next((each for each in sorted(receiving) if receiving[each]), "")):
        giving[zone] -= 1
        receiving[taker] -= 1
        zone = taker
    return replace(endpoint, hints=EndpointHints(forZones=[ForZone(name=zone)]))


def _may_stay(draft: Draft, hints: Mapping[str, int], allocations: Mapping[str, Allocation]) -> bool:
    """Whether a slice that is not written for another reason can keep its hints."""
    if not all(each.hints and each.hints.forZones for each in draft.endpoints if is_ready(each)):
        return False
    own = _count(draft.endpoints)
    return all(
        zone in allocations and count + hints.get(zone, 0) <= allocations[zone].most
        for zone, count in own.items()
    )


def _count(endpoints: Iterable[Endpoint]) -> Counter[str]:
    return Counter(
        zone.name for each in endpoints if is_ready(each) and each.hints for zone in each.hints.forZones
    )


def _least(desired: float) -> int:
    return ceil(desired * (1 / _OVERLOAD))


def _put(draft: Draft, endpoints: list[Endpoint]) -> None:
    if endpoints != draft.endpoints:
        draft.endpoints, draft.changed = endpoints, True
