"""Plan for one Service: which slices are made, changed and deleted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from controllers.core.actions import (
    NO_FACTS,
    NOTHING_TO_DO,
    AllAtOnce,
    Create,
    Facts,
    Plan,
    RecordEvent,
    Write,
    delete,
    event,
)
from controllers.core.merge_patch import diff_documents, patch_at_revision
from controllers.core.moment import Moment
from controllers.core.services import HEADLESS_LABEL, MANAGED_BY, is_managed_by
from controllers.core.trigger_time import LAST_APPLIED, TRIGGER_TIME, trigger_time
from controllers.endpointslice.drafts import Draft, arrange
from controllers.endpointslice.endpoints import endpoint_ports, group, ports_key, wants_shares
from controllers.endpointslice.shares import DISABLED, DISABLED_TEXT, NotShared, Shares, share
from machinery.model.endpoints import HEADLESS, SERVICE_NAME, address_types
from machinery.model.k8s.core_v1 import Pod, Service
from machinery.model.k8s.discovery_v1 import EndpointSlice
from machinery.model.k8s.meta_v1 import ObjectMeta
from machinery.model.owners import is_controlled_by, owner_reference
from machinery.model.resources import ENDPOINT_SLICES

MANAGER: Final = "endpointslice-controller.k8s.io"
_RESERVED: Final = frozenset({SERVICE_NAME, MANAGED_BY, HEADLESS_LABEL})
_NOT_COPIED: Final = frozenset({TRIGGER_TIME, LAST_APPLIED})
_PREFIX_LENGTH: Final = 57  # the name with its random ending stays a DNS label


@dataclass(frozen=True, slots=True)
class Seen:
    """What the plan knows."""

    service: Service
    pods: Sequence[Pod]  # that its selector matches
    slices: Sequence[EndpointSlice]  # that carry its name
    zones: Mapping[str, str]  # of the nodes that the pods are on; "" for none
    shares: Shares | None = None  # of the zones; None where that cannot be said of each node


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
    drafts: list[Draft] = []
    surplus: list[EndpointSlice] = []
    told: list[RecordEvent] = []
    types, by_share = address_types(service), wants_shares(service)
    for address_type in types:
        of_type = [slice_ for slice_ in owned if slice_.addressType == address_type]
        grouped = group(service, seen.pods, seen.zones, address_type)
        arranged = arrange(grouped, of_type, address_type, surplus, keeps_hints=by_share)
        if by_share:
            told += _share(service, arranged, owned, seen.shares, address_type)
        elif any(wants_shares(slice_) for slice_ in of_type):
            told.append(event(service, "Warning", DISABLED, f"{DISABLED_TEXT}, addressType: {address_type}"))
        drafts += arranged
    surplus += [slice_ for slice_ in owned if slice_.addressType not in types]
    written = [slice_.metadata for slice_ in owned]
    trigger = trigger_time(service, seen.pods, written, moment)
    writes = _writes(service, drafts, surplus, trigger)
    return Plan((*told, AllAtOnce(tuple(writes)))) if writes else NOTHING_TO_DO


def _share(
    service: Service,
    drafts: Sequence[Draft],
    owned: Sequence[EndpointSlice],
    shares: Shares | None,
    address_type: str,
) -> Iterator[RecordEvent]:
    """Share the endpoints out to zones; yield what is said of that."""
    try:
        share(drafts, shares)
    except NotShared as reason:
        yield event(service, "Warning", DISABLED, f"{reason}, addressType: {address_type}")
        return
    if not any(each.hints for slice_ in owned if wants_shares(slice_) for each in slice_.endpoints):
        text = f"Topology Aware Hints has been enabled, addressType: {address_type}"
        yield event(service, "Normal", "TopologyAwareHintsEnabled", text)


def _writes(service: Service, drafts: list[Draft], surplus: list[EndpointSlice], trigger: str) -> list[Write]:
    new = [draft for draft in drafts if draft.of is None]
    if service.metadata.deletionTimestamp:
        new = []
    writes: list[Write] = [Create(ENDPOINT_SLICES, _slice(service, draft, trigger)) for draft in new]
    for draft in drafts:
        if draft.of is not None:
            writes += _patches(service, draft, draft.of, trigger)
    writes += [delete(ENDPOINT_SLICES, slice_) for slice_ in surplus]
    return writes


def _slice(service: Service, draft: Draft, trigger: str) -> EndpointSlice:
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


def _patches(service: Service, draft: Draft, slice_: EndpointSlice, trigger: str) -> list[Write]:
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
