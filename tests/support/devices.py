"""Devices for tests of the scheduler, and a second opinion on who gets which: every choice is tried, and judged when it is whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import combinations, product
from typing import Any, TypeAlias

import msgspec

from machinery.model.k8s.resource_v1 import (
    CELDeviceSelector,
    DeviceClass,
    DeviceClassSpec,
    DeviceConstraint,
    DeviceRequest,
    DeviceSelector,
    DeviceSubRequest,
    ExactDeviceRequest,
    ResourceSlice,
)
from machinery.model.quantity import parse
from machinery.model.resources import RESOURCE_SLICES
from tests.support.builders import meta

DRIVER = "cards.example.com"
Document: TypeAlias = dict[str, Any]


def device(name: str, **fields: Any) -> Document:
    """Return a device; `color=` and `size=` are attributes of it, `memory=` a capacity."""
    attributes = {key: {"string": fields.pop(key)} for key in ("color",) if key in fields}
    attributes |= {key: {"int": fields.pop(key)} for key in ("size",) if key in fields}
    capacity = {key: {"value": fields.pop(key)} for key in ("memory",) if key in fields}
    return {"name": name, "attributes": attributes, "capacity": capacity, **fields}


def slice_of(
    *devices: Document, name: str = "", node: str = "node-1", pool: str = "", **fields: Any
) -> ResourceSlice:
    """Return a slice of a node's pool, the only one of the pool where nothing else is said."""
    pools = {"name": pool or node, "generation": 1, "resourceSliceCount": 1, **fields.pop("pool_fields", {})}
    where = {"nodeName": node} if node else {}
    spec = {"driver": DRIVER, "pool": pools, "devices": list(devices), **where, **fields}
    metadata = {"name": name or f"slice-{pool or node}", "uid": name or "uid", "resourceVersion": "1"}
    document = {"metadata": metadata, "spec": spec}
    return msgspec.convert(document, RESOURCE_SLICES.type)


def device_class(name: str = "card", *expressions: str, **fields: Any) -> DeviceClass:
    """Return a class of devices."""
    return DeviceClass(metadata=meta(name), spec=DeviceClassSpec(selectors=selectors(*expressions), **fields))


def selectors(*expressions: str) -> list[DeviceSelector]:
    """Return what devices have to fit."""
    return [DeviceSelector(cel=CELDeviceSelector(expression=each)) for each in expressions]


def request(name: str = "card", count: int | None = 1, *expressions: str, **fields: Any) -> DeviceRequest:
    """Return a request for so many devices, or for all."""
    return DeviceRequest(name=name, exactly=ExactDeviceRequest(**_asked(count, *expressions, **fields)))


def first_of(name: str, **alternatives: int | None) -> DeviceRequest:
    """Return a request with alternatives: so many devices, or all."""
    subs = [DeviceSubRequest(name=each, **_asked(count)) for each, count in alternatives.items()]
    return DeviceRequest(name=name, firstAvailable=subs)


def _asked(count: int | None, *expressions: str, **fields: Any) -> Any:
    mode = "All" if count is None else "ExactCount"
    own = {"deviceClassName": "card", "allocationMode": mode, "count": count}
    return {**own, "selectors": selectors(*expressions), **fields}


def match(attribute: str, *requests: str) -> DeviceConstraint:
    """Return that devices have an attribute in common."""
    return DeviceConstraint(matchAttribute=f"{DRIVER}/{attribute}", requests=list(requests))


# -- a second opinion --

Choice: TypeAlias = tuple[str, tuple[str, ...], bool]
"""The name of an alternative, its devices, and whether it only looks after them."""


def reference(
    claims: Sequence[Sequence[DeviceRequest]],
    constraints: Sequence[Sequence[DeviceConstraint]],
    devices: Sequence[Document],
    taken: Collection[str],
    counters: Mapping[tuple[str, str], int],
) -> list[list[tuple[str, str]]] | None:
    """Return the first whole choice that holds, as (request, device) for each claim; every device fits every class."""
    names = [each["name"] for each in devices]
    options = [[list(_choices(each, names)) for each in requests] for requests in claims]
    flat = [option for requests in options for option in requests]
    for picked in product(*flat):
        rest = iter(picked)
        whole = [[next(rest) for _ in requests] for requests in claims]
        if _holds(whole, claims, constraints, {each["name"]: each for each in devices}, taken, counters):
            return [[(name, each) for name, chosen, _ in claim for each in chosen] for claim in whole]
    return None


def _choices(asked: DeviceRequest, names: Sequence[str]) -> Iterator[Choice]:
    alternatives: list[tuple[str, Any]] = (
        [(asked.name, asked.exactly)]
        if asked.exactly
        else [(f"{asked.name}/{each.name}", each) for each in asked.firstAvailable]
    )
    for name, each in alternatives:
        admin = bool(getattr(each, "adminAccess", False))
        if each.allocationMode == "All":
            if names:
                yield name, tuple(names), admin
        else:
            yield from ((name, chosen, admin) for chosen in combinations(names, each.count))


def _holds(
    whole: Sequence[Sequence[Choice]],
    claims: Sequence[Sequence[DeviceRequest]],
    constraints: Sequence[Sequence[DeviceConstraint]],
    devices: Mapping[str, Document],
    taken: Collection[str],
    counters: Mapping[tuple[str, str], int],
) -> bool:
    users: dict[str, set[int]] = {}
    for number, claim in enumerate(whole):
        for _, chosen, admin in claim:
            for name in chosen:
                others = users.setdefault(name, set())
                if number in others or (not admin and (others or name in taken)):
                    return False
                others.add(number)
    used = Counter(each for claim in whole for _, chosen, _ in claim for each in chosen)
    consumed: Counter[tuple[str, str]] = Counter()
    for name in [*taken, *used.elements()]:
        for each in devices[name].get("consumesCounters", []):
            for counter, value in each["counters"].items():
                consumed[each["counterSet"], counter] += int(parse(value["value"]))
    if any(amount > counters.get(name, 0) for name, amount in consumed.items()):
        return False
    return all(
        _constrained(claim, each, devices)
        for claim, own in zip(whole, constraints, strict=True)
        for each in own
    )


def _constrained(
    claim: Sequence[Choice], constraint: DeviceConstraint, devices: Mapping[str, Document]
) -> bool:
    wanted = set(constraint.requests)
    attribute = (constraint.matchAttribute or constraint.distinctAttribute).partition("/")[2]
    values = [
        str(devices[each]["attributes"].get(attribute))
        for name, chosen, _ in claim
        if not wanted or {name, name.partition("/")[0]} & wanted
        for each in chosen
    ]
    if "None" in values:
        return False
    return len(set(values)) in ({0, 1} if constraint.matchAttribute else {len(values)})
