"""The search for devices: those for all claims of a pod, on one node.

Claims are gone through in their order, in each claim its requests, in each request its alternatives, in each of these the
devices that may be had, in the order of pools and slices. The first choice with which all the rest works is taken. Devices of one request
are as good as each other: a set of them is tried once, whatever the order.

    claim ─▶ request ─▶ alternative ─▶ device ─▶ … ─▶ all have theirs: found
                 ▲             ▲          │ the rest does not work
                 └─────────────┴──────────┘
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Final, NamedTuple

from machinery.model.device_claims import MOST_ALLOCATED
from machinery.model.k8s.resource_v1 import DeviceTaint, DeviceToleration
from scheduler.core.devices.asking import Asked, Asking, Constraint
from scheduler.core.devices.pools import CounterId, Device, DeviceId, NodePool, Pool, PoolId

MOST_STEPS: Final = 10_000  # devices that are tried for one node: about 50 ms
STEPS_IN_A_SECOND: Final = 200_000
TIMED_OUT: Final = "timed out trying to allocate devices"
_BARRING: Final = frozenset({"NoSchedule", "NoExecute"})


class AllocationError(Exception):
    """What a claim asks for cannot be looked for."""


class Given(NamedTuple):
    """A device that is given to a request, or to one of its alternatives."""

    asked: Asked
    device: Device


@dataclass(frozen=True, slots=True)
class Supply:
    """What there is on one node, and how it is judged."""

    pools: Sequence[NodePool]
    taken: Container[DeviceId]
    selects: Callable[[Asked, Device], bool]  # by the class and the request; raises AllocationError
    most_steps: int = MOST_STEPS  # devices that are tried


def allocate(claims: Sequence[Asking], supply: Supply) -> list[list[Given]] | None:
    """Return the devices of each claim; None where they cannot all be had.

    Raises:
        AllocationError: a claim asks for what cannot be looked for.
    """
    search = _Search(claims, supply)
    return search.given if search.fill(0, 0) else None


@dataclass(slots=True)
class _Search:
    claims: Sequence[Asking]
    supply: Supply
    given: list[list[Given]] = field(default_factory=list)
    _used: dict[DeviceId, set[int]] = field(default_factory=dict)  # the claims that it is given to, by now
    _consumed: dict[PoolId, dict[CounterId, Fraction]] = field(default_factory=dict)
    _candidates: dict[tuple[int, str], list[tuple[Pool, Device]]] = field(default_factory=dict)
    _steps: int = 0

    def fill(self, claim: int, request: int) -> bool:
        """Fill a request and all that come after it."""
        if claim == len(self.claims):
            return True
        if len(self.given) == claim:
            self.given.append([])
        requests = self.claims[claim].requests
        if request == len(requests):
            if self.fill(claim + 1, 0):
                return True
            del self.given[claim + 1 :]
            return False
        return any(self._fill_with(claim, request, asked) for asked in requests[request].alternatives)

    def _fill_with(self, claim: int, request: int, asked: Asked) -> bool:
        candidates = self._candidates_for(claim, asked)
        count = len(candidates) if asked.count is None else asked.count
        if not count or len(candidates) < count or len(self.given[claim]) + count > MOST_ALLOCATED:
            return False
        return self._choose(claim, request, asked, candidates, 0, count)

    def _choose(
        self,
        claim: int,
        request: int,
        asked: Asked,
        candidates: list[tuple[Pool, Device]],
        start: int,
        missing: int,
    ) -> bool:
        """Choose the missing devices of a request among the candidates from `start` on, then go on."""
        if not missing:
            return self.fill(claim, request + 1)
        for index in range(start, len(candidates) - missing + 1):
            pool, device = candidates[index]
            if self._give(claim, asked, pool, device):
                if self._choose(claim, request, asked, candidates, index + 1, missing - 1):
                    return True
                self._take_back(claim, pool)
            elif asked.count is None:
                return False
        return False

    def _candidates_for(self, claim: int, asked: Asked) -> list[tuple[Pool, Device]]:
        """Return the devices that suit a request, whatever else is given."""
        key = claim, asked.name
        if key not in self._candidates:
            self._candidates[key] = self._find_candidates(asked)
        return self._candidates[key]

    def _find_candidates(self, asked: Asked) -> list[tuple[Pool, Device]]:
        where = f"request {asked.name}"
        if asked.unbuilt:
            raise AllocationError(f"{where}: {asked.unbuilt} is not built in Kubarium")
        found = []
        for pool, devices in self.supply.pools:
            if pool.problem and asked.count is None:
                text = "asks for all devices, but resource pool"
                raise AllocationError(f"{where}: {text} {pool.id} is currently {pool.problem}")
            if not pool.problem:
                found += [(pool, each) for each in devices if self._suits(asked, each)]
        return found

    def _suits(self, asked: Asked, device: Device) -> bool:
        """Whether a device is what is asked for. Of all devices those that others have are some, too: then it fails."""
        if asked.count is not None and not asked.is_admin and device.id in self.supply.taken:
            return False
        return not device.is_conditional and self.supply.selects(asked, device)

    def _give(self, claim: int, asked: Asked, pool: Pool, device: Device) -> bool:
        """Assign a device to a request, if nothing speaks against it."""
        self._steps += 1
        if self._steps > self.supply.most_steps:
            raise AllocationError(TIMED_OUT)
        if not self._is_free(claim, asked, device) or not tolerates(asked.tolerations, device.taints):
            return False
        new = Given(asked, device)
        if not all(_holds(each, self.given[claim], new) for each in self.claims[claim].constraints):
            return False
        if device.consumes and not self._consume(pool, device):
            return False
        self.given[claim].append(new)
        self._used.setdefault(device.id, set()).add(claim)
        return True

    def _is_free(self, claim: int, asked: Asked, device: Device) -> bool:
        users = self._used.get(device.id)
        if asked.is_admin:
            return not users or claim not in users
        return not users and device.id not in self.supply.taken

    def _take_back(self, claim: int, pool: Pool) -> None:
        _, device = self.given[claim].pop()
        self._used[device.id].discard(claim)
        for counter, amount in device.consumes.items():
            self._consumed[pool.id][counter] -= amount

    def _consume(self, pool: Pool, device: Device) -> bool:
        consumed = self._consumed.get(pool.id)
        if consumed is None:
            consumed = self._consumed[pool.id] = consumed_in(pool, self.supply.taken)
        if any(
            consumed.get(counter, 0) + amount > pool.counters.get(counter, 0)
            for counter, amount in device.consumes.items()
        ):
            return False
        for counter, amount in device.consumes.items():
            consumed[counter] = consumed.get(counter, Fraction(0)) + amount
        return True


def consumed_in(pool: Pool, taken: Container[DeviceId]) -> dict[CounterId, Fraction]:
    """Return what the devices of a pool consume that are taken, wherever they are."""
    consumed: dict[CounterId, Fraction] = {}
    for device in pool.devices:
        if device.consumes and device.id in taken:
            for counter, amount in device.consumes.items():
                consumed[counter] = consumed.get(counter, Fraction(0)) + amount
    return consumed


def tolerates(tolerations: Iterable[DeviceToleration], taints: Iterable[DeviceTaint]) -> bool:
    """Whether all taints of a device are tolerated that keep others from it."""
    return all(
        taint.effect not in _BARRING or any(_tolerates(each, taint) for each in tolerations)
        for taint in taints
    )


def _tolerates(toleration: DeviceToleration, taint: DeviceTaint) -> bool:
    if toleration.effect not in {"", taint.effect} or toleration.key not in {"", taint.key}:
        return False
    return toleration.operator == "Exists" or toleration.value == taint.value


def _holds(constraint: Constraint, before: Iterable[Given], new: Given) -> bool:
    """Whether a constraint still holds with one more device."""
    if not constraint.concerns(new.asked.name):
        return True
    value = new.device.attribute(constraint.attribute)
    others = (
        each.device.attribute(constraint.attribute) for each in before if constraint.concerns(each.asked.name)
    )
    if value is None:
        return False
    return all((other != value) if constraint.is_distinct else (other == value) for other in others)
