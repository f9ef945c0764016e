"""What /debug/api_priority_and_fairness and /metrics show of flow control: Kubernetes' columns and names, our own figures.

A queue is what one flow has waiting: there are as many as there are flows that wait or are served. Every request is one seat
wide, and its work in the virtual time of a level is 1.
https://kubernetes.io/docs/concepts/cluster-administration/flow-control/#debug-endpoints
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from apiserver.core.flow.levels import EXEMPT
from apiserver.flow_control import FlowControl, Ticket
from machinery.process.metrics import described, sample

_PREFIX: Final = "apiserver_flowcontrol_"
_BY_SCHEMA: Final = ("priority_level", "flow_schema")
_NARROWEST: Final = 8  # characters of a column
_NONE: Final = "<none>"


class FlowPages:
    """Writes them."""

    def __init__(self, flow: FlowControl) -> None:
        self._flow = flow

    def page(self, name: str, *, details: bool) -> str | None:
        """Return one of the pages (dump_queues); None where there is none of this name."""
        match name:
            case "dump_priority_levels":
                return _table(self._levels())
            case "dump_queues":
                return _table(self._queues())
            case "dump_requests":
                return _table(self._requests(details=details))
        return None

    def lines(self) -> Iterator[str]:
        """Yield the metrics of what is so at this moment (`machinery.process.metrics.Measured`)."""
        states = list(self._flow.seats.levels())
        for name, text, values in (
            (
                "nominal_limit_seats",
                "Seats that are a level's share",
                [each.share.nominal for each in states],
            ),
            ("lower_limit_seats", "Seats that a level does not lend", [each.share.own for each in states]),
            ("current_limit_seats", "Seats that a level may have now", [each.limit for each in states]),
        ):
            yield from described(_PREFIX + name, text, "gauge")
            for state, value in zip(states, values, strict=True):
                yield sample(_PREFIX + name, ("priority_level",), (state.name,), value)
        seats = self._flow.seats
        executing = Counter((each.flow.level, each.flow.schema) for each in seats.seated())
        waiting = Counter((each.level, each.request.flow.schema) for each in seats.in_order())
        yield from _gauge("current_inqueue_requests", "Requests that wait for a seat", waiting)
        yield from _gauge("current_executing_requests", "Requests that have a seat", executing)
        yield from _gauge("current_executing_seats", "Seats that are taken", executing)
        name = f"{_PREFIX}dispatched_requests_total"
        yield from described(name, "Requests that got a seat, or needed none", "counter")
        for labels, value in self._flow.dispatched.items():
            yield sample(name, _BY_SCHEMA, labels, value)

    def _levels(self) -> Iterator[Sequence[str]]:
        yield (
            "PriorityLevelName", "ActiveQueues", "IsIdle", "IsQuiescing", "WaitingRequests", "ExecutingRequests",
            "DispatchedRequests", "RejectedRequests", "TimedoutRequests", "CancelledRequests",
        )  # fmt: skip
        flow = self._flow
        dispatched: Counter[str] = Counter()
        for (level, _), count in flow.dispatched.items():
            dispatched[level] += count
        for each in flow.seats.levels():
            found = (
                each.queues,
                not (each.waiting or each.served),
                each.is_quiescing,
                each.waiting,
                each.served,
            )
            counts = (
                dispatched[each.name],
                *(flow.ended[each.name, why] for why in ("rejected", "time-out", "cancelled")),
            )
            yield (each.name, *map(_text, (*found, *counts)))
        yield (EXEMPT, *[_NONE] * 5, str(dispatched[EXEMPT]), "0", "0", "0")

    def _queues(self) -> Iterator[Sequence[str]]:
        yield (
            "PriorityLevelName", "Index", "PendingRequests", "ExecutingRequests", "SeatsInUse", "NextDispatchR",
            "InitialSeatsSum", "MaxSeatsSum", "TotalWorkSum",
        )  # fmt: skip
        waiting = list(self._flow.seats.in_order())
        pending = Counter((each.level, each.flow) for each in waiting)
        executing = Counter((each.flow.level, each.flow.key) for each in self._flow.seats.seated())
        starts = {(each.level, each.flow): each.start for each in reversed(waiting)}
        for queue, index in self._indexes().items():
            waits, served = pending[queue], executing[queue]
            next_r, work = f"{starts.get(queue, 0):.8f}ss", f"{waits:.8f}ss"
            yield (queue[0], *map(str, (index, waits, served, served, next_r, waits, waits, work)))

    def _requests(self, *, details: bool) -> Iterator[Sequence[str]]:
        more = ("UserName", "Verb", "APIPath", "Namespace", "Name", "APIVersion", "Resource", "SubResource")
        yield (
            "PriorityLevelName", "FlowSchemaName", "QueueIndex", "RequestIndexInQueue", "FlowDistingsher", "ArriveTime",
            "InitialSeats", "FinalSeats", "AdditionalLatency", *(more if details else ()),
        )  # fmt: skip
        indexes, places = self._indexes(), Counter[tuple[str, str]]()
        for each in self._flow.seats.in_order():
            queue, ticket = (each.level, each.flow), each.request
            place, places[queue] = places[queue], places[queue] + 1
            distinguisher = ticket.flow.key.partition("/")[2]
            arrived = self._flow.written_time(ticket.arrived_s)
            shown = (
                each.level,
                ticket.flow.schema,
                indexes[queue],
                place,
                distinguisher,
                arrived,
                1,
                0,
                "0s",
            )
            yield (*map(str, shown), *(_details(ticket) if details else ()))

    def _indexes(self) -> dict[tuple[str, str], int]:
        """Return the flows that wait or are served, by level and key, each with its number at its level."""
        seats = self._flow.seats
        found = {(each.level, each.flow) for each in seats.in_order()}
        found |= {(each.flow.level, each.flow.key) for each in seats.seated()}
        numbers: Counter[str] = Counter()
        indexes = {}
        for level, key in sorted(found):
            indexes[level, key] = numbers[level]
            numbers[level] += 1
        return indexes


def _gauge(name: str, text: str, values: Counter[tuple[str, str]]) -> Iterator[str]:
    yield from described(_PREFIX + name, text, "gauge")
    for labels, value in sorted(values.items()):
        yield sample(_PREFIX + name, _BY_SCHEMA, labels, value)


def _details(ticket: Ticket) -> tuple[str, ...]:
    asked = ticket.asked
    path = getattr(asked, "path", "")
    version = getattr(asked, "version", "")
    api_version = f"{asked.group}/{version}" if asked.group else version
    name = getattr(asked, "name", "")
    shown = (
        ticket.user,
        asked.verb,
        path,
        asked.namespace,
        name,
        api_version,
        asked.resource,
        asked.subresource,
    )
    return tuple(map(str, shown))


def _text(value: int | bool) -> str:  # noqa: FBT001 - a cell
    return str(value).lower()


def _table(rows: Iterable[Sequence[str]]) -> str:
    """Write rows as lines, with a comma behind every cell except for the last, and the columns below each other."""
    written = [[*(f"{cell}," for cell in row[:-1]), row[-1]] for row in rows]
    widths = [max(_NARROWEST, *(len(cell) + 1 for cell in column)) for column in zip(*written, strict=True)]
    lines = [
        "".join(cell.ljust(width) for cell, width in zip(row[:-1], widths[:-1], strict=True)) + row[-1]
        for row in written
    ]
    return "\n".join((*lines, ""))
