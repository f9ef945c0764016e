"""Leader election over a Lease, with client-go's semantics.

Nobody compares timestamps: a candidate takes a lease over when it has *seen* no change of it for the whole lease
duration, by its own monotonic clock. The leader writes nothing more when it could not renew for `renew_deadline_s`,
counted from before the request that last succeeded. As the deadline is shorter than the duration, the old leader
has stopped before another one can begin, whatever the clocks show, as long as they run equally fast.

Where client-go's leader ends its process then, here it is only in doubt: what leads goes on to see and think, and its
writes wait (`held`). If it can renew after all, and nobody else has held the lease since, it goes on where it was: a machine
that is too busy, or an apiserver that is away, costs no new start. Otherwise the leadership is lost.

Where client-go polls, a candidate here watches the lease: it sees each renewal when it is written, and so takes the
lease over when the holder's duration is over, and at once when it is released. It asks before it writes, whatever
the watch said. Where it cannot watch, it polls as client-go does. Candidates that come at the same moment are told
apart by the resourceVersion: one writes, each other has a 409 and waits for the winner's lease to run out.

A renewal is one request: the lease is written over the version that was written last. It is read again only where that
is not what the server has, or where nobody knows. A lease that an earlier life of the same instance holds is taken at once.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import msgspec

from machinery.client.api import Api
from machinery.client.lease_watch import LeaseWatch
from machinery.client.waiting import event_within
from machinery.model.clock import Clock
from machinery.model.errors import ApiError, Conflict, Deposed, NotFound, OutcomeUnknown
from machinery.model.k8s.coordination_v1 import Lease, LeaseSpec
from machinery.model.k8s.meta_v1 import ObjectMeta
from machinery.model.log import SILENT, EventLog
from machinery.model.profile import Intervals
from machinery.model.requests import Fence
from machinery.model.resources import LEASES

COMPONENT_LEASES: Final = "kube-system"  # the namespace of the components' leases
_JITTER_FACTOR: Final = 1.2  # of the retry period while polling for the lease: candidates come one by one
_AGAIN_SHARE: Final = 1 / 4  # of the retry period: so soon after a renewal that failed another one is tried
_BUDGET_SHARE: Final = 1 / 2  # of the time that is left to renew: the longest that one request may take of it
_SILENT_SHARE: Final = 1 / 3  # of the lease duration: a watch that is silent for so long is not relied on
_RELEASE_TIMEOUT_S: Final = 2.0  # wall seconds; a lease that is not released expires


class LeadershipLost(Exception):  # noqa: N818 - it says what happened
    """Somebody else holds the lease, or has held it. The process ends and starts afresh."""


@dataclass(slots=True)
class _Observed:
    spec: LeaseSpec
    at_s: float  # monotonic


class LeaderElector:
    """One candidate for one lease.

    Raises:
        ValueError: the intervals are not in order.
    """

    def __init__(
        self,
        api: Api,
        *,
        namespace: str,
        name: str,
        identity: str,
        clock: Clock,
        lease_duration_s: float = 15,
        renew_deadline_s: float = 10,
        retry_period_s: float = 2,
        jitter: Callable[[], float] = random.random,
        is_own_past: Callable[[str], bool] = lambda _holder: False,
        log: EventLog = SILENT,
    ) -> None:
        if not lease_duration_s > renew_deadline_s > retry_period_s * _JITTER_FACTOR:
            raise ValueError("a leader needs lease duration > renew deadline > 1.2 x retry period")
        self._api = api
        self._namespace = namespace
        self._name = name
        self.identity = identity
        self._clock = clock
        self._lease_duration_s = lease_duration_s
        self._renew_deadline_s = renew_deadline_s
        self._retry_period_s = retry_period_s
        self._jitter = jitter
        self._is_own_past = is_own_past
        self._log = log
        self._observed: _Observed | None = None
        self._lease: Lease | None = None  # as last read or written
        self._held: Lease | None = (
            None  # as we last wrote it, while nobody else is known to have written it since
        )
        self._fence: Fence | None = None  # of the lease as we last wrote it
        self._renewed_s = float("-inf")  # monotonic, before the request that last succeeded
        self._renewal = asyncio.Event()  # the next one
        self._watch = LeaseWatch(api, see=self._see, retry_period_s=retry_period_s, clock=clock, log=log)

    @property
    def is_leading(self) -> bool:
        """Whether this candidate may act now: it holds the lease and renewed it in time."""
        return self._clock.monotonic() < self._deadline_s

    async def held(self) -> None:
        """Wait until this candidate may act: not at all, as long as it renews in time."""
        while not self.is_leading:
            await self._renewal.wait()

    def fence(self) -> Fence:
        """Return what a write carries, so that the store refuses it once the lease is held otherwise than now.

        It stays what it was after the leadership is lost: that is what the store refuses.

        Raises:
            Deposed: this candidate has not led yet.
        """
        if self._fence is None:
            raise Deposed(f"{self.identity} does not hold the lease {self._namespace}/{self._name}")
        return self._fence

    async def run(self, lead: Callable[[], Awaitable[None]]) -> None:
        """Wait for the lease, then run `lead()` while holding it; returns when `lead()` does.

        On the way out, cancelled or not, `lead()` has ended before the lease is released.

        Raises:
            LeadershipLost: somebody else holds the lease, or has held it; `lead()` has been cancelled.
        """
        await self._acquire()
        self._log.info("leading", lease=self._name, identity=self.identity)
        try:
            await self._lead(lead)
        finally:
            if self.is_leading:
                await self._release()
            self._renewed_s = float("-inf")

    async def _acquire(self) -> None:
        while not await self._try():
            await self._stand_by()

    async def _stand_by(self) -> None:
        """Wait until the next try is worth its requests."""
        poll_s = self._clock.monotonic() + self._retry_period_s * (1 + self._jitter() * _JITTER_FACTOR)
        async with asyncio.TaskGroup() as tasks:
            watching = tasks.create_task(self._follow())
            await self._wait(poll_s)
            watching.cancel()

    async def _follow(self) -> None:
        if self._lease is not None:
            await self._watch.follow(self._lease)

    async def _wait(self, poll_s: float) -> None:
        """Return when the watch says that the lease is to be had, or when it is time to ask."""
        tried, news = self._observed, self._watch.news
        while await event_within(news, self._clock, self._due_s(poll_s) - self._clock.monotonic()):
            news.clear()
            if self._observed is not tried and not self._is_taken():
                return

    def _due_s(self, poll_s: float) -> float:
        """Return the moment to ask: when the lease expires, or earlier where nobody would tell of a change."""
        if self._observed is None or not self._is_taken():
            return poll_s
        told_s = self._watch.told_s
        look_s = poll_s if told_s is None else told_s + self._duration_s(self._observed.spec) * _SILENT_SHARE
        return min(look_s, self._expires_s(self._observed))

    async def _lead(self, lead: Callable[[], Awaitable[None]]) -> None:
        leading = asyncio.ensure_future(lead())
        keeping = [
            asyncio.ensure_future(self._keep_renewing()),
            asyncio.ensure_future(self._say_doubts()),
        ]
        try:
            await asyncio.wait([leading, *keeping], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (leading, *keeping):
                task.cancel()
            await asyncio.gather(leading, *keeping, return_exceptions=True)
        if not leading.cancelled():
            leading.result()
            return
        self._log.error("leadership_lost", lease=self._name, identity=self.identity)
        raise LeadershipLost(f"{self.identity} could not keep the lease {self._namespace}/{self._name}")

    async def _keep_renewing(self) -> None:
        """Renew again and again; returns when somebody else holds the lease, or may have held it."""
        renewed = True
        while True:
            await self._clock.sleep(self._retry_period_s * (1 if renewed else _AGAIN_SHARE))
            deadline_s, tenure = self._deadline_s, self._fence
            renewed = await self._try()
            if not renewed and self._held_by_another():
                return
            if renewed and self._fence != tenure and self._clock.monotonic() >= deadline_s:
                return

    async def _say_doubts(self) -> None:
        """Log when the deadline has passed without a renewal, also if a request hangs, and when that is over."""
        while True:
            await self._clock.sleep(max(0.0, self._deadline_s - self._clock.monotonic()))
            if self.is_leading:
                continue
            self._log.warning("leadership_in_doubt", lease=self._name, identity=self.identity)
            await self.held()
            self._log.info("leadership_kept", lease=self._name, identity=self.identity)

    async def _try(self) -> bool:
        """Acquire or renew once; return whether we hold the lease now."""
        begun_s = self._clock.monotonic()
        try:
            held = await self._acquire_or_renew()
        except ApiError as error:
            write = self._log.debug if isinstance(error, Conflict) else self._log.warning
            write("lease_not_written", lease=self._name, identity=self.identity, error=error)
            return False
        if held:
            self._renewed_s = begun_s
            self._renewal.set()
            self._renewal = asyncio.Event()
        return held

    async def _acquire_or_renew(self) -> bool:
        return await self._renew() or await self._acquire_once()

    async def _renew(self) -> bool:
        """Write the lease over what we wrote last; return whether that was possible.

        Raises:
            ApiError: nobody knows, or the server could not do it.
        """
        held, self._held = self._held, None
        if held is None:
            return False
        try:
            self._hold(await self._write(held))
        except (Conflict, NotFound):  # it is not what we wrote any more: read it
            return False
        except OutcomeUnknown:
            raise
        except ApiError:  # refused as it stands: it was not written
            self._held = held
            raise
        return True

    async def _write(self, current: Lease) -> Lease:
        wanted = msgspec.structs.replace(current, spec=self._spec(current.spec))
        return await self._api.update(LEASES, wanted, timeout_s=self._timeout_s())

    async def _acquire_once(self) -> bool:
        try:
            current = await self._api.get(
                LEASES, self._name, namespace=self._namespace, timeout_s=self._timeout_s()
            )
        except NotFound:
            if self._is_taken():
                return False  # whoever deleted it has not stopped the holder, who will create it anew
            meta = ObjectMeta(name=self._name, namespace=self._namespace)
            fresh = Lease(metadata=meta, spec=self._spec(LeaseSpec()))
            self._hold(await self._api.create(LEASES, fresh, timeout_s=self._timeout_s()))
            return True
        self._see(current)
        if self._is_taken():
            return False
        self._hold(await self._write(current))
        return True

    def _hold(self, lease: Lease) -> None:
        """Note what a successful write answered."""
        self._see(lease)
        self._held = lease
        transitions = lease.spec.leaseTransitions or 0
        self._fence = Fence(
            self._namespace, self._name, lease.metadata.uid, self.identity, transitions=transitions
        )

    def _see(self, lease: Lease) -> None:
        self._lease = lease
        if self._observed is None or self._observed.spec != lease.spec:
            self._observed = _Observed(lease.spec, self._clock.monotonic())

    def _held_by_another(self) -> bool:
        return self._observed is not None and self._observed.spec.holderIdentity not in {"", self.identity}

    def _is_taken(self) -> bool:
        """Whether another one may be leading, for all that was seen."""
        if self._observed is None or not self._held_by_another():
            return False
        if self._is_own_past(self._observed.spec.holderIdentity):
            return False
        return self._clock.monotonic() < self._expires_s(self._observed)

    @property
    def _deadline_s(self) -> float:
        return self._renewed_s + self._renew_deadline_s

    def _expires_s(self, observed: _Observed) -> float:
        return observed.at_s + self._duration_s(observed.spec)

    def _duration_s(self, spec: LeaseSpec) -> float:
        return spec.leaseDurationSeconds or self._lease_duration_s

    def _spec(self, old: LeaseSpec) -> LeaseSpec:
        now = self._now()
        ours = old.holderIdentity == self.identity
        first = not old.renewTime
        transitions = (old.leaseTransitions or 0) + (0 if ours or first else 1)
        return msgspec.structs.replace(
            old,
            holderIdentity=self.identity,
            leaseDurationSeconds=max(1, round(self._lease_duration_s)),
            acquireTime=old.acquireTime if ours else now,
            renewTime=now,
            leaseTransitions=transitions,
        )

    async def _release(self) -> None:
        """Release the lease, so that the next candidate begins at once; failing to is no harm, the lease expires."""
        if self._lease is None:
            return
        now = self._now()
        spec = msgspec.structs.replace(
            self._lease.spec, holderIdentity="", leaseDurationSeconds=1, renewTime=now, acquireTime=now
        )
        try:
            wanted = msgspec.structs.replace(self._lease, spec=spec)
            await self._api.update(LEASES, wanted, timeout_s=_RELEASE_TIMEOUT_S)
        except ApiError as error:
            self._log.warning("lease_not_released", lease=self._name, error=error)

    def _now(self) -> str:
        return self._clock.timescale.format_micro(self._clock.now())

    def _timeout_s(self) -> float:
        """Return how long a request may take: of a leader's time a share, so that another one can follow it."""
        left_s = self._renew_deadline_s
        if self.is_leading:
            left_s = (self._deadline_s - self._clock.monotonic()) * _BUDGET_SHARE
        return max(0.25, self._clock.timescale.wall(left_s))  # at least a little, on a fast clock


def component_candidate(
    api: Api,
    lease: str,
    *,
    identity: str,
    clock: Clock,
    table: Intervals,
    log: EventLog,
    is_own_past: Callable[[str], bool] = lambda _holder: False,
) -> LeaderElector:
    """Return a component's candidate for its lease in `kube-system`, with the intervals of the cluster's profile.

    `is_own_past` says of a holder whether it was an earlier life of the same instance, which has ended.
    """
    return LeaderElector(
        api,
        namespace=COMPONENT_LEASES,
        name=lease,
        identity=identity,
        clock=clock,
        lease_duration_s=table.leader_lease_s,
        renew_deadline_s=table.leader_renew_deadline_s,
        retry_period_s=table.leader_retry_s,
        is_own_past=is_own_past,
        log=log,
    )
