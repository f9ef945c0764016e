"""Addresses and node ports of Services: claims in the store, made before the Service is written.

A claim is created before the Service that holds it, and deleted after it. So a process that dies in between, or a
write whose outcome nobody knows, leaves a claim without a Service and never a Service without a claim. `repair`
deletes such claims when it has seen them twice, unchanged, and says so.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Final

from apiserver import objects
from apiserver.core import service_claims as rules
from apiserver.core.service_claims import NODE_PORTS, Range
from apiserver.core.service_families import family_of
from apiserver.core.values import Json, metadata, spec
from apiserver.storage.interface import Storage, Stored, Written
from apiserver.watch_cache_feed import Feed
from machinery.model.clock import Clock
from machinery.model.errors import ApiError
from machinery.model.k8s import served
from machinery.model.log import SILENT, EventLog

TRIES: Final = 16  # random ones, before the whole range is looked through
REPAIR_PERIOD_S: Final = 180.0  # wall seconds
FIRST_REPAIR_S: Final = 20.0  # wall seconds after the start; longer than any write of another apiserver takes


@dataclass(frozen=True, slots=True)
class Claims:
    """What a write of a Service took, and what it no longer needs."""

    obj: Json
    taken: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    allocator: Allocator | None = None

    async def keep(self) -> None:
        """The write happened: let go of what the Service held before and does not hold now."""
        if self.allocator:
            await self.allocator.release(self.left, self.obj)

    async def drop(self) -> None:
        """The write did not happen: give back what was taken for it."""
        if self.allocator:
            await self.allocator.release(self.taken, self.obj)


NOTHING_CLAIMED: Final = Claims({})


class Allocator:
    """Makes, releases and repairs the claims."""

    def __init__(
        self, storage: Storage, services_prefix: str, cidr: str, clock: Clock, *, rng: random.Random | None = None, log: EventLog = SILENT, cidrs: Callable[[], Iterable[Json]] = tuple
    ) -> None:  # fmt: skip
        """Make an allocator of a range, or of one of each family with a comma, the cluster's first one first.

        `cidrs` returns the ServiceCIDRs that there are, for addresses beyond them.
        """
        ranges = [Range.of(each) for each in cidr.split(",")]
        self.ranges = {each.family: each for each in ranges}
        self.range = ranges[0]
        self._cidrs = cidrs
        self._storage = storage
        self._services_prefix = services_prefix
        self._clock = clock
        self._random = rng or random.Random()  # noqa: S311 - an address is no secret
        self._log = log

    async def claim(self, new: Json, old: Json | None, *, dry_run: bool = False) -> Claims:
        """Return the Service with everything that it needs; `new` is prepared, and not checked yet.

        Raises:
            Invalid: what it asks for by name is wrong, taken or out of range, or nothing is left.
        """
        rules.refuse_misnamed(new, old, tuple(self.ranges))
        before = rules.held(old)
        new = rules.with_shared_node_ports(new) if old is None else new
        taken: list[str] = []
        try:
            obj = await self._claim_named(new, before, taken, dry_run=dry_run)
            obj = await self._claim_missing(obj, taken, is_new=old is None, dry_run=dry_run)
        except ApiError:
            await self.release(taken, new)
            raise
        left = () if dry_run else tuple(before - rules.held(obj))
        return Claims(obj, tuple(taken), left, self)

    def released(self, obj: Json) -> Claims:
        """Return what a Service that goes no longer needs."""
        return Claims(obj, (), tuple(rules.held(obj)), self)

    async def release(self, keys: Iterable[str], obj: Json) -> None:
        """Release claims, if they are this Service's; what fails now is repaired later."""
        uid = metadata(obj).get("uid", "")
        for key in keys:
            try:
                stored = await self._storage.get(key)
                if stored and rules.holder(stored.value) == uid:
                    await self._storage.delete(key, stored.revision)
            except ApiError as error:
                self._log.warning("claim_not_released", claim=key, error=error)

    async def repair_forever(self) -> None:
        """Repair soon after the start, and every few minutes."""
        suspects: dict[str, int] = {}
        pause_s = FIRST_REPAIR_S
        while True:
            try:
                suspects = await self.repair(suspects)
            except ApiError as error:
                self._log.warning("claims_not_repaired", error=error)
            await self._clock.sleep_wall(pause_s)
            pause_s = REPAIR_PERIOD_S if not suspects else FIRST_REPAIR_S

    async def repair(self, suspects: dict[str, int]) -> dict[str, int]:
        """Restore the claims of every Service, and delete those that had no Service last time and have none now.

        `suspects` is what the last call gave: claims without a Service, by their revision.
        """
        claims = [
            *(await self._storage.list(rules.ADDRESS_PREFIX)).items,
            *(await self._storage.list(rules.PORT_PREFIX)).items,
        ]
        services = (await self._storage.list(f"{self._services_prefix}/")).items
        holding = {key: obj for obj in map(_read, services) for key in rules.held(obj)}
        for key in holding.keys() - {claim.key for claim in claims}:
            if await self._try(key, holding[key]):  # else it was made after we looked
                self._log.warning("claim_restored", claim=key)
        orphans = {claim.key: claim.revision for claim in claims if claim.key not in holding}
        for key, revision in orphans.items():
            if suspects.get(key) == revision and isinstance(
                await self._storage.delete(key, revision), Written
            ):
                self._log.warning("claim_without_service_deleted", claim=key)
        return {key: revision for key, revision in orphans.items() if suspects.get(key) != revision}

    async def _claim_named(self, new: Json, before: set[str], taken: list[str], *, dry_run: bool) -> Json:
        """Claim what the Service names."""
        owner = (metadata(new).get("namespace", ""), metadata(new).get("name", ""))
        for key in sorted(rules.held(new) - before):
            text = key.rpartition("/")[2]
            if key.startswith(rules.ADDRESS_PREFIX):
                problem = self._problem(text, owner)
                if problem or not await self._take(key, new, taken, dry_run=dry_run):
                    raise rules.refuse_address(new, text, problem or "provided IP is already allocated")
            else:
                problem = rules.port_problem(int(text))
                if problem or not await self._take(key, new, taken, dry_run=dry_run):
                    raise rules.refuse_port(new, int(text), problem or "provided port is already allocated")
        return new

    async def _claim_missing(self, obj: Json, taken: list[str], *, is_new: bool, dry_run: bool) -> Json:
        """Claim what the Service leaves to the cluster."""
        for family in rules.families_without(obj):
            key = await self._any_address(family, obj, taken, dry_run=dry_run)
            if not key:
                raise rules.is_full(obj, "spec.clusterIPs", "serviceIP")
            obj = rules.with_address(obj, key.rpartition("/")[2])
        found: dict[object, int] = {}
        numbers: dict[int, int] = {}
        for index in rules.ports_without(obj):
            of = (
                spec(obj)["ports"][index].get("port") if is_new else index
            )  # ports of one number have one node port
            if of not in found:
                path = f"spec.ports[{index}].nodePort"
                found[of] = await self._any_port(obj, taken, path, "nodePort", dry_run=dry_run)
            numbers[index] = found[of]
        obj = rules.with_node_ports(obj, numbers) if numbers else obj
        if rules.needs_health_check_port(obj):
            path, what = "spec.healthCheckNodePort", "HealthCheck NodePort"
            number = await self._any_port(obj, taken, path, what, dry_run=dry_run)
            obj = rules.with_health_check_port(obj, number)
        return obj

    async def _any_port(self, obj: Json, taken: list[str], path: str, what: str, *, dry_run: bool) -> int:
        """Claim any node port for a field."""
        key = await self._any(self._draw_port, _every_port, _port_key, obj, taken, dry_run=dry_run)
        if not key:
            raise rules.is_full(obj, path, what)
        return int(key.rpartition("/")[2])

    def _problem(self, address: str, owner: tuple[str, str]) -> str:
        own = self.ranges.get(family_of(address), self.range)
        problem = own.problem(address, owner)
        others = self._others(own.family) if problem and not own.holds(address) else ()
        return "" if any(each.holds(address) for each in others) else problem

    def _others(self, family: str) -> list[Range]:
        found = [each for cidr in self._cidrs() for each in rules.ranges_of(cidr)]
        return [each for each in found if each.family == family and each != self.ranges.get(family)]

    async def _any_address(self, family: str, obj: Json, taken: list[str], *, dry_run: bool) -> str:
        """Claim any address, of the cluster's own range before those of ServiceCIDRs; return its key."""
        key = ""
        for range_ in (self.ranges[family], *self._others(family)):
            key = key or await self._any_of(range_, obj, taken, dry_run=dry_run)
        return key

    async def _any_of(self, range_: Range, obj: Json, taken: list[str], *, dry_run: bool) -> str:
        free = partial(range_.draw, self._random.randrange)
        return await self._any(free, range_.every, rules.address_key, obj, taken, dry_run=dry_run)

    def _draw_port(self) -> str:
        return str(self._random.choice(NODE_PORTS))

    async def _any(
        self,
        draw: Callable[[], str],
        every: Callable[[], Iterable[str]],
        key_of: Callable[[str], str],
        obj: Json,
        taken: list[str],
        *,
        dry_run: bool,
    ) -> str:
        """Claim any one: some at random, then, in a crowded range, every one that looks free. Return its key."""
        for _ in range(TRIES):
            key = key_of(draw())
            if await self._take(key, obj, taken, dry_run=dry_run):
                return key
        prefix = key_of("")
        known = {claim.key for claim in (await self._storage.list(prefix)).items}
        for key in (key_of(each) for each in every()):
            if key not in known and await self._take(key, obj, taken, dry_run=dry_run):
                return key
        return ""

    async def _take(self, key: str, obj: Json, taken: list[str], *, dry_run: bool) -> bool:
        if dry_run:
            return await self._storage.get(key) is None
        if not await self._try(key, obj):
            return False
        taken.append(key)
        return True

    async def _try(self, key: str, obj: Json) -> bool:
        now = self._clock.timescale.format(self._clock.now())
        return isinstance(await self._storage.create(key, rules.claim_of(key, obj, now)), Written)


def cidrs_of(feed: Feed) -> Callable[[], Iterable[Json]]:
    """Return what returns the ServiceCIDRs that there are."""
    return lambda: (objects.decode(each.json) for each in feed.cache(served.SERVICE_CIDRS).every())


def _every_port() -> list[str]:
    return [str(port) for port in NODE_PORTS]


def _port_key(text: str) -> str:
    return rules.PORT_PREFIX + text


def _read(stored: Stored) -> Json:
    return objects.decode(stored.value)
