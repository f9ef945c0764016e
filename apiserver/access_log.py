"""The access log: one line for each request that a door has answered, at level info.

    time=… level=info component=apiserver event=request door=rest verb=get path=/api/v1/namespaces/d/pods/web code=200
    user=kubernetes-admin latency_ms=1.8 agent="kubectl/v1.36.0"

It is off unless the apiserver is told --access-log: writing a line costs a fifth of what a GET costs. Where it is off, the doors
are those that know nothing of it. A stream (watch, log, exec) has its line when it ends. Queries are left out, since
those of exec hold what is typed into a container.
"""

from __future__ import annotations

from machinery.model.clock import Clock
from machinery.model.log import EventLog

GONE = 0  # the code of a request whose caller did not wait for an answer


class AccessLog:
    """Writes the lines of both doors."""

    def __init__(self, log: EventLog, clock: Clock) -> None:
        self._log = log
        self._clock = clock

    def now(self) -> float:
        """Return when a request begins, for `write`."""
        return self._clock.monotonic()

    def write(
        self, door: str, verb: str, path: str, *, code: int, user: str, begun: float, agent: str
    ) -> None:
        """Write the line of a request that is over; `begun` is what `now` returned."""
        took_s = self._clock.timescale.wall(self._clock.monotonic() - begun)
        self._log.info(
            "request",
            door=door,
            verb=verb,
            path=path,
            code=code,
            user=user,
            latency_ms=round(took_s * 1000, 3),
            agent=agent,
        )
