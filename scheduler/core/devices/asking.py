"""What a claim asks for, request by request, each with the alternatives that it has."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from machinery.model.k8s.resource_v1 import (
    DeviceConstraint,
    DeviceRequest,
    DeviceSubRequest,
    DeviceToleration,
    ExactDeviceRequest,
    ResourceClaimSpec,
)


@dataclass(frozen=True, slots=True)
class Asked:
    """So many devices of one kind, or all of them."""

    name: str  # "request", or "request/alternative"
    class_name: str
    selectors: tuple[str, ...]
    count: int | None  # None: all
    is_admin: bool  # it may have what others have
    tolerations: tuple[DeviceToleration, ...]
    unbuilt: str  # what it asks for beside that is not built; "" for nothing


@dataclass(frozen=True, slots=True)
class Request:
    """One request: the first of its alternatives that can be had."""

    name: str
    alternatives: tuple[Asked, ...]


@dataclass(frozen=True, slots=True)
class Constraint:
    """An attribute that the devices of some requests have in common, or each for itself."""

    requests: frozenset[str]  # none: all
    attribute: str
    is_distinct: bool

    def concerns(self, asked: str) -> bool:
        """Whether devices of a request, or of one of its alternatives, are meant."""
        return not self.requests or asked in self.requests or asked.partition("/")[0] in self.requests


@dataclass(frozen=True, slots=True)
class Asking:
    """All that a claim asks for."""

    requests: tuple[Request, ...]
    constraints: tuple[Constraint, ...]


def read_spec(spec: ResourceClaimSpec) -> Asking:
    """Read what a claim asks for."""
    devices = spec.devices
    if devices is None:
        return Asking((), ())
    requests = tuple(Request(each.name, tuple(_alternatives(each))) for each in devices.requests)
    return Asking(requests, tuple(map(_constraint, devices.constraints)))


def _alternatives(request: DeviceRequest) -> Iterator[Asked]:
    exactly, name = request.exactly, request.name
    if exactly is not None:
        yield _asked(name, exactly, is_admin=bool(exactly.adminAccess))
    for each in request.firstAvailable:
        yield _asked(f"{name}/{each.name}", each, is_admin=False)


def _asked(name: str, one: ExactDeviceRequest | DeviceSubRequest, *, is_admin: bool) -> Asked:
    return Asked(
        name,
        one.deviceClassName,
        tuple(each.cel.expression for each in one.selectors if each.cel is not None),
        None if one.allocationMode == "All" else one.count or 1,
        is_admin,
        tuple(one.tolerations),
        "capacity" if one.capacity is not None and one.capacity.requests else "",
    )


def _constraint(constraint: DeviceConstraint) -> Constraint:
    attribute = constraint.matchAttribute or constraint.distinctAttribute
    return Constraint(frozenset(constraint.requests), attribute, not constraint.matchAttribute)
