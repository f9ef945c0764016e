"""The shell of `apiserver.core.flow`: requests of both doors wait here for a seat.

The registry asks before it serves: a request is authorized and its body has come by then, so neither holds a seat.
A watch has its seat until it is established; logs and execs need none. Pages that are no resource (discovery) wait as well;
health is exempt.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Final

from apiserver.core.flow.configuration import FlowConfiguration
from apiserver.core.flow.levels import EXEMPT
from apiserver.core.flow.schemas import Asked, AskedPage, Flow
from apiserver.core.flow.seats import Arrival, Seats
from apiserver.core.flow.suggested import SUGGESTED
from apiserver.request import Request, UserInfo
from machinery.model.clock import Clock
from machinery.model.errors import TooManyRequests
from machinery.process.metrics import Metrics

current_flow: ContextVar[Flow | None] = ContextVar("flow", default=None)
"""The flow of the request that a task serves."""
WAIT_S: Final = (
    15.0  # wall seconds that a request waits for a seat; a quarter of what it may take, as in Kubernetes
)


class Ticket:
    """A request that is served, or waits."""

    __slots__ = ("arrived_s", "asked", "flow", "seated", "user")

    def __init__(self, flow: Flow, asked: Asked, user: str) -> None:
        self.flow = flow
        self.asked = asked
        self.user = user
        self.arrived_s = 0.0  # cluster seconds, of one that has to wait
        self.seated: asyncio.Future[None] | None = None  # of one that has to wait


class FlowControl:
    """Gives out the seats of one apiserver."""

    def __init__(self, total: int, metrics: Metrics, clock: Clock, wait_s: float = WAIT_S) -> None:
        self._total = total
        self._configuration = FlowConfiguration(SUGGESTED)
        self._read: Callable[[], FlowConfiguration] | None = None
        self._is_stale = False
        self.seats: Seats[Ticket] = Seats(total, self._configuration.levels)
        self.dispatched: dict[tuple[str, str], int] = {}  # by level and schema
        self.ended: Counter[tuple[str, str]] = Counter()  # without a seat, by level and why
        self._clock = clock
        self._wait_s = wait_s
        labels = ("priority_level", "flow_schema")
        self._refused = metrics.counter(
            "apiserver_flowcontrol_rejected_requests_total",
            "Requests that got no seat",
            (*labels, "reason"),
        )
        self._waits = metrics.histogram(
            "apiserver_flowcontrol_request_wait_duration_seconds",
            "Wall time of those who waited for a seat",
            labels,
        )

    def configure(self, configuration: FlowConfiguration) -> None:
        """Classify and seat by another configuration from now on."""
        self._configuration = configuration
        for each in self.seats.reconfigure(self._total, configuration.levels):
            _wake(each)

    def follow(self, read: Callable[[], FlowConfiguration]) -> Callable[[], None]:
        """Configure by what `read` returns, at the first request after the returned function was called."""
        self._read = read

        def stale() -> None:
            self._is_stale = True

        return stale

    def _refresh(self) -> None:
        self._is_stale = False
        if self._read is not None:
            self.configure(self._read())

    def classify(self, user: UserInfo, asked: Asked) -> Flow:
        """Return the flow of a request that does not arrive: it is refused before."""
        if self._is_stale:
            self._refresh()
        return self._configuration.classify(user, asked)

    def arrive(self, request: Request) -> Ticket | None:
        """Return the ticket of a request, which waits where it has `seated`; None where it needs none.

        Raises:
            TooManyRequests: too many of its flow, or of its priority level, wait already.
        """
        if self._is_stale:
            self._refresh()
        return self._arrive(request.user, request)

    def _arrive(self, user: UserInfo, asked: Asked) -> Ticket | None:
        flow = self._configuration.classify(user, asked)
        current_flow.set(flow)
        if flow.level == EXEMPT:
            self._dispatch(flow)
            return None
        ticket = Ticket(flow, asked, user.name)
        arrival = self.seats.arrive(ticket, flow)
        if arrival is Arrival.SEATED:
            self._dispatch(flow)
        elif arrival is Arrival.WAITS:
            ticket.arrived_s = self._clock.now()
            ticket.seated = asyncio.get_running_loop().create_future()
        else:
            raise self._refusal(
                flow, "queue-full" if self._configuration.queues(flow.level) else "concurrency-limit"
            )
        return ticket

    def _dispatch(self, flow: Flow) -> None:
        key = (flow.level, flow.schema)
        self.dispatched[key] = self.dispatched.get(key, 0) + 1

    def written_time(self, cluster_s: float) -> str:
        """Return a moment as timestamps have it."""
        return self._clock.timescale.format(cluster_s)

    async def wait(self, ticket: Ticket) -> None:
        """Return when a request that waits has its seat. Its caller calls `leave`, whatever happens.

        Raises:
            TooManyRequests: it takes too long.
        """
        begun = self._clock.monotonic_wall()
        try:
            async with self._clock.timeout_wall(self._wait_s):
                if ticket.seated is not None:
                    await ticket.seated
            self._dispatch(ticket.flow)
        except asyncio.CancelledError:
            self._refused.add(1, ticket.flow.level, ticket.flow.schema, "cancelled")
            self.ended[ticket.flow.level, "cancelled"] += 1
            raise
        except TimeoutError as error:
            raise self._refusal(ticket.flow, "time-out") from error
        finally:
            took_s = self._clock.monotonic_wall() - begun
            self._waits.observe(took_s, ticket.flow.level, ticket.flow.schema)

    @asynccontextmanager
    async def seated(self, request: Request | AskedPage, user: UserInfo | None = None) -> AsyncIterator[None]:
        """Have a seat for a request, or for a page that a user asks for, while inside.

        Raises:
            TooManyRequests: it gets none.
        """
        if isinstance(request, Request):
            ticket = self.arrive(request)
        else:
            assert user is not None  # noqa: S101 - a page does not say who asks
            ticket = self._arrive(user, request)
        try:
            if ticket is not None and ticket.seated is not None:
                await self.wait(ticket)
            yield
        finally:
            if ticket is not None:
                self.leave(ticket)

    def leave(self, ticket: Ticket) -> None:
        """Free the seat of a request, or its place in the queue, and wake those who are seated now."""
        for each in self.seats.leave(ticket):
            _wake(each)

    def _refusal(self, flow: Flow, reason: str) -> TooManyRequests:
        self._refused.add(1, flow.level, flow.schema, reason)
        self.ended[flow.level, "time-out" if reason == "time-out" else "rejected"] += 1
        return TooManyRequests("too many requests, please try again later", retry_after_s=1)


def _wake(ticket: Ticket) -> None:
    if ticket.seated is not None and not ticket.seated.done():
        ticket.seated.set_result(None)
