"""Plan for one Service: which slices are made, changed and deleted.

Slices are filled as they stand: what changes stays in its slice, what is new goes first where a slice is written
anyway, then where it fits, and only then into a new one. A Service without pods has one empty slice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from controllers.core.actions import NO_FACTS, NOTHING_TO_DO, AllAtOnce, Create, Facts, Plan, Write, delete
from controllers.core.merge_patch import diff_documents, patch_at_revision
from controllers.core.moment import Moment
from controllers.core.services import HEADLESS_LABEL, MANAGED_BY, is_managed_by
from controllers.core.trigger_time import LAST_APPLIED, TRIGGER_TIME, trigger_time
from controllers.endpointslice.endpoints import (
    Grouped,
    Ports,
    endpoint_ports,
    group,
    identity,
    ports_key,
)
from machinery.model.endpoints import HEADLESS, SERVICE_NAME, address_types
from machinery.model.k8s.core_v1 import Pod, Service
from machinery.model.k8s.discovery_v1 import Endpoint, EndpointSlice
from machinery.model.k8s.meta_v1 import ObjectMeta
from machinery.model.owners import is_controlled_by, owner_reference
from machinery.model.resources import ENDPOINT_SLICES

MOST: Final = 100  # endpoints in a slice
MANAGER: Final = "endpointslice-controller.k8s.io"
_RESERVED: Final = frozenset({SERVICE_NAME, MANAGED_BY, HEADLESS_LABEL})
_NOT_COPIED: Final = frozenset({TRIGGER_TIME, LAST_APPLIED})
_PREFIX_LENGTH: Final = 57  # the name with its random ending stays a DNS label


@dataclass(slots=True)
class _Draft:
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


@dataclass(frozen=True, slots=True)
class Seen:
    """What the plan knows."""

    service: Service
    pods: Sequence[Pod]  # that its selector matches
    slices: Sequence[EndpointSlice]  # that carry its name
    zones: Mapping[str, str]  # of the nodes that the pods are on; "" for none


def plan(seen: Seen, moment: Moment, _facts: Facts = NO_FACTS) -> Plan:
    """Plan for a Service."""
    service = seen.service
    if not service.spec.selector or service.spec.type == "ExternalName":
        return NOTHING_TO_DO
    owned = [
        slice_
        for slice_ in seen.slices
        if is_managed_by(slice_, MANAGER) and not slice_.metadata.deletionTimestamp
    ]
    drafts: list[_Draft] = []
    surplus: list[EndpointSlice] = []
    types = address_types(service)
    for address_type in types:
        of_type = [slice_ for slice_ in owned if slice_.addressType == address_type]
        grouped = group(service, seen.pods, seen.zones, address_type)
        drafts += _arrange(grouped, of_type, address_type, surplus)
    surplus += [slice_ for slice_ in owned if slice_.addressType not in types]
    written = [slice_.metadata for slice_ in owned]
    trigger = trigger_time(service, seen.pods, written, moment)
    return _write(service, drafts, surplus, trigger)


def _write(service: Service, drafts: list[_Draft], surplus: list[EndpointSlice], trigger: str) -> Plan:
    new = [draft for draft in drafts if draft.of is None]
    if service.metadata.deletionTimestamp:
        new = []
    writes: list[Write] = [Create(ENDPOINT_SLICES, _slice(service, draft, trigger)) for draft in new]
    for draft in drafts:
        if draft.of is not None:
            writes += _patches(service, draft, draft.of, trigger)
    writes += [delete(ENDPOINT_SLICES, slice_) for slice_ in surplus]
    return Plan((AllAtOnce(tuple(writes)),)) if writes else NOTHING_TO_DO


def _arrange(
    grouped: Grouped, slices: list[EndpointSlice], address_type: str, surplus: list[EndpointSlice]
) -> list[_Draft]:
    """Arrange the endpoints of one address type; what is not needed any more goes to `surplus`."""
    drafts: list[_Draft] = []
    spare: list[EndpointSlice] = []
    by_ports: dict[Ports, list[EndpointSlice]] = {}
    for slice_ in sorted(slices, key=lambda one: (one.metadata.creationTimestamp or "", one.metadata.name)):
        by_ports.setdefault(ports_key(slice_.ports), []).append(slice_)
    for ports, endpoints in grouped.items():
        drafts += _fill(ports, endpoints, by_ports.pop(ports, []), address_type, spare)
    spare += [slice_ for left in by_ports.values() for slice_ in left]
    if not drafts:
        drafts = [_placeholder(spare, address_type)]
    _reuse(drafts, spare)
    surplus += spare
    return drafts


def _placeholder(spare: list[EndpointSlice], address_type: str) -> _Draft:
    """Keep an empty slice, so that "no endpoints" can be told from "not looked at yet"."""
    for slice_ in spare:
        if not slice_.ports and not slice_.endpoints:
            spare.remove(slice_)
            return _Draft((), address_type, slice_)
    return _Draft((), address_type, changed=True)


def _reuse(drafts: list[_Draft], spare: list[EndpointSlice]) -> None:
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
) -> list[_Draft]:
    wanted = {identity(endpoint): endpoint for endpoint in endpoints}
    drafts = [_kept(slice_, wanted, ports, address_type) for slice_ in slices]
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
) -> _Draft:
    """Move what is wanted from `wanted` to its place; a second copy of it elsewhere is wanted no more."""
    draft = _Draft(ports, address_type, slice_)
    for endpoint in slice_.endpoints:
        current = wanted.pop(identity(endpoint), None)
        if current is not None:
            draft.endpoints.append(current)
        if current != endpoint:
            draft.changed = True
    return draft


def _top_up(draft: _Draft, missing: list[Endpoint]) -> None:
    count = min(draft.room, len(missing))
    if count > 0:
        draft.endpoints += missing[:count]
        draft.changed = True
        del missing[:count]


def _place(missing: list[Endpoint], drafts: list[_Draft], ports: Ports, address_type: str) -> list[_Draft]:
    """Put the rest into full new slices, and what is left then into the fullest slice that has room for it."""
    fresh: list[_Draft] = []
    while len(missing) >= MOST:
        fresh.append(_Draft(ports, address_type, endpoints=missing[:MOST], changed=True))
        del missing[:MOST]
    if not missing:
        return fresh
    fitting = [draft for draft in drafts if draft.endpoints and draft.room >= len(missing)]
    if fitting:
        _top_up(min(fitting, key=lambda draft: draft.room), missing)
    else:
        fresh.append(_Draft(ports, address_type, endpoints=list(missing), changed=True))
    return fresh


def _slice(service: Service, draft: _Draft, trigger: str) -> EndpointSlice:
    meta = service.metadata
    return EndpointSlice(
        addressType=draft.address_type,
        metadata=ObjectMeta(
            generateName=f"{meta.name[:_PREFIX_LENGTH]}-",
            namespace=meta.namespace,
            labels=_labels(service),
            annotations=_annotations(service, trigger),
            ownerReferences=[owner_reference(service)],
        ),
        endpoints=draft.endpoints,
        ports=endpoint_ports(draft.ports),
    )


def _patches(service: Service, draft: _Draft, slice_: EndpointSlice, trigger: str) -> list[Write]:
    metadata = _metadata_changes(service, slice_, trigger if draft.changed else None)
    document: dict[str, Any] = {"metadata": metadata} if metadata else {}
    if draft.changed:
        document["endpoints"] = msgspec.to_builtins(draft.endpoints)
    if ports_key(slice_.ports) != draft.ports:
        document["ports"] = msgspec.to_builtins(endpoint_ports(draft.ports))
    return [patch_at_revision(ENDPOINT_SLICES, slice_, document)] if document else []


def _metadata_changes(service: Service, slice_: EndpointSlice, trigger: str | None) -> dict[str, Any]:
    """Compare labels, annotations and owner; the trigger time alone (None: as it is) is no reason to write."""
    meta = slice_.metadata
    kept = meta.annotations.get(TRIGGER_TIME, "") if trigger is None else trigger
    changes: dict[str, Any] = {}
    if labels := diff_documents(meta.labels, _labels(service)):
        changes["labels"] = labels
    if annotations := diff_documents(meta.annotations, _annotations(service, kept)):
        changes["annotations"] = annotations
    if not is_controlled_by(meta, service):
        changes["ownerReferences"] = msgspec.to_builtins([owner_reference(service)])
    return changes


def _labels(service: Service) -> dict[str, str]:
    own = {key: text for key, text in service.metadata.labels.items() if key not in _RESERVED}
    headless = {HEADLESS_LABEL: ""} if service.spec.clusterIP == HEADLESS else {}
    return own | headless | {SERVICE_NAME: service.metadata.name, MANAGED_BY: MANAGER}


def _annotations(service: Service, trigger: str) -> dict[str, str]:
    own = {key: text for key, text in service.metadata.annotations.items() if key not in _NOT_COPIED}
    return own | ({TRIGGER_TIME: trigger} if trigger else {})
