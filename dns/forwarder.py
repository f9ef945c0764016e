"""Questions that others answer: who is asked in which order, how many at once, and what is told again without asking.

Those who ask the same at the same time share one question. A server that is silent or cannot help is followed by the next
one; the silent are asked last for a while.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from dns.core.messages import Said
from dns.core.records import Code
from dns.core.upstream import Remembered, Server, Upstream, by_health
from machinery.model.clock import Clock
from machinery.model.log import EventLog
from machinery.process.metrics import Counter

AVOIDED_S: Final = 10.0  # wall seconds after a silence
_USEFUL: Final = frozenset({Code.NOERROR, Code.NXDOMAIN})
Exchange = Callable[[Server, str, int], Awaitable[Said | None]]


class Forwarder:
    """Asks other servers."""

    def __init__(
        self,
        upstream: Upstream,
        exchange: Exchange,
        remembered: Remembered,
        *,
        tasks: asyncio.TaskGroup,
        clock: Clock,
        log: EventLog,
        timeout_s: float,
        most: int,
        failures: Counter,
    ) -> None:
        self._upstream = upstream
        self._exchange = exchange
        self._remembered = remembered
        self._tasks = tasks
        self._clock = clock
        self._log = log
        self._timeout_s = timeout_s  # wall seconds, of one server
        self._most = most
        self._failures = failures
        self._asking: dict[tuple[str, int], asyncio.Task[Said | Code]] = {}
        self._silent_until_s: dict[Server, float] = {}

    def use(self, upstream: Upstream) -> None:
        """Ask others from now on; what the ones before said is forgotten."""
        self._upstream = upstream
        self._remembered.clear()

    def known(self, name: str, kind: int) -> Said | None:
        """Return what was said of a name not long ago."""
        return self._remembered.get(name, kind, self._clock.monotonic_wall())

    async def ask(self, name: str, kind: int) -> Said | Code:
        """Return what others say of a name, or with which code we have to answer ourselves."""
        asking = self._asking.get((name, kind))
        if asking is None:
            if len(self._asking) >= self._most or not self._upstream.of(name):
                return Code.REFUSED
            asking = self._tasks.create_task(self._ask(name, kind), name=f"ask-{name}")
            self._asking[name, kind] = asking
            asking.add_done_callback(lambda _: self._asking.pop((name, kind), None))
        return await asyncio.shield(asking)  # whoever leaves, leaves the others their answer

    async def _ask(self, name: str, kind: int) -> Said | Code:
        last: Said | None = None
        for server in by_health(self._upstream.of(name), self._silent_until_s, self._clock.monotonic_wall()):
            said = await self._ask_one(server, name, kind)
            if said is not None and said.code in _USEFUL:
                self._remembered.put(name, kind, said, self._clock.monotonic_wall())
                return said
            last = said or last
        return last or Code.SERVFAIL

    async def _ask_one(self, server: Server, name: str, kind: int) -> Said | None:
        try:
            async with self._clock.timeout_wall(self._timeout_s):
                said = await self._exchange(server, name, kind)
        except (TimeoutError, OSError) as error:
            self._note_silence(server, error)
            return None
        self._silent_until_s.pop(server, None)
        return said

    def _note_silence(self, server: Server, error: Exception) -> None:
        now_s = self._clock.monotonic_wall()
        self._failures.add(1, f"{server.host}:{server.port}")
        if self._silent_until_s.get(server, 0.0) <= now_s:
            why = str(error) or f"silent for {self._timeout_s:g} s"
            self._log.warning("upstream_failed", server=f"{server.host}:{server.port}", error=why)
        self._silent_until_s[server] = now_s + AVOIDED_S
