"""Plan for one Endpoints: one slice for each address family and set of ports that it has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any, Final

import msgspec

from controllers.core.actions import (
    NO_FACTS,
    NOTHING_TO_DO,
    Action,
    AllAtOnce,
    Create,
    Facts,
    Plan,
    Write,
    delete,
    event,
)
from controllers.core.merge_patch import diff_documents, patch_at_revision
from controllers.core.moment import Moment
from controllers.core.services import MANAGED_BY
from controllers.core.trigger_time import LAST_APPLIED, TRIGGER_TIME
from machinery.model.endpoints import IPV4, IPV6, SERVICE_NAME, protocol_of
from machinery.model.k8s.core_v1 import EndpointAddress, Endpoints, EndpointSubset, Service
from machinery.model.k8s.discovery_v1 import Endpoint, EndpointConditions, EndpointPort, EndpointSlice
from machinery.model.k8s.meta_v1 import ObjectMeta
from machinery.model.owners import is_controlled_by, owner_reference
from machinery.model.resources import ENDPOINT_SLICES

MOST: Final = 1000  # addresses of a subset
MANAGER: Final = "endpointslicemirroring-controller.k8s.io"
SKIPPED: Final = "endpointslice.kubernetes.io/skip-mirror"
LEADER: Final = "control-plane.alpha.kubernetes.io/leader"
_PREFIX_LENGTH: Final = 57  # the name with its random ending stays a DNS label

Ports = tuple[tuple[str, str, int, str], ...]  # name, protocol, port, appProtocol
_Identity = tuple[str, str, str, str]  # of an endpoint: its address, and the pod that it stands for


@dataclass(frozen=True, slots=True)
class Seen:
    """What the plan knows."""

    endpoints: Endpoints | None
    service: Service | None
    slices: Sequence[EndpointSlice]  # that mirror these Endpoints, or did


@dataclass(slots=True)
class _Wanted:
    """What should be mirrored, and what cannot be."""

    endpoints: dict[tuple[str, Ports], dict[_Identity, Endpoint]] = field(default_factory=dict)
    invalid: int = 0
    skipped: int = 0


def plan(seen: Seen, _moment: Moment, _facts: Facts = NO_FACTS) -> Plan:
    """Plan for Endpoints."""
    endpoints = seen.endpoints
    if endpoints is None or not should_mirror(endpoints, seen.service):
        surplus = tuple(delete(ENDPOINT_SLICES, each) for each in seen.slices)
        return Plan((AllAtOnce(surplus),)) if surplus else NOTHING_TO_DO
    wanted = _read(endpoints.subsets)
    writes = _arrange(endpoints, wanted, seen.slices)
    if not writes:
        return NOTHING_TO_DO
    return Plan((*_news(endpoints, wanted), AllAtOnce(tuple(writes))))


def should_mirror(endpoints: Endpoints, service: Service | None) -> bool:
    """Whether Endpoints are mirrored: their Service finds no pods itself, and nobody has said otherwise."""
    meta = endpoints.metadata
    if meta.labels.get(SKIPPED) == "true" or LEADER in meta.annotations:
        return False
    return service is not None and not service.spec.selector


def _read(subsets: Sequence[EndpointSubset]) -> _Wanted:
    wanted = _Wanted()
    for subset in subsets:
        ports = _ports(subset)
        rows = [(each, True) for each in subset.addresses] + [
            (each, False) for each in subset.notReadyAddresses
        ]
        added = 0
        for address, ready in rows:
            if added >= MOST:
                break
            endpoint = _endpoint(address, ready=ready)
            if endpoint is None:
                wanted.invalid += 1
                continue
            family = IPV6 if ":" in endpoint.addresses[0] else IPV4
            wanted.endpoints.setdefault((family, ports), {})[_identity(endpoint)] = endpoint
            added += 1
        wanted.skipped += len(rows) - added
    return wanted


def _ports(subset: EndpointSubset) -> Ports:
    return tuple(
        sorted((port.name, protocol_of(port.protocol), port.port, port.appProtocol) for port in subset.ports)
    )


def _ports_of(slice_: EndpointSlice) -> Ports:
    return tuple(
        sorted(
            (port.name, protocol_of(port.protocol), port.port or 0, port.appProtocol) for port in slice_.ports
        )
    )


def _endpoint(address: EndpointAddress, *, ready: bool) -> Endpoint | None:
    try:
        ip = str(ip_address(address.ip))
    except ValueError:
        return None
    return Endpoint(
        addresses=[ip],
        conditions=EndpointConditions(ready=ready),
        hostname=address.hostname,
        nodeName=address.nodeName,
        targetRef=address.targetRef,
    )


def _identity(endpoint: Endpoint) -> _Identity:
    target = endpoint.targetRef
    return (
        endpoint.addresses[0],
        endpoint.hostname,
        target.uid if target else "",
        target.name if target else "",
    )


def _news(endpoints: Endpoints, wanted: _Wanted) -> list[Action]:
    found: list[Action] = []
    if wanted.invalid:
        text = f"Skipped {wanted.invalid} invalid IP addresses when mirroring to EndpointSlices"
        found.append(event(endpoints, "Warning", "InvalidIPAddress", text))
    if wanted.skipped > wanted.invalid:
        text = (
            f"A max of {MOST} addresses can be mirrored to EndpointSlices per Endpoints subset. "
            f"{wanted.skipped} addresses were skipped"
        )
        found.append(event(endpoints, "Warning", "TooManyAddressesToMirror", text))
    return found


def _arrange(endpoints: Endpoints, wanted: _Wanted, slices: Sequence[EndpointSlice]) -> list[Write]:
    """Keep one slice of each kind; what is left over is written anew before it is deleted."""
    spare = sorted(slices, key=lambda each: each.metadata.name)
    kept: dict[tuple[str, Ports], EndpointSlice] = {}
    for slice_ in list(spare):
        key = (slice_.addressType, _ports_of(slice_))
        if key in wanted.endpoints and key not in kept:
            kept[key] = slice_
            spare.remove(slice_)
    writes: list[Write] = []
    for (family, ports), found in wanted.endpoints.items():
        old = kept.get((family, ports)) or _reused(spare, family)
        content = list(found.values())[:MOST]
        if old is not None:
            writes += _patches(endpoints, old, ports, content)
        elif not endpoints.metadata.deletionTimestamp:
            writes.append(Create(ENDPOINT_SLICES, _slice(endpoints, family, ports, content)))
    return [*writes, *(delete(ENDPOINT_SLICES, each) for each in spare)]


def _reused(spare: list[EndpointSlice], family: str) -> EndpointSlice | None:
    """Return a slice that is not needed any more, and take it out; its family cannot be changed."""
    found = next((each for each in spare if each.addressType == family), None)
    if found is not None:
        spare.remove(found)
    return found


def _slice(endpoints: Endpoints, family: str, ports: Ports, content: list[Endpoint]) -> EndpointSlice:
    meta = endpoints.metadata
    return EndpointSlice(
        addressType=family,
        metadata=ObjectMeta(
            generateName=f"{meta.name[:_PREFIX_LENGTH]}-",
            namespace=meta.namespace,
            labels=_labels(endpoints),
            annotations=_annotations(endpoints),
            ownerReferences=[owner_reference(endpoints)],
        ),
        endpoints=content,
        ports=_slice_ports(ports),
    )


def _patches(endpoints: Endpoints, old: EndpointSlice, ports: Ports, content: list[Endpoint]) -> list[Write]:
    document: dict[str, Any] = {}
    if {_identity(each): each for each in old.endpoints} != {_identity(each): each for each in content}:
        document["endpoints"] = msgspec.to_builtins(content)
    if _ports_of(old) != ports:
        document["ports"] = msgspec.to_builtins(_slice_ports(ports))
    if metadata := _metadata_changes(endpoints, old):
        document["metadata"] = metadata
    return [patch_at_revision(ENDPOINT_SLICES, old, document)] if document else []


def _metadata_changes(endpoints: Endpoints, old: EndpointSlice) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    if labels := diff_documents(old.metadata.labels, _labels(endpoints)):
        changes["labels"] = labels
    if annotations := diff_documents(old.metadata.annotations, _annotations(endpoints)):
        changes["annotations"] = annotations
    if not is_controlled_by(old.metadata, endpoints):
        changes["ownerReferences"] = msgspec.to_builtins([owner_reference(endpoints)])
    return changes


def _labels(endpoints: Endpoints) -> dict[str, str]:
    return endpoints.metadata.labels | {SERVICE_NAME: endpoints.metadata.name, MANAGED_BY: MANAGER}


def _annotations(endpoints: Endpoints) -> dict[str, str]:
    known = endpoints.metadata.annotations
    return {key: text for key, text in known.items() if key not in {TRIGGER_TIME, LAST_APPLIED}}


def _slice_ports(ports: Ports) -> list[EndpointPort]:
    return [
        EndpointPort(name=name, protocol=protocol, port=number, appProtocol=application)
        for name, protocol, number, application in ports
    ]
