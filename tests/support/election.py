"""An election in virtual time: candidates over a real registry, each with a connection and a clock of its own."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

from machinery.client.leader import LeaderElector
from machinery.model.clock import Timescale
from machinery.model.errors import Unavailable
from machinery.model.k8s.coordination_v1 import Lease
from machinery.model.profile import ProfileName, intervals
from machinery.model.resources import LEASES
from tests.support.scripted_api import Hook, LocalRegistry, ScriptedApi
from tests.support.virtual_clock import TimerClock, VirtualClock, VirtualTimer

AT_ONCE_S = 0.02  # more than the requests of a takeover take
_TRAVEL_S = 0.002  # of a request


class SkewedClock(TimerClock):
    """A machine's own: as fast as the others, but it shows another time of day; while frozen nothing is due on it."""

    def __init__(self, clock: VirtualClock, skew_s: float) -> None:
        self._clock = clock
        self._skew_s = skew_s
        self._frozen = False
        self._held: list[VirtualTimer] = []

    @property
    def timescale(self) -> Timescale:
        """One to one."""
        return self._clock.timescale

    def now(self) -> float:
        """Return what this machine takes for the time of day."""
        return self._clock.now() + self._skew_s

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        return self._clock.monotonic()

    def call_later(self, within_s: float, callback: Callable[..., object], *args: Any) -> VirtualTimer:
        """Call a function in so many virtual seconds, and not before it is thawed."""
        call = partial(callback, *args)
        timer = self._clock.call_later(within_s, lambda: self._call(timer, call))
        return timer

    def freeze(self) -> None:
        """Hold back all that is due."""
        self._frozen = True

    def thaw(self) -> None:
        """Release all that was due meanwhile."""
        self._frozen = False
        held, self._held = self._held, []
        for timer in held:
            timer.fire()

    def _call(self, timer: VirtualTimer, call: Callable[[], object]) -> None:
        if self._frozen:
            timer.callback = call
            self._held.append(timer)
        else:
            call()


class Election:
    """Who stands for the lease `lock`, and who leads. Candidates take the intervals of `profile`, and that `jitter`."""

    def __init__(self, clock: VirtualClock, server: LocalRegistry) -> None:
        self.clock = clock
        self.server = server
        self.profile: ProfileName = "default"
        self.jitter = 0.0
        self.at_work: set[str] = set()
        self.most = 0
        self.began_s: dict[str, float] = {}
        self.apis: dict[str, ScriptedApi] = {}
        self.clocks: dict[str, SkewedClock] = {}
        self.electors: dict[str, LeaderElector] = {}

    @property
    def leading(self) -> set[str]:
        """Return who may act now."""
        return {name for name in self.at_work if self.electors[name].is_leading}

    @property
    def lease_s(self) -> float:
        """Return the lease duration."""
        return intervals(self.profile).leader_lease_s

    @property
    def longest_poll_s(self) -> float:
        """Return the retry period with all its jitter."""
        return intervals(self.profile).leader_retry_s * 2.2

    def candidate(self, name: str, *, skew_s: float = 0, past: str = "") -> asyncio.Task[None]:
        """Start a candidate whose requests take a moment; `past` is whom it knows as its own earlier life."""
        row = intervals(self.profile)
        self.apis[name] = self.server.api(name)
        self.apis[name].before_call = self._travel
        self.clocks[name] = SkewedClock(self.clock, skew_s)
        self.electors[name] = LeaderElector(
            self.apis[name],
            namespace="kube-system",
            name="lock",
            identity=name,
            clock=self.clocks[name],
            lease_duration_s=row.leader_lease_s,
            renew_deadline_s=row.leader_renew_deadline_s,
            retry_period_s=row.leader_retry_s,
            jitter=lambda: self.jitter,
            is_own_past=lambda holder: holder == past,
        )
        return asyncio.ensure_future(self.electors[name].run(lambda: self.lead(name)))

    async def leader_and_standby(self) -> tuple[asyncio.Task[None], asyncio.Task[None]]:
        """Make "a" the leader and then "b" a candidate; nothing of what "b" does has happened yet."""
        first = self.candidate("a")
        await self.clock.advance(5)
        return first, self.candidate("b")

    async def lead(self, name: str) -> None:
        """Lead until cancelled."""
        self.began_s[name] = self.clock.now()
        self.at_work.add(name)
        self.most = max(self.most, len(self.leading))
        try:
            await asyncio.Event().wait()
        finally:
            self.at_work.discard(name)

    async def crash(self, name: str, task: asyncio.Task[None]) -> None:
        """SIGKILL: nothing that it tries from here on has an effect."""
        self.apis[name].before_call = failing(Unavailable("it is dead"))
        await finish(task)

    async def lease(self) -> Lease:
        """Read the lease."""
        return await self.server.user.get(LEASES, "lock", namespace="kube-system")

    async def renewed_s(self) -> float:
        """Return when the lease was written last, by the clock of its writer."""
        return self.clock.timescale.parse((await self.lease()).spec.renewTime or "")

    async def waited_s(self, name: str, lease_renewed_s: float) -> float:
        """Return how long after the last renewal a candidate began to lead, which it does by and by."""
        for _ in range(10):
            await self.clock.advance(self.lease_s)
            if name in self.leading:
                break
        return self.began_s[name] - lease_renewed_s

    async def _travel(self, _verb: str, _plural: str, _name: str) -> None:
        await self.clock.sleep(_TRAVEL_S)


async def finish(*tasks: asyncio.Task[None]) -> None:
    """End processes cleanly."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def failing(error: Exception, *verbs: str) -> Hook:
    """Return a hook that lets calls fail: all of them, or some verbs."""

    async def fail(verb: str, _plural: str, _name: str) -> None:
        if not verbs or verb in verbs:
            raise error

    return fail


def calls_of(api: ScriptedApi) -> Counter[str]:
    """Count a client's calls by their verbs."""
    return Counter(verb for verb, *_ in api.calls)
