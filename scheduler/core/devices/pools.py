"""Devices as their drivers tell of them, in slices of pools.

Of a pool the slices of its newest generation count, and only if all of them are there. Two devices of one name make a pool
invalid: nothing of it is given away. A pool whose slices all name one node is found by that node; others are wide.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Final, NamedTuple

from machinery.model.k8s.core_v1 import NodeSelector
from machinery.model.k8s.resource_v1 import Counter, DeviceTaint, ResourceSlice
from machinery.model.k8s.resource_v1 import Device as DeviceSpec
from machinery.model.placement import matches_term
from machinery.model.quantity import parse

EVERYWHERE: Final = ""  # stands for the node of what is wide


class DeviceId(NamedTuple):
    """What no two devices have in common."""

    driver: str
    pool: str
    device: str

    def __str__(self) -> str:
        return "/".join(self)


class PoolId(NamedTuple):
    """A pool, by its driver."""

    driver: str
    pool: str

    def __str__(self) -> str:
        return "/".join(self)


class CounterId(NamedTuple):
    """A counter that devices of a pool share."""

    set: str
    name: str


@dataclass(frozen=True, slots=True)
class Place:
    """Where a device can be used: on one node, on those that a selector selects, or on all."""

    node: str = ""
    selector: NodeSelector | None = None

    def has(self, name: str, labels: Mapping[str, str]) -> bool:
        """Whether a node is one of these."""
        if self.node:
            return name == self.node
        terms = self.selector.nodeSelectorTerms if self.selector else None
        return terms is None or any(matches_term(term, labels, name) for term in terms)


@dataclass(frozen=True, slots=True, eq=False)
class Device:
    """One device."""

    id: DeviceId
    place: Place
    attributes: Mapping[str, Mapping[str, Any]]  # by name; the value under the name of its type
    capacity: Mapping[str, str]
    taints: tuple[DeviceTaint, ...]
    consumes: Mapping[CounterId, Fraction]
    is_conditional: bool  # it waits for conditions before pods are bound: not built
    matches: dict[str, bool] = field(default_factory=dict)  # what expressions say of it, as it was found

    def attribute(self, full_name: str) -> Any:
        """Return an attribute by its full name; None where the device has none. The domain may be left out: the driver's."""
        if (found := self.attributes.get(full_name)) is not None:
            return _value(found)
        domain, _, name = full_name.partition("/")
        found = self.attributes.get(name) if domain == self.id.driver else None
        return None if found is None else _value(found)


def _value(attribute: Mapping[str, Any]) -> tuple[str, Any]:
    """Return a value with its type: 1 is not true, and a version no text."""
    return next(iter(attribute.items()), ("", None))


@dataclass(frozen=True, slots=True, eq=False)
class Pool:
    """The newest generation of a pool."""

    id: PoolId
    problem: str  # why nothing of it is given away: it is "being updated", or "invalid"; "" where it is fine
    devices: tuple[Device, ...]
    counters: Mapping[CounterId, Fraction]

    def on(self, name: str, labels: Mapping[str, str]) -> list[Device]:
        """Return the devices that a node can use."""
        return [each for each in self.devices if each.place.has(name, labels)]


class NodePool(NamedTuple):
    """A pool, and those of its devices that a node can use."""

    pool: Pool
    devices: list[Device]


class Pools:
    """All pools."""

    def __init__(self) -> None:
        self._slices: dict[PoolId, dict[str, ResourceSlice]] = {}
        self._pool_of: dict[str, PoolId] = {}
        self._of_node: dict[str, set[PoolId]] = {}  # EVERYWHERE: the wide ones
        self._home: dict[PoolId, str] = {}  # the node, or EVERYWHERE
        self._read: dict[PoolId, Pool] = {}

    def put(self, slice_: ResourceSlice) -> set[str]:
        """Add or replace a slice; return the nodes that it may concern."""
        name, spec = slice_.metadata.name, slice_.spec
        id_ = PoolId(spec.driver, spec.pool.name)
        concerned = self._remove(name) if self._pool_of.get(name, id_) != id_ else set()
        self._pool_of[name] = id_
        self._slices.setdefault(id_, {})[name] = slice_
        return concerned | self._changed(id_)

    def drop(self, name: str) -> set[str]:
        """Remove a slice; return the nodes that it may have concerned."""
        return self._remove(name) if name in self._pool_of else set()

    def home_of(self, id_: PoolId) -> str:
        """Return the node whose pool it is; EVERYWHERE for one that is wide, or not there."""
        return self._home.get(id_, EVERYWHERE)

    def of_node(self, name: str, labels: Mapping[str, str]) -> list[NodePool]:
        """Return the pools from which a node can use devices, in the order of their names."""
        ids = self._of_node.get(name, set()) | self._of_node.get(EVERYWHERE, set())
        pools = (self.pool(each) for each in sorted(ids))
        found = (NodePool(pool, pool.on(name, labels)) for pool in pools if pool is not None)
        return [each for each in found if each.devices]

    def pool(self, id_: PoolId) -> Pool | None:
        """Return a pool; None where there is none."""
        if id_ not in self._slices:
            return None
        if id_ not in self._read:
            self._read[id_] = read_pool(id_, self._slices[id_].values())
        return self._read[id_]

    def _remove(self, name: str) -> set[str]:
        id_ = self._pool_of.pop(name)
        del self._slices[id_][name]
        return self._changed(id_)

    def _changed(self, id_: PoolId) -> set[str]:
        before = self._home.pop(id_, None)
        if before is not None:
            self._of_node[before].discard(id_)
        self._read.pop(id_, None)
        if not self._slices[id_]:
            del self._slices[id_]
            return set() if before is None else {before}
        nodes = {each.spec.nodeName for each in self._slices[id_].values()}
        home = self._home[id_] = nodes.pop() if len(nodes) == 1 else EVERYWHERE
        self._of_node.setdefault(home, set()).add(id_)
        return {home} if before is None else {home, before}


def read_pool(id_: PoolId, slices: Iterable[ResourceSlice]) -> Pool:
    """Read the newest generation of a pool."""
    every = sorted(slices, key=lambda each: each.metadata.name)
    newest = max(each.spec.pool.generation for each in every)
    current = [each for each in every if each.spec.pool.generation == newest]
    devices = tuple(device for each in current for device in _devices(id_, each))
    problem = ""
    if len({each.id for each in devices}) < len(devices):
        problem = "invalid"
    if len(current) != current[0].spec.pool.resourceSliceCount:
        problem = "being updated"
    counters = {
        CounterId(shared.name, name): parse(counter.value)
        for each in current
        for shared in each.spec.sharedCounters
        for name, counter in shared.counters.items()
    }
    return Pool(id_, problem, devices, counters)


def _devices(id_: PoolId, slice_: ResourceSlice) -> Iterator[Device]:
    spec = slice_.spec
    for each in spec.devices:
        where = each if spec.perDeviceNodeSelection else spec
        yield Device(
            DeviceId(id_.driver, id_.pool, each.name),
            Place(where.nodeName, where.nodeSelector),
            each.attributes,
            {name: capacity.value for name, capacity in each.capacity.items()},
            tuple(each.taints),
            _consumed(each),
            bool(each.bindingConditions),
        )


def _consumed(device: DeviceSpec) -> dict[CounterId, Fraction]:
    return {
        CounterId(each.counterSet, name): _amount(counter)
        for each in device.consumesCounters
        for name, counter in each.counters.items()
    }


def _amount(counter: Counter) -> Fraction:
    return parse(counter.value)
