"""Which endpoints go into which slice.

Slices are filled as they stand: what changes stays in its slice, what is new goes first where a slice is written
anyway, then where it fits, and only then into a new one. A Service without pods has one empty slice.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from msgspec.structs import replace

from controllers.endpointslice.endpoints import Grouped, Ports, identity, ports_key
from machinery.model.k8s.discovery_v1 import Endpoint, EndpointSlice

MOST: Final = 100  # endpoints in a slice


@dataclass(slots=True)
class Draft:
    """A slice as it will be. Without `of` it is new."""

    ports: Ports
    address_type: str
    of: EndpointSlice | None = None
    endpoints: list[Endpoint] = field(default_factory=list)
    changed: bool = False

    @property
    def room(self) -> int:
        """How many more it takes."""
        return MOST - len(self.endpoints)


def arrange(
    grouped: Grouped,
    slices: list[EndpointSlice],
    address_type: str,
    surplus: list[EndpointSlice],
    *,
    keeps_hints: bool,
) -> list[Draft]:
    """Arrange the endpoints of one address type; what is not needed any more goes to `surplus`.

    With `keeps_hints`, an endpoint that has its place keeps its hints, whatever is wanted.
    """
    drafts: list[Draft] = []
    spare: list[EndpointSlice] = []
    by_ports: dict[Ports, list[EndpointSlice]] = {}
    for slice_ in sorted(slices, key=lambda one: (one.metadata.creationTimestamp or "", one.metadata.name)):
        by_ports.setdefault(ports_key(slice_.ports), []).append(slice_)
    for ports, endpoints in grouped.items():
        drafts += _fill(
            ports, endpoints, by_ports.pop(ports, []), address_type, spare, keeps_hints=keeps_hints
        )
    spare += [slice_ for left in by_ports.values() for slice_ in left]
    if not drafts:
        drafts = [_placeholder(spare, address_type)]
    _reuse(drafts, spare)
    surplus += spare
    return drafts


def _placeholder(spare: list[EndpointSlice], address_type: str) -> Draft:
    """Keep an empty slice, so that "no endpoints" can be told from "not looked at yet"."""
    for slice_ in spare:
        if not slice_.ports and not slice_.endpoints:
            spare.remove(slice_)
            return Draft((), address_type, slice_)
    return Draft((), address_type, changed=True)


def _reuse(drafts: list[Draft], spare: list[EndpointSlice]) -> None:
    """Write new content into slices that would be deleted, instead of deleting and creating."""
    for draft in drafts:
        if draft.of is None and spare:
            draft.of, draft.changed = spare.pop(0), True


def _fill(
    ports: Ports,
    endpoints: list[Endpoint],
    slices: list[EndpointSlice],
    address_type: str,
    spare: list[EndpointSlice],
    *,
    keeps_hints: bool,
) -> list[Draft]:
    wanted = {identity(endpoint): endpoint for endpoint in endpoints}
    drafts = [_kept(slice_, wanted, ports, address_type, keeps_hints=keeps_hints) for slice_ in slices]
    missing = list(wanted.values())
    for draft in drafts:
        if draft.changed and draft.endpoints:
            _top_up(draft, missing)
    if missing:  # those that have become empty are written or deleted anyway
        for draft in (draft for draft in drafts if not draft.endpoints):
            _top_up(draft, missing)
    drafts += _place(missing, drafts, ports, address_type)
    spare += [draft.of for draft in drafts if draft.of is not None and not draft.endpoints]
    return [draft for draft in drafts if draft.endpoints]


def _kept(
    slice_: EndpointSlice,
    wanted: dict[tuple[str, tuple[str, ...]], Endpoint],
    ports: Ports,
    address_type: str,
    *,
    keeps_hints: bool,
) -> Draft:
    """Move what is wanted from `wanted` to its place; a second copy of it elsewhere is wanted no more."""
    draft = Draft(ports, address_type, slice_)
    for endpoint in slice_.endpoints:
        current = wanted.pop(identity(endpoint), None)
        if current is not None and keeps_hints:
            current = replace(current, hints=endpoint.hints)
        if current is not None:
            draft.endpoints.append(current)
        if current != endpoint:
            draft.changed = True
    return draft


def _top_up(draft: Draft, missing: list[Endpoint]) -> None:
    count = min(draft.room, len(missing))
    if count > 0:
        draft.endpoints += missing[:count]
        draft.changed = True
        del missing[:count]


def _place(missing: list[Endpoint], drafts: list[Draft], ports: Ports, address_type: str) -> list[Draft]:
    """Put the rest into full new slices, and what is left then into the fullest slice that has room for it."""
    fresh: list[Draft] = []
    while len(missing) >= MOST:
        fresh.append(Draft(ports, address_type, endpoints=missing[:MOST], changed=True))
        del missing[:MOST]
    if not missing:
        return fresh
    fitting = [draft for draft in drafts if draft.endpoints and draft.room >= len(missing)]
    if fitting:
        _top_up(min(fitting, key=lambda draft: draft.room), missing)
    else:
        fresh.append(Draft(ports, address_type, endpoints=list(missing), changed=True))
    return fresh
